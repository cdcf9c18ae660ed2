"""What comes out: exact pixels, the same bytes each time, boxes within the safe zone, and PDF with live text."""

import io
from pathlib import Path

import numpy as np
import pytest
import typst
from PIL import Image
from pypdf import PdfReader

from app.layouts import findings
from app.layouts.channels import MM_PER_INCH, channel, channels
from app.layouts.designs import NoLayout, layout, layouts
from app.layouts.render import render_pdf
from app.layouts.typesetting import FONTS
from app.layouts.values import Canvas, Insets, Rectangle, Theme
from tests.app.layouts.ads import SMALL, codes, content, draw, draw_pdf, layer, pixels
from tests.tools import layout_samples as samples

KEYS = [one.key for one in layouts()]
SCREEN = [one.key for one in channels() if one.paper is None]
LOOKS: tuple[tuple[Theme, str], ...] = (("light", "de"), ("dark", "ar"))


@pytest.mark.parametrize("key", [one for one in SCREEN if one.startswith("display_")])
def test_small_channels_get_their_exact_pixels(key: str) -> None:
    one = channel(key)
    assert Image.open(io.BytesIO(draw("split", canvas=key).png)).size == (one.width_px, one.height_px)


@pytest.mark.slow
@pytest.mark.parametrize("key", KEYS)
def test_every_layout_suits_every_channel_on_the_screen(key: str) -> None:
    """Half of the channels in light and German, the others in dark and Arabic, and otherwise with the next layout."""
    photo = samples.landscape(size=(800, 800))
    for number, place in enumerate(SCREEN):
        theme, language = LOOKS[(number + KEYS.index(key)) % 2]
        one = channel(place)
        drawn = draw(key, content(language, photo), canvas=place, language=language, theme=theme)
        assert Image.open(io.BytesIO(drawn.png)).size == (one.width_px, one.height_px)
        assert codes(drawn) == set(), (place, theme, drawn.findings)


@pytest.mark.slow
@pytest.mark.parametrize("key", ["print_a4", "print_a5", "roll_up"])
def test_prints_get_their_exact_pixels(key: str) -> None:
    one = channel(key)
    assert Image.open(io.BytesIO(draw("split", canvas=key).png)).size == (one.width_px, one.height_px)


@pytest.mark.parametrize("key", KEYS)
def test_only_the_picture_lies_in_unsafe_zones(key: str) -> None:
    canvas = Canvas(360, 640, Insets(top=90, right=40, bottom=200, left=24))
    drawn = draw(key, canvas=canvas)
    free = Rectangle(24, 90, 296, 350)
    assert [slot for slot, box in drawn.boxes.items() if slot != "picture" and not box.lies_in(free)] == []
    for name in ("text", "logo"):
        ink = layer(drawn, name)[..., 3] > 0
        ink[90:440, 24:320] = False
        assert not ink.any(), name
    assert not codes(drawn) & {"outside_safe_zone", "overlap", "logo_crowded"}


@pytest.mark.parametrize("key", ["poster", "circle"])
def test_two_drawings_have_the_same_bytes(key: str) -> None:
    one, other = draw(key), draw(key)
    assert one == other or (one.png, one.boxes, one.findings) == (other.png, other.boxes, other.findings)
    assert draw_pdf(key, content()).pdf == draw_pdf(key, content()).pdf


def test_the_layers_compose_to_the_finished_pixels() -> None:
    drawn = draw("poster", content(picture=samples.landscape(size=(400, 400))))
    stack = drawn.layers[0].image.copy()
    for one in drawn.layers[1:]:
        stack.alpha_composite(one.image)
    assert (np.asarray(stack.convert("RGB")) == pixels(drawn)).all()
    assert [one.name for one in drawn.layers] == ["ground", "picture", "scrim", "shapes", "text", "logo"]


