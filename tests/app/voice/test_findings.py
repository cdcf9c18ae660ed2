"""Personal data, repeats and boilerplate are pointed out, and nothing else is."""

import random

import pytest

from app.voice.analysis import likeness, personal_data
from app.voice.analysis.likeness import Compared
from tests import voices


def kinds(text: str) -> list[tuple[str, str]]:
    return [(one.kind, text[one.start : one.end]) for one in personal_data.find(text)]


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("Schreiben Sie an ada.muster+x@mail.example.org.", [("mail", "ada.muster+x@mail.example.org")]),
        ("Rufen Sie an: +49 (0)30 / 123 45-67.", [("phone", "+49 (0)30 / 123 45-67")]),
        ("Call 030 1234567 today", [("phone", "030 1234567")]),
        ("IBAN DE89 3704 0044 0532 0130 00, bitte.", [("iban", "DE89 3704 0044 0532 0130 00")]),
        ("Danke.\n\nViele Grüße\nAda Muster\nNordlicht GmbH", [("name", "Ada Muster")]),
        ("Danke!\nHerzliche Grüße aus dem Norden,\nIhre Ada von Muster", [("name", "Ada von Muster")]),
        ("Bye.\n\nBest regards,\n\nAda", [("name", "Ada")]),
        ("Kind regards, Ada Muster", [("name", "Ada Muster")]),
        ("Call (555) 123-4567 or 555-123-4567.", [("phone", "(555) 123-4567"), ("phone", "555-123-4567")]),
        ("Free: 1-800-555-0199!", [("phone", "1-800-555-0199")]),
        ("Tel.0171 2345678, Fax: 12345", [("phone", "0171 2345678"), ("phone", "12345")]),
        ("Appelez le 01.02.03.04.05", [("phone", "01.02.03.04.05")]),
        ("Ab 01.02.2024 030 1234567", [("phone", "030 1234567")]),
        ("Bis dann.\nGrüße\nAda", [("name", "Ada")]),
        ("Bis dann.\nGruß, Ada", [("name", "Ada")]),
        ("Mit freundlichem Gruß\nAda Muster", [("name", "Ada Muster")]),
        ("Viele liebe Grüße\nDeine Ada", [("name", "Ada")]),
        ("Liebe Grüsse aus Bern\nAda", [("name", "Ada")]),
        ("*Viele Grüße*\n*Ada Muster*", [("name", "Ada Muster")]),
        ("Liebe Freunde,\nes ist Mai.\nDeine Ada", [("name", "Ada")]),
        ("See you.\n\nThanks,\nAda", [("name", "Ada")]),
        ("See you.\n\nThank you!\nAda Muster", [("name", "Ada Muster")]),
        ("Yours\nAda", [("name", "Ada")]),
        ("Warmly,\nAda", [("name", "Ada")]),
        ("Bien à vous,\nAda", [("name", "Ada")]),
        ("Beste Grüße\nADA MUSTER\nMarketing", [("name", "ADA MUSTER")]),
        ("Best,\nAda Muster, Head of Sales\nBen Beispiel", [("name", "Ada Muster"), ("name", "Ben Beispiel")]),
        ("We are here for you.\nAda Muster | Head of Marketing", [("name", "Ada Muster")]),
        ("Fragen Sie Frau Dr. Muster oder Herrn Beispiel.", [("name", "Muster"), ("name", "Beispiel")]),
    ],
)
def test_what_looks_like_personal_data_is_found(text: str, found: list[tuple[str, str]]) -> None:
    assert kinds(text) == found


@pytest.mark.parametrize(
    "text",
    [
        "Wir öffnen am 24.12.2026 um 10:00 Uhr und 2026-11-24 sowieso.",
        "Nur 1.299,00 € statt 2.000.000 €, Bestellnummer 4711-0815.",
        "DE89 3704 0044 0532 0130 01 ist kein Konto.",
        "Viele Grüße\nIhr Nordlicht-Team",
        "Best regards,\nYour Fizzbee crew",
        "Das Beste kommt noch: @fizzbee #liebe",
        "Love\nis in the air tonight",
        "Ab 01.02.2024 10 Prozent, vom 01.05. - 03.05.2024 auch 20, 02/03/2024 zu.",
        "Mo-Fr 08.00-18.00 Uhr, Sa 09.00 - 12.00 Uhr",
        "Danke, Hamburg! Thanks for 10 years.\nThank you, Berlin",
        "Grüße gehen raus an alle",
        "Der Sommer ist da.\nDeine Pause",
        "Beste Grüße\nNORDLICHT\nMarketing",
        "Seit 1904, 365 Tage im Jahr, 24 Stunden.",
    ],
)
def test_what_is_none_is_left_alone(text: str) -> None:
    assert kinds(text) == []


