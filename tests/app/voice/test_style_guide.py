"""The guide says what the samples show, and only that."""

from app.voice.pairs import VoiceSample
from app.voice.style_guide import measure, style_guide
from tests import voices


def test_two_voices_are_measured_apart() -> None:
    calm, loud = (measure(voices.samples(name), "de") for name in (voices.NORDLICHT, voices.FIZZBEE))
    assert (calm.address, loud.address) == ("Sie", "du")
    calm, loud = (measure(voices.samples(name), "en") for name in (voices.NORDLICHT, voices.FIZZBEE))
    assert calm.exclamation_share == 0
    assert loud.exclamation_share > 0.6
    assert calm.emoji_share == 0
    assert loud.emoji_share > 0.8
    assert calm.words_per_sentence > loud.words_per_sentence
    assert "lamp" in calm.favourites
    assert "bubbles" in loud.favourites


def test_the_guide_is_in_its_language_and_quotes_the_brand() -> None:
    samples = voices.samples(voices.NORDLICHT)
    english, german = style_guide(samples, "en"), style_guide(samples, "de")
    assert "It uses no exclamation marks." in english
    assert "mit „Sie“ an" in german
    texts = {sample.text for sample in samples}
    quoted = [line.strip("“”") for line in english.splitlines() if line.startswith("“")]
    assert len(quoted) == 4
    assert set(quoted) <= texts
    assert len(english.split()) < 350


def test_sie_at_the_start_of_a_sentence_is_not_a_form_of_address() -> None:
    texts = ["Die Lampe ist neu. Sie steht am Fenster.", "Die Decke liegt da. Sie ist warm."] * 5
    samples = [VoiceSample(str(n), text, "", "post", "de", "") for n, text in enumerate(texts)]
    assert measure(samples, "de").address == "none"
    assert "niemanden direkt" in style_guide(samples, "de")


def test_without_samples_there_is_nothing_to_say() -> None:
    assert style_guide([], "de") == ""


def test_examples_have_no_masks() -> None:
    texts = ["Write to [mail address], the lamp is lit.", "The lamp is lit, and the tea is hot today."] * 4
    samples = [VoiceSample(str(n), text, "", "post", "en", "") for n, text in enumerate(texts)]
    assert "[mail address]" not in style_guide(samples, "en")
