"""The guide says what the samples show, and only that."""

from app.voice.analysis.pairs import VoiceSample
from app.voice.analysis.style_guide import measure, style_guide
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
    assert "selten mit „du“ oder „Sie“ an" in style_guide(samples, "de")


def texts_in(language: str, *texts: str) -> list[VoiceSample]:
    return [VoiceSample(str(n), text, "", "post", language, "") for n, text in enumerate(texts * 4)]


def test_of_a_language_that_is_not_known_well_only_what_was_measured_is_said() -> None:
    french = texts_in("fr", "Votre lampe vous attend.", "Vous aimez le calme, nous aussi. Il y a des mots plus doux !")
    guide = style_guide(french, "fr")
    assert "reader" not in guide and "“you”" not in guide and "“we”" not in guide
    assert "Sentences have about" in guide and "Votre lampe vous attend." in guide
    finnish = style_guide(texts_in("fi", "Kahvi on valmis ja lämmin.", "Lamppu on jo ja valmis."), "fi")
    assert "Favourite words" not in finnish, "which of its words are frequent anyway is not known"
    chinese = style_guide(texts_in("zh", "咖啡好了！请坐。"), "zh")
    assert "words, a text about" not in chinese and "often uses exclamation marks" in chinese


def test_samples_in_another_language_than_the_orders_are_measured_in_their_own() -> None:
    german = texts_in("de", "Du nimmst dir auch heute wenig Zeit.", "Auch dein Kaffee dampft, wenn wir da sind.")
    guide = style_guide(german, "en")
    assert "It speaks to the reader as “you”." in guide and "It says “we” of itself." in guide
    assert "Typical openings" not in guide and "Favourite words" not in guide, "German words help no English text"
    english = texts_in("en", "Your coffee is ready, and you know it.")
    assert "spricht die Leserinnen und Leser direkt an" in style_guide(english, "de"), "you is du or Sie"


def test_where_hashtags_stand_is_measured() -> None:
    assert "It ends with hashtags." in style_guide(texts_in("en", "Tea is ready. #tea #calm ☕"), "en")
    assert "It uses hashtags." in style_guide(texts_in("en", "#tea is ready, and #calm comes with it."), "en")


def test_without_samples_there_is_nothing_to_say() -> None:
    assert style_guide([], "de") == ""


def test_examples_have_no_masks() -> None:
    texts = ["Write to [mail address], the lamp is lit.", "The lamp is lit, and the tea is hot today."] * 4
    samples = [VoiceSample(str(n), text, "", "post", "en", "") for n, text in enumerate(texts)]
    assert "[mail address]" not in style_guide(samples, "en")
