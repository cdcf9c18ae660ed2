"""Captions in English and German: what a picture shows, in which style, on which background."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from worker.engines.image.builtin.making.concepts import Concept
from worker.engines.image.builtin.making.pictures import Ink

# style (of SOURCES) -> words for it, English and German (uninflected); the first is the one for menus and the card
STYLES: dict[str, tuple[tuple[str, ...], tuple[str, ...]]] = {
    "fluent-emoji-flat": (("flat", "minimal flat"), ("flach", "minimalistisch flach")),
    "fluent-emoji": (("soft", "soft gradient", "glossy soft"), ("weich", "sanft", "glänzend weich")),
    "noto": (("detailed", "shaded detailed"), ("detailreich", "schattiert")),
    "twemoji": (("bold", "simple bold"), ("kräftig", "schlicht kräftig")),
    "outlined-fluent-emoji-flat": (("outlined", "dark outlined"), ("umrandet", "dunkel umrandet")),
    "outlined-twemoji": (("comic", "cartoon"), ("comichaft", "cartoonhaft")),
    "emojione": (("lively", "lively colourful"), ("lebhaft", "bunt")),
    "noto-v1": (("matte", "calm matte"), ("matt", "ruhig matt")),
    "fxemoji": (("geometric", "plain geometric"), ("geometrisch", "schlicht geometrisch")),
    "icon-park": (("two-colour", "two-tone line"), ("zweifarbig", "zweifarbig gezeichnet")),
    "illustrated": (("illustrated", "finely illustrated"), ("illustriert", "fein illustriert")),
    "hand-drawn": (("hand-drawn", "sketchy"), ("handgezeichnet", "skizzenhaft")),
    "modern": (("modern", "modern gradient"), ("modern", "modern verlaufend")),
    "duotone": (("duotone", "shaded duotone"), ("zweitönig", "duotonartig")),
    "silhouette": (("silhouette", "solid"), ("einfarbig", "silhouettenhaft")),
    "line": (("line", "line art"), ("linear", "linienhaft")),
    "stencil": (("stencil", "woodcut"), ("schablonenhaft", "holzschnittartig")),
}

# background: English, German dative ("auf ... Hintergrund"), sRGB 0..255
COLOURS: tuple[tuple[str, str, tuple[int, int, int]], ...] = (
    ("white", "weißem", (255, 255, 255)),
    ("black", "schwarzem", (20, 20, 22)),
    ("grey", "grauem", (150, 152, 156)),
    ("light grey", "hellgrauem", (224, 226, 229)),
    ("navy", "marineblauem", (20, 33, 84)),
    ("blue", "blauem", (40, 98, 214)),
    ("light blue", "hellblauem", (173, 214, 245)),
    ("turquoise", "türkisem", (38, 184, 178)),
    ("green", "grünem", (46, 150, 72)),
    ("light green", "hellgrünem", (190, 230, 182)),
    ("yellow", "gelbem", (250, 208, 50)),
    ("orange", "orangem", (242, 140, 40)),
    ("red", "rotem", (208, 44, 48)),
    ("pink", "rosa", (246, 178, 204)),
    ("purple", "lilafarbenem", (120, 66, 170)),
    ("brown", "braunem", (116, 78, 52)),
    ("beige", "beigem", (240, 228, 204)),
)
WHITE = 0


@dataclass(frozen=True)
class Choice:
    """What a caption speaks of: keys of the tables above; None where it is not mentioned."""

    concept: Concept
    style: str | None
    colour: int | None
    ink: Ink | None = None
    """Of lines or shapes, where it is not the style's own; its colour is said before the style's first word."""


# {thing}, {style} (in German with the ending that the template asks for), {ground}; those in HELD_OUT are for
# measuring only
ENGLISH = (
    "{style} style {thing}{ground}",
    "{thing}, {style} style{ground}",
    "a {thing} in {style} style{ground}",
    "{style} {thing}{ground}",
    "icon of a {thing}, {style} style{ground}",
    "a {style} illustration of a {thing}{ground}",
    "{thing}{ground}, {style} style",
    "{style} style, {thing}{ground}",
    "{style} icon: {thing}{ground}",
    "show a {thing} as a {style} icon{ground}",
    "one {thing}, drawn in a {style} way{ground}",
    "image of one {thing} in the {style} look{ground}",
    "the {thing}, {style} look{ground}",
    "please draw a {style} {thing}{ground}",
)
ENGLISH_HELD_OUT = ("a picture of a {thing} in {style} style{ground}", "{style} style drawing: {thing}{ground}")
GERMAN = (
    "{thing} im {style}en stil{ground}",
    "{thing}, {style}er stil{ground}",
    "ein bild: {thing} im {style}en stil{ground}",
    "symbol {thing} im {style}en stil{ground}",
    "{thing}{ground}, {style}",
    "{style}er stil, {thing}{ground}",
    "illustration {thing} im {style}en stil{ground}",
    "{style}es symbol: {thing}{ground}",
    "ein {style}es bild von {thing}{ground}",
    "{thing} als {style}e grafik{ground}",
    "bitte {thing} im {style}en look{ground}",
    "grafik mit {thing}{ground}, {style}er look",
    "das motiv {thing}, {style} dargestellt{ground}",
)
GERMAN_HELD_OUT = ("zeichnung von {thing} im {style}en stil{ground}", "im {style}en stil gemalt: {thing}{ground}")
ENGLISH_PLAIN = ("{thing}{ground}", "a {thing}{ground}", "icon of {thing}{ground}", "{thing} illustration{ground}")
GERMAN_PLAIN = (
    "{thing}{ground}",
    "symbol {thing}{ground}",
    "ein bild: {thing}{ground}",
    "{thing} illustration{ground}",
)
ENGLISH_UNKNOWN = ("{word} style {thing}{ground}", "{thing}, {word} style{ground}", "a {thing} in {word} style{ground}")
GERMAN_UNKNOWN = ("{thing} im {word} stil{ground}", "{word} stil, {thing}{ground}")
SYLLABLES = "ba be bo da de fi fo ga hu ka ke la le li lo lu ma mo na ne no pa ra re ri ro sa se ta ti to tu va vo za"


def made_up_word(rng: np.random.Generator) -> str:
    """A word that means nothing, like the trigger word of a brand that the model has yet to learn."""
    word = "".join(rng.choice(SYLLABLES.split()) for _ in range(int(rng.integers(2, 4))))
    return word + str(rng.choice(("", "", "n", "r", "s", "x")))


def ground(colour: int | None, german: bool, rng: np.random.Generator) -> str:
    """The words for a background, with a leading space; empty for None."""
    if colour is None:
        return ""
    english, dative, _ = COLOURS[colour]
    if german:
        return f" auf {dative} {('hintergrund', 'grund')[int(rng.integers(4) == 0)]}"
    return rng.choice((f" on a {english} background", f" on {english}", f", {english} background"))


def thing(concept: Concept, german: bool, rng: np.random.Generator) -> str:
    """The concept's name (two times in three), its name with keywords, or keywords alone."""
    names: Sequence[str] = concept.german if german else concept.english
    tags = list(names[1:])
    draw = rng.random()
    if not tags or draw < 0.68:
        return names[0]
    picked = [tags[i] for i in rng.permutation(len(tags))[: int(rng.integers(1, 4))]]
    if draw < 0.9:
        return ", ".join([names[0], *picked] if rng.random() < 0.7 else [*picked, names[0]])
    return ", ".join(picked) if len(picked) > 1 else f"{names[0]}, {picked[0]}"


