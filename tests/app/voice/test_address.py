"""Sie, du, and the words that only look like them."""

import pytest

from app.voice.analysis.address import addresses, forms


def kinds(text: str) -> list[str]:
    return [one.kind for one in addresses(text)]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Entdecken Sie unser neues Brot.", ["sie"]),
        ("Wir freuen uns auf Ihren Besuch und helfen Ihnen gern.", ["sie", "sie"]),
        ("Hol dir dein Brot.", ["du", "du"]),
        ("Du hast Hunger? Deine Bäckerei ist da.", ["du", "du"]),
        ("Habt ihr Hunger? Ihr seid willkommen, bringt eure Freunde mit.", ["du", "du", "du"]),
        # she, they, her: not the reader
        ("Anna backt. Sie ist Meisterin. Sie liebt Brot.", []),
        ("Die Brote sind da, und sie schmecken. Wir geben ihnen Zeit.", []),
        ("Die Meisterin und ihr Team backen ihre Brote.", []),
        # at the start of a sentence a capital says nothing
        ("Sie haben Hunger?", ["uncertain"]),
        ("Frisch! Sie schmecken allen.", ["uncertain"]),
        ("🎒 Ihr Rucksack", ["uncertain"]),
        ("„Sie werden staunen“", ["uncertain"]),
        ("Neu:\n- Ihre Tasche", ["uncertain"]),
        ("", []),
    ],
)
def test_forms_of_address(text: str, expected: list[str]) -> None:
    assert kinds(text) == expected


def test_the_place_in_the_text_is_that_of_the_word() -> None:
    text = "Wir grüßen Sie und dich."
    assert [(text[one.start : one.end], one.word) for one in addresses(text)] == [("Sie", "Sie"), ("dich", "dich")]


@pytest.mark.parametrize(
    ("text", "language", "expected"),
    [
        ("Hol dir dein Brot, wir helfen Ihnen.", "de", {"du", "Sie"}),
        ("Habt ihr Hunger? Bringt eure Freunde mit.", "de", {"ihr"}),
        ("Sie liegt am Fenster.", "de", set()),
        ("Is it yours?", "en", {"you"}),
        ("The youth club is open.", "en", set()),
    ],
)
def test_forms_that_a_text_surely_uses(text: str, language: str, expected: set[str]) -> None:
    assert forms(text, language) == expected
