"""How prompts are read: what of them the base knows, by which name it draws that, and what it does not know."""

import pytest

from app.base_models import catalogue, vocabulary
from app.base_models.vocabulary import Vocabulary

KNOWN = Vocabulary(
    {
        "things": {
            "dog": {
                "en": {"name": "dog", "near": ["mutt", "puppy"]},
                "de": {"name": "Hund", "near": ["köter", "welpe"]},
            },
            "automobile": {"en": {"name": "automobile", "same": ["car"]}, "de": {"name": "Auto", "same": ["wagen"]}},
            "cup": {"en": {"name": "cup"}, "de": {"name": "Tasse"}},
            "hot-beverage": {"en": {"name": "hot beverage", "same": ["coffee cup"]}, "de": {"name": "Heißgetränk"}},
            "red-apple": {"en": {"name": "red apple", "same": ["apple"]}, "de": {"name": "roter Apfel"}},
            "sailboat": {"en": {"name": "sailboat", "same": ["boat"]}, "de": {"name": "Segelboot", "same": ["boot"]}},
            "running-shoe": {"en": {"name": "running shoe", "near": ["sneaker", "boot"]}, "de": {"name": "Sportschuh"}},
            "cherries": {"en": {"name": "cherries"}, "de": {"name": "Kirschen"}},
            "house": {"en": {"name": "house"}, "de": {"name": "Haus"}},
            "ring": {"en": {"name": "ring"}, "de": {"name": "Ring"}},
            "fork-and-knife": {"en": {"name": "fork and knife"}, "de": {"name": "Messer und Gabel"}},
            "framed-picture": {
                "en": {"name": "framed picture", "same": ["painting"]},
                "de": {"name": "Bild im Rahmen"},
            },
        },
        "about": {"en": ["flat", "navy"], "de": ["flach", "marineblauem"]},
    }
)

DRAWN = [
    ("a dog", "a dog"),
    ("Two dogs", "Two dog"),
    ("a mutt", "a dog"),
    ("a car on a navy background", "an automobile on a navy background"),
    ("an old car", "an old automobile"),
    ("an apple", "a red apple"),
    ("a red apple", "a red apple"),
    ("a coffee cup and a cup", "a hot beverage and a cup"),
    ("a coffee, cup", "a coffee, cup"),
    ("cherries", "cherries"),
    ("a cherry", "a cherries"),
    ("fork and knife", "fork and knife"),
    ("a painting of a dog", "a painting of a dog"),
    ("ein Köter auf marineblauem Hintergrund", "ein Hund auf marineblauem Hintergrund"),
    ("zwei Häuser", "zwei Haus"),
    ("HUNDE", "Hund"),
    ("rote Äpfel in einer Tasse", "roter Apfel in einer Tasse"),
    ("einem roten apfel", "einem roter Apfel"),
    ("Boot", "Segelboot"),
    ("ein altes Fischerboot", "ein altes Segelboot"),
    ("a boot", "a running shoe"),
    ("Hund on a navy background", "Hund on a navy background"),
    ("", ""),
]


@pytest.mark.parametrize(("text", "drawn"), DRAWN)
def test_things_are_drawn_by_their_own_names(text: str, drawn: str) -> None:
    assert vocabulary.read(KNOWN, text).drawn == drawn


TOLD = [
    ("a dog", []),
    ("dogs in a house", []),
    ("a car", []),
    ("a mutt", [("mutt", "dog")]),
    ("white sneakers", [("sneakers", "running-shoe")]),
    ("a mutt, a Mutt", [("mutt", "dog")]),
    ("Welpen", [("Welpen", "dog")]),
    ("ein Fischerboot", [("Fischerboot", "sailboat")]),
    ("ein Catering", [("Catering", None)]),
    ("a gyroscope", [("gyroscope", None)]),
    ("an enormous gyroscope on a navy background", [("gyroscope", None)]),
    ("gyroscope, flat style", [("gyroscope", None)]),
    ("ein Kreisel auf marineblauem Hintergrund", [("Kreisel", None)]),
    ("ein großer kreisel im flachen stil", [("kreisel", None)]),
    ("a puppy beside a gyroscope", [("puppy", "dog"), ("gyroscope", None)]),
    ("a dog running through the house", []),
    ("a dog, minimal line art, soft morning light, 8k", []),
    ("flat style dog, isolated, highly detailed, cinematic", []),
    ("a beautiful day", []),
    ("a dog in the style of Picasso", []),
    ("Ein Hund läuft durch das Haus, warmes Abendlicht", []),
    ("Ein Kind mit einem Hund", [("Kind", None)]),
    ("a man walking", [("man", None)]),
    ("a cosy dog house", []),
    ("a robot 3000", [("robot", None)]),
    ("abstract, colourful", []),
    ("7", []),
]


@pytest.mark.parametrize(("text", "told"), TOLD)
def test_what_is_not_known_is_told_and_nothing_else(text: str, told: list[tuple[str, str | None]]) -> None:
    found = vocabulary.read(KNOWN, text).words
    assert [(one.word, one.drawn_as.key if one.drawn_as else None) for one in found] == told


def test_trigger_words_are_the_adapters_own() -> None:
    reading = vocabulary.read(KNOWN, "mutt, a Mutt in a house", ["mutt"])
    assert (reading.drawn, reading.words) == ("mutt, a Mutt in a house", ())
    assert vocabulary.read(KNOWN, "Kaffeehaus, a dog", ["kaffeehaus"]).drawn == "Kaffeehaus, a dog"


def test_a_prompt_without_end_tells_a_few_words() -> None:
    told = vocabulary.read(KNOWN, " ".join(f"a gyroscope{letter}" for letter in "abcdefghij")).words
    assert len(told) == vocabulary.MOST_UNKNOWN
    assert vocabulary.read(KNOWN, "a " + "x" * 500).words == ()


def test_the_built_in_model_alone_has_a_table() -> None:
    assert {base.key for base in catalogue.all_models() if vocabulary.of(base.source)} == {"livery-builtin"}


BUILTIN = [
    ("beagles", "beagles", "dog"),
    ("an alpaca", "alpaca", "camel"),
    ("a catamaran", "catamaran", "ferry"),
    ("Halbschuh auf gelbem Grund", "Halbschuh", "mans-shoe"),
    ("ein Katamaran", "Katamaran", "ferry"),
]


@pytest.mark.parametrize(("text", "word", "key"), BUILTIN)
def test_the_built_in_model_draws_the_nearest_thing(text: str, word: str, key: str) -> None:
    known = vocabulary.of("builtin")
    assert known is not None
    [told] = vocabulary.read(known, text).words
    assert told.drawn_as is not None
    assert (told.word, told.drawn_as.key) == (word, key)


def test_every_thing_of_the_built_in_model_is_read_as_itself() -> None:
    known = vocabulary.of("builtin")
    assert known is not None
    for thing in known.things.values():
        for text in (f"a {thing.en} on a white background", f"{thing.de} auf weißem Hintergrund"):
            reading = vocabulary.read(known, text)
            assert (reading.drawn, reading.words) == (text.replace(" an ", " a "), ()), thing
