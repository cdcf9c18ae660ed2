"""The suggested trigger word, and what may be one."""

import pytest

from app.projects.errors import BadTriggerWord
from app.projects.trigger_word import SHAPE, checked, suggest


@pytest.mark.parametrize(
    ("name", "word"),
    [
        ("Nordlicht Kaffee", "nordlichtstyle"),
        ("ACME", "acmestyle"),
        ("Öl & Söhne", "oelsoehnestyle"),
        ("3M", "3mstyle"),
        ("Žižkov", "zizkovstyle"),
        ("北京", "brandstyle"),
        ("!!!", "brandstyle"),
        ("x" * 300, "x" * 35 + "style"),
    ],
)
def test_suggests_a_rare_word_from_the_name(name: str, word: str) -> None:
    assert suggest(name) == word
    assert SHAPE.fullmatch(word)


def test_an_empty_word_becomes_the_suggestion() -> None:
    assert checked("  ", name="Nordlicht") == "nordlichtstyle"


def test_keeps_a_good_word_in_lower_case() -> None:
    assert checked(" AcmeStyle_2 ", name="Nordlicht") == "acmestyle_2"


@pytest.mark.parametrize("word", ["two words", "größe", "ab", "-acme", "x" * 41, "a,b,c"])
def test_refuses_what_prompts_would_take_apart(word: str) -> None:
    with pytest.raises(BadTriggerWord) as refused:
        checked(word, name="Nordlicht")
    assert checked(refused.value.params["suggestion"], name="Nordlicht")
