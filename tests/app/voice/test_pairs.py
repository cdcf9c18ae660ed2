"""Briefs say nothing that is not in their sample, and conversations hold it."""

import pytest

from app.voice.analysis import pairs
from app.voice.analysis.pairs import Vocabulary, VoiceSample
from tests import voices


@pytest.mark.parametrize("name", [voices.NORDLICHT, voices.FIZZBEE])
def test_a_brief_invents_nothing(name: str) -> None:
    for row, sample in zip(voices.rows(name), voices.samples(name), strict=True):
        said = f"{row['title']} {row['text']}".casefold()
        vocabulary = Vocabulary.of((one["text"], one["language"]) for one in voices.rows(name))
        for word in pairs.keywords(row["text"], vocabulary, row["language"]):
            assert word.casefold() in said
        if row["title"] and row["title"] != row["text"]:
            assert row["title"] in sample.brief
        assert sample.text == row["text"]


def test_a_brief_is_in_the_samples_own_language() -> None:
    briefs = {sample.language: sample.brief for sample in voices.samples(voices.NORDLICHT)}
    assert briefs["de"].startswith("Schreibe ")
    assert briefs["en"].startswith("Write ")


def test_the_wording_is_for_channel_words_and_length() -> None:
    assert (
        pairs.word_order(channel="product_text", language="en", title="Iron kettle", about=["tea", "stove"], words=25)
        == "Write a product text titled “Iron kettle” about tea and stove, about 25 words."
    )
    assert (
        pairs.word_order(channel="post", language="de", about=["Fähre", "Wolle", "Warten"], words=15)
        == "Schreibe einen Social-Media-Beitrag zu Fähre, Wolle und Warten, etwa 15 Wörter."
    )
    assert pairs.word_order(channel="mail", language="fr") == "Write a newsletter text in French."
    assert pairs.word_order(channel="no such channel", language="en") == "Write a text."


def test_keywords_tell_a_text_from_the_others() -> None:
    texts = [("Our kettle hums, our tea is ready", "en"), ("Our lamp and our tea", "en"), ("Our bench", "en")]
    vocabulary = Vocabulary.of(texts)
    assert "kettle" in pairs.keywords(texts[0][0], vocabulary, "en")
    assert "our" not in pairs.keywords(texts[0][0], vocabulary, "en")
    assert pairs.keywords("Write to [mail address] or see https://example.org/tea #lamp", vocabulary, "en") == ["write"]


def test_a_headline_is_no_title_of_itself_and_has_no_length() -> None:
    brief = pairs.derive_brief(
        "One lamp is enough",
        title="One lamp is enough",
        channel="headline",
        language="en",
        vocabulary=Vocabulary.of([]),
    )
    assert brief == "Write a headline about lamp."


@pytest.mark.parametrize(("count", "said"), [(0, 1), (7, 7), (12, 10), (48, 50), (163, 160), (430, 450)])
def test_lengths_are_said_as_people_do(count: int, said: int) -> None:
    assert pairs.rounded_words("word " * count) == said


def test_a_conversation_is_system_order_and_text() -> None:
    sample = VoiceSample("1", "Der Text.", "", "post", "de", "Schreibe einen Text.")
    roles = [(message["role"], message["content"]) for message in pairs.conversation(sample)]
    assert [role for role, _ in roles] == ["system", "user", "assistant"]
    assert roles[1][1] == "Schreibe einen Text."
    assert roles[2][1] == "Der Text."
    assert (
        pairs.messages("Write a text.", "en")
        == pairs.conversation(VoiceSample("2", "x", "", "post", "en", "Write a text."))[:2]
    )