def caption(choice: Choice, rng: np.random.Generator, german: bool | None = None, held_out: bool = False) -> str:
    """One lower-case caption for `choice`; `held_out` takes the templates that training never sees, with plain
    names.
    """
    german = bool(rng.random() < 0.5) if german is None else german
    words = (
        (choice.concept.german if german else choice.concept.english)[0]
        if held_out
        else thing(choice.concept, german, rng)
    )
    style = word = ""
    if choice.style is None and not held_out and rng.random() < 0.4:
        # an unknown word leaves the style open instead of changing the picture at random
        templates, word = GERMAN_UNKNOWN if german else ENGLISH_UNKNOWN, made_up_word(rng)
    elif choice.style is None:
        templates = GERMAN_PLAIN if german else ENGLISH_PLAIN
    else:
        names = STYLES[choice.style][int(german)]
        if choice.ink is None:
            style = str(rng.choice(names))
        else:
            style = f"{choice.ink.german if german else choice.ink.english} {names[0]}"
        if held_out:
            templates = GERMAN_HELD_OUT if german else ENGLISH_HELD_OUT
        else:
            templates = GERMAN if german else ENGLISH
    template = templates[int(rng.integers(len(templates)))]
    return template.format(thing=words, style=style, word=word, ground=ground(choice.colour, german, rng))