@pytest.mark.parametrize("key", KEYS)
def test_a_pdf_has_live_text_and_embedded_fonts(key: str) -> None:
    slots = content("en", headline="Made for mornings")
    page = PdfReader(io.BytesIO(draw_pdf(key, slots, language="en").pdf)).pages[0]
    read = " ".join(page.extract_text().split())
    for text in (slots.headline, slots.call_to_action, slots.legal, slots.ai_label):
        assert text.replace(" ", "") in read.replace(" ", "")
    assert (page.mediabox.width, page.mediabox.height) == (SMALL.width_px, SMALL.height_px)
    for font in page["/Resources"]["/Font"].values():  # type: ignore[index]
        described = font.get_object()["/DescendantFonts"][0].get_object()["/FontDescriptor"].get_object()
        assert {"/FontFile2", "/FontFile3"} & set(described), described


def test_a_brands_own_fonts_are_taken_and_embedded(tmp_path: Path) -> None:
    for path in FONTS.glob("NotoSansHebrew-*.ttf"):
        (tmp_path / path.name).write_bytes(path.read_bytes())
    made = render_pdf(
        layout("split"),
        "light",
        SMALL,
        content("he"),
        samples.locale("he"),
        samples.COLOURS,
        fonts_folder=tmp_path,
        family="Noto Sans Hebrew",
    )
    fonts = PdfReader(io.BytesIO(made.pdf)).pages[0]["/Resources"]["/Font"].values()  # type: ignore[index]
    assert any("NotoSansHebrew" in font.get_object()["/BaseFont"] for font in fonts)


def test_a_print_pdf_is_as_large_as_its_paper_with_bleed_and_marks() -> None:
    canvas = Canvas(620, 877, bleed_px=9, dpi=75)
    page = PdfReader(io.BytesIO(draw_pdf("poster", content(), canvas=canvas).pdf)).pages[0]
    beyond_mm = 9 / 75 * MM_PER_INCH + 6
    expected = [(side / 75 * MM_PER_INCH + 2 * beyond_mm) / MM_PER_INCH * 72 for side in (620, 877)]
    assert [float(page.mediabox.width), float(page.mediabox.height)] == pytest.approx(expected, abs=0.1)
    for box, beyond_px in ((page.trimbox, 0), (page.bleedbox, 9)):
        sides = [(side + 2 * beyond_px) / 75 * 72 for side in (620, 877)]
        assert [float(box.width), float(box.height)] == pytest.approx(sides, abs=0.01)
        middle = [float(box.left + box.right), float(box.top + box.bottom)]
        assert middle == pytest.approx(expected, abs=0.1)


def test_a_pdf_for_the_screen_is_cut_nowhere() -> None:
    page = PdfReader(io.BytesIO(draw_pdf("poster", content()).pdf)).pages[0]
    assert list(page.trimbox) == pytest.approx(list(page.mediabox), abs=0.001)
    assert list(page.bleedbox) == pytest.approx(list(page.mediabox), abs=0.001)


def test_nothing_but_the_layout_can_be_read(tmp_path: Path) -> None:
    """A layout's program has its own folder for its root."""
    root = tmp_path / "ad"
    root.mkdir()
    (tmp_path / "secret").write_text("secret")
    (root / "layout.typ").write_text('#read("/etc/hostname")#read("../secret")')
    with pytest.raises(typst.TypstError):
        typst.Compiler(root / "layout.typ", root=root).compile(format="pdf")


def test_a_layout_that_nobody_knows_is_not_found() -> None:
    with pytest.raises(NoLayout):
        layout("../poster")


def test_every_layout_is_named_and_shows_the_marks_that_must_be_there() -> None:
    for one in layouts():
        assert set(one.name) == set(one.about) == {"en", "de"}
        for shown in one.slots.values():
            assert {"picture", "headline", "logo", "legal", "ai_label"} <= set(shown), one.key


def test_every_finding_has_a_sentence_that_its_numbers_fill() -> None:
    drawn = [draw("split", content(headline="Worte " * 90)), draw("poster")]
    for found in (one for each in drawn for one in each.findings):
        assert findings.SENTENCES[found.code] % found.numbers
