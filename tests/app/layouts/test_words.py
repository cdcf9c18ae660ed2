"""Words: drawn as they stand, never cut, never over each other, and in the direction of their language."""

import io
import re
from itertools import combinations

import numpy as np
import pytest
from pypdf import PdfReader

from app.layouts.designs import layouts
from app.layouts.letters import characters
from app.layouts.typesetting import FONTS
from app.layouts.values import Canvas, Locale
from tests.app.layouts.ads import SMALL, codes, content, draw, draw_pdf, layer
from tests.tools import layout_samples as samples
from tests.tools.pdf_text import text_in

KEYS = [one.key for one in layouts()]
MARKUP = [
    '#panic("x")',
    "*bold* _soft_ = no",
    "$x^2$ `raw` <label> @ref",
    '#read("layout.typ")',
    "\\ \\u{41} // no /* no */",
]


@pytest.mark.parametrize("text", MARKUP)
def test_markup_is_drawn_as_it_stands(text: str) -> None:
    drawn = draw_pdf("split", content(headline=text, body="", legal=""))
    found = "".join(page.extract_text() for page in PdfReader(io.BytesIO(drawn.pdf)).pages)
    assert re.sub(r"\s", "", text) in re.sub(r"\s", "", found)


def test_control_characters_have_no_shape() -> None:
    assert draw(slots=content(headline="Ein\x00 \x1bWort")).png == draw(slots=content(headline="Ein Wort")).png


@pytest.mark.parametrize("key", KEYS)
def test_a_short_and_a_long_text_leave_nothing_to_say(key: str) -> None:
    for changes in ({}, samples.LONG):
        drawn = draw(key, content(**changes), canvas=Canvas(540, 675))
        assert codes(drawn) <= ({"text_too_long"} if changes else set())


@pytest.mark.parametrize("canvas", [SMALL, Canvas(364, 90), Canvas(160, 500), Canvas(400, 210)], ids=str)
def test_too_much_text_is_a_finding_and_nothing_is_cut_or_covered(canvas: Canvas) -> None:
    drawn = draw("split", content(headline="Sehr viele Worte " * 60, body="", badge=""), canvas=canvas)
    assert "text_too_long" in codes(drawn)
    assert not codes(drawn) & {"overlap", "outside_safe_zone"}
    _no_ink_outside(draw("split", content(headline="Sehr viele Worte " * 60, body="", badge=""), canvas=canvas), canvas)
    found = next(one for one in drawn.findings if one.code == "text_too_long" and one.slot == "headline")
    assert found.numbers["size_px"] < found.numbers["least_px"]


@pytest.mark.parametrize(
    "word", ["x" * 60, "Donaudampfschifffahrtselektrizitätenhauptbetriebswerkbauunterbeamtengesellschaft"]
)
def test_one_word_that_is_too_long_is_divided(word: str) -> None:
    drawn = draw("split", content(headline=word))
    _no_ink_outside(drawn, SMALL)
    assert drawn.boxes["headline"].width <= SMALL.width_px
    read = PdfReader(io.BytesIO(draw_pdf("split", content(headline=word)).pdf)).pages[0].extract_text()
    assert word in re.sub(r"[\s\u200b\u00ad\u2010-]", "", read)


def _no_ink_outside(drawn: object, canvas: Canvas) -> None:
    ink = layer(drawn, "text")[..., 3] > 0  # type: ignore[arg-type]
    free = np.zeros_like(ink)
    safe = canvas.safe
    free[safe.top : canvas.height_px - safe.bottom, safe.left : canvas.width_px - safe.right] = True
    assert not (ink & ~free).any()
    edge = np.concatenate([ink[0], ink[-1], ink[:, 0], ink[:, -1]])
    assert not edge.any()


def test_texts_never_share_room() -> None:
    drawn = draw("poster", content(**samples.LONG))
    texts = [box for slot, box in drawn.boxes.items() if slot != "picture"]
    assert len(texts) == 7
    assert not [(one, other) for one, other in combinations(texts, 2) if one.overlaps(other)]


def test_an_empty_text_leaves_its_slot_out() -> None:
    drawn = draw("split", content(headline="", body="  ", badge="\n"))
    assert not {"headline", "body", "badge"} & set(drawn.boxes)
    assert "call_to_action" in drawn.boxes
    assert codes(drawn) == set()


@pytest.mark.parametrize("language", ["ar", "he"])
def test_right_to_left_languages_mirror_the_layout(language: str) -> None:
    there, here = draw("split", content(language), language=language), draw("split", content("en"), language="en")
    middle = SMALL.width_px / 2
    assert here.boxes["call_to_action"].x < middle < here.boxes["logo"].x
    assert there.boxes["logo"].x < middle < there.boxes["call_to_action"].x + there.boxes["call_to_action"].width
    assert codes(there) == set()
    assert (Locale(language).direction, Locale("de-AT").direction) == ("rtl", "ltr")


def test_letters_that_no_font_has_are_a_finding() -> None:
    drawn = draw("split", content(headline="Neu 日本 – für „alle“…", body="Größe? 20\u00a0€ ½"))
    lacking = [(one.slot, one.numbers) for one in drawn.findings if one.code == "letters_missing"]
    assert lacking == [("headline", {"count": 2})]
    assert {ord(one) for one in "äöüßÄÖÜ€ãčł"} <= characters((FONTS / "HankenGrotesk-Regular.ttf").read_bytes())
    assert characters(b"no font") == frozenset()


RIGHT_TO_LEFT = {
    "ar": samples.WORDS["ar"],
    "he": samples.WORDS["he"],
    "fa": {**samples.WORDS["ar"], "headline": "پاییز گرم، چای ژاپنی و ۱۲ کتاب"},
    "ur": {**samples.WORDS["ar"], "headline": "نئے موسم کی ٹھنڈی ہوائیں بڑے شہر میں"},
}


@pytest.mark.parametrize("language", RIGHT_TO_LEFT)
def test_text_from_right_to_left_is_copied_from_a_pdf_as_it_was_written(language: str) -> None:
    """To the letter: fonts that put letters together from parts give some of them twice."""
    words = RIGHT_TO_LEFT[language]
    made = draw_pdf("split", content("ar", **words), canvas=Canvas(540, 675), language=language)
    assert {slot: text_in(made.pdf, made.boxes[slot], rtl=True) for slot in words} == words
    assert codes(made) == set()
