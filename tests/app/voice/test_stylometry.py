"""Style in numbers: what is told apart, what is not, and what was copied."""

import random

import pytest

from app.voice.analysis.stylometry import (
    EMOJI,
    HASHTAG,
    longest_overlap,
    sentences,
    style_distance,
    style_vector,
    words_of,
)

BRISK = [
    "Neu da! Hol dir den Rucksack, bevor er weg ist. Leicht, wasserdicht, grün. Los geht's! 🎒",
    "Wochenende? Raus mit dir! Unsere Zelte stehen in zwei Minuten. Pack ein, fahr los. ⛺",
    "Dein Kaffee, dein Moment. Frisch gemahlen, heiß gebrüht! Schnapp dir die Tasse. ☕",
    "Sale! Nur heute, nur hier. Alles für dich, alles günstig. Greif zu! 🔥",
] * 8
STATELY = [
    "Wir freuen uns, Ihnen mitteilen zu dürfen, dass unsere Werkstatt, die seit dem Jahre 1893 in Familienbesitz ist, "
    "ab dem kommenden Frühjahr auch am Samstag für Sie geöffnet sein wird.",
    "Mit großer Sorgfalt haben unsere Meister das Leder ausgewählt; es wird von Hand vernäht und begleitet Sie, wie "
    "wir hoffen, ein Leben lang.",
    "Gern beraten wir Sie in einem persönlichen Gespräch, in dem wir uns die Zeit nehmen, die Ihr Anliegen verdient.",
] * 8


def halves(texts: list[str], seed: int) -> tuple[list[str], list[str]]:
    shuffled = random.Random(seed).sample(texts, len(texts))
    return shuffled[::2], shuffled[1::2]


def test_each_voice_is_nearer_to_itself_than_to_the_other() -> None:
    brisk_a, brisk_b = (style_vector(half, "de") for half in halves(BRISK, 1))
    stately_a, stately_b = (style_vector(half, "de") for half in halves(STATELY, 2))
    for unit in (None, brisk_a):
        same = style_distance(brisk_a, brisk_b, unit=unit)
        assert 0 < same < 1.5
        assert style_distance(brisk_a, stately_a, unit=unit) > 3 * same
    assert style_distance(stately_b, stately_a, unit=stately_a) < style_distance(brisk_b, stately_a, unit=stately_a)


def test_a_style_is_at_no_distance_from_itself() -> None:
    vector = style_vector(BRISK, "de")
    assert style_distance(vector, vector) == 0
    assert style_distance(vector, style_vector(STATELY, "de")) == style_distance(style_vector(STATELY, "de"), vector)


def test_each_feature_moves_with_what_it_is_about() -> None:
    plain = style_vector(["We bake bread. We sell it."], "en").values
    assert plain["sentence:length"] == 3 and plain["word:we"] == pytest.approx(1000 / 3)
    loud = style_vector(["We bake bread! We sell it! 🥖"], "en").values
    assert loud["mark:exclamation"] > plain["mark:exclamation"] and loud["mark:emoji"] > plain["mark:emoji"] == 0
    spoken = style_vector(["Kommen Sie herein. Hier ist Ihr Brot."], "de").values
    assert spoken["share:sie"] == 1 and spoken["share:du"] == 0


def test_languages_are_not_mixed_and_unknown_ones_have_no_function_words() -> None:
    with pytest.raises(ValueError, match="languages"):
        style_distance(style_vector(["hello"], "en"), style_vector(["hallo"], "de"))
    assert not [name for name in style_vector(["ciao a tutti"], "it").values if name.startswith("word:")]


def test_nothing_written_gives_numbers_too() -> None:
    empty = style_vector([], "de")
    assert empty.words == 0 and style_distance(empty, style_vector(["", "12 %", "🎒"], "de")) == 0


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Ein Satz. Noch einer! Und?", 3),
        ("Version 2.5 kostet 3.99 Euro.", 1),
        ("Überschrift\n\nEin Satz", 2),
        ("… 🎒 …", 0),
        ("Sie sagte: „Komm!“ Dann ging sie.", 2),
    ],
)
def test_sentences(text: str, expected: int) -> None:
    assert len(sentences(text)) == expected


def test_emoji_and_hashtags_are_counted_as_people_see_them() -> None:
    assert len(EMOJI.findall("👩‍👩‍👧 🇩🇪 👍🏽 ❤️ 🔥🔥")) == 6
    assert EMOJI.findall("Preis: 3 € – © 2024 ™ ½") == []
    assert HASHTAG.findall("#sommer Platz #1 #2024er a#b #Grüße") == ["#sommer", "#2024er", "#Grüße"]


def test_the_longest_run_is_found_where_it_stands() -> None:
    trained = ["Wir backen seit 1893.", "Frisch aus dem Ofen: unser Brot, das nach Heimat schmeckt. Guten Appetit!"]
    text = "Neu! Unser BROT, das nach Heimat – schmeckt jeden Tag."
    found = longest_overlap(text, trained)
    assert (found.words, found.source) == (6, 1)
    assert text[found.start : found.end] == "Unser BROT, das nach Heimat – schmeckt"


def test_the_longest_run_is_that_of_a_plain_search() -> None:
    dice = random.Random(7)
    for _ in range(60):
        text = " ".join(dice.choices("abc", k=dice.randrange(1, 14)))
        others = [" ".join(dice.choices("abcd", k=dice.randrange(0, 14))) for _ in range(3)]
        runs = {
            tuple(words[start:end])
            for words in (other.split() for other in others)
            for start in range(len(words))
            for end in range(start + 1, len(words) + 1)
        }
        words = text.split()
        longest = max(
            (end - start for start in range(len(words)) for end in range(start + 1, len(words) + 1)
             if tuple(words[start:end]) in runs),
            default=0,
        )  # fmt: skip
        found = longest_overlap(text, others)
        assert found.words == longest
        assert words_of(text[found.start : found.end]) == longest
        if longest:
            assert text[found.start : found.end] in others[found.source]


def test_without_a_common_word_there_is_no_overlap() -> None:
    assert longest_overlap("eins zwei", ["drei", ""]).words == longest_overlap("", ["drei"]).words == 0
    assert longest_overlap("eins", ["drei"]).source == -1


def test_two_thousand_samples_are_read_through_once() -> None:
    """The work counts words, not pairs of texts: each word of the samples is looked at a bounded number of times."""
    dice = random.Random(3)
    vocabulary = [f"wort{number}" for number in range(800)]
    samples = [" ".join(dice.choices(vocabulary, k=120)) for _ in range(2000)]
    text = " ".join(dice.choices(vocabulary, k=60)) + " " + " ".join(samples[1234].split()[20:50])
    found = longest_overlap(text, samples)
    assert found.words >= 30 and found.source == 1234