@pytest.mark.parametrize("name", [voices.NORDLICHT, voices.FIZZBEE])
def test_the_voices_hold_no_personal_data(name: str) -> None:
    assert [kinds(row["text"]) for row in voices.rows(name) if kinds(row["text"])] == []


def test_masks_keep_the_rest_of_the_text() -> None:
    text = "An ada@example.org, Tel. 030 1234567.\nViele Grüße\nAda"
    findings = personal_data.from_json(personal_data.to_json(personal_data.find(text)))
    assert personal_data.mask(text, findings, "de") == "An [E-Mail], Tel. [Telefon].\nViele Grüße\n[Name]"
    assert "[mail address]" in personal_data.mask(text, findings, "fr")


def compared(texts: list[str]) -> list[Compared]:
    return [
        Compared(str(at), text, likeness.text_hash(text), likeness.signature(text)) for at, text in enumerate(texts)
    ]


def test_the_same_but_for_spaces_case_and_marks_is_a_repeat() -> None:
    texts = ["The lamp is lit.", "the  LAMP is\nlit!", "Another thing altogether, with wool."]
    assert likeness.repeats(compared(texts)) == ({"1": "0"}, {})
    assert likeness.text_hash("🍋") != likeness.text_hash("🍒")


def test_texts_with_a_few_words_changed_are_found_among_many() -> None:
    chosen = random.Random(7)
    everything = [row["text"] for name in (voices.NORDLICHT, voices.FIZZBEE) for row in voices.rows(name)]
    long = [text for text in everything if len(text) > 90]
    changed = []
    for text in long:
        words = text.split()
        at = chosen.randrange(len(words))
        changed.append(" ".join([*words[:at], "completely", *words[at + 1 :]]))
    same, near = likeness.repeats(compared([*everything, *changed]))
    of_changed = [near.get(str(len(everything) + at), same.get(str(len(everything) + at))) for at in range(len(long))]
    right = sum(
        found is not None and everything[int(found)] == text for found, text in zip(of_changed, long, strict=True)
    )
    assert right >= 0.9 * len(long)
    assert [key for key in {**same, **near} if int(key) < len(everything)] == []


def test_lines_that_come_back_are_boilerplate() -> None:
    texts = [f"Text number {number} about something.\nUnsubscribe: click here" for number in range(30)]
    texts += [f"Only {number}" for number in range(10)]
    [line] = likeness.shared_lines(texts)
    assert (line.line, line.count) == ("Unsubscribe: click here", 30)
    assert likeness.places_of(texts[0], frozenset((line.line_hash,))) == [(31, 54)]
    assert likeness.shared_lines(["The same short text", "The same short text"] * 10) == []


def test_a_sentence_that_ends_text_after_text_is_boilerplate_too() -> None:
    closing = "Jetzt im Shop bestellen! (Nur z. B. bis zum 24. Dezember.)"
    texts = [f"Lampe {number} brennt, wenn es dunkel wird. {closing}" for number in range(40)]
    texts.append("Wir bestellen nie im Shop. Wir warten.")
    found = likeness.shared_lines(texts)
    assert [(line.line, line.count) for line in found] == [
        ("Jetzt im Shop bestellen!", 40),
        ("(Nur z. B. bis zum 24. Dezember.)", 40),
    ]
    hashes = frozenset(line.line_hash for line in found)
    [first, second] = likeness.places_of(texts[0], hashes)
    assert likeness.closed(texts[0][: first[0]] + texts[0][first[1] : second[0]]) == (
        "Lampe 0 brennt, wenn es dunkel wird."
    )
    assert [likeness.has_line(text, hashes) for text in texts] == [True] * 40 + [False]


def test_a_line_of_several_sentences_that_comes_back_is_one_finding() -> None:
    texts = [f"Text number {number}.\nTo unsubscribe, click here. We will miss you." for number in range(30)]
    assert [line.line for line in likeness.shared_lines(texts)] == ["To unsubscribe, click here. We will miss you."]


@pytest.mark.parametrize("name", [voices.NORDLICHT, voices.FIZZBEE])
def test_the_voices_hold_no_boilerplate(name: str) -> None:
    assert likeness.shared_lines([row["text"] for row in voices.rows(name)]) == []
