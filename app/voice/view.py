"""Samples and what is to be said about a set of them, as the pages want it."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from app.errors import N_
from app.images.reading.notes import Note
from app.voice.analysis import personal_data
from app.voice.models import TextSample
from app.voice.queries import ENOUGH_SAMPLES, LEAST_SAMPLES, MANY_SAMPLES, JudgedSet, about_findings

LANGUAGE_NAMES = {
    "de": N_("German"),
    "en": N_("English"),
    "fr": N_("French"),
    "es": N_("Spanish"),
    "it": N_("Italian"),
    "nl": N_("Dutch"),
    "pt": N_("Portuguese"),
    "pl": N_("Polish"),
}
TOO_FEW = N_("Add %(missing)s more to start a training. The minimum is %(least)s texts; %(enough)s give a good voice.")
FEW = N_("%(missing)s more would help. The voice is learned well with %(enough)s texts or more.")
GOOD = N_("Enough for a good voice. More than %(many)s texts change little; better texts do.")
PLENTY = N_("Plenty of texts. Excluding untypical texts now helps more than adding new ones.")
FEW_SHARE = 0.25


@dataclass(frozen=True)
class Marked:
    """A stretch of a text; ``kind`` says what it looks like, empty for plain text."""

    text: str
    kind: str


def marked(row: TextSample, field: Literal["text", "title", "brief"] = "text") -> Iterator[Marked]:
    """The text, title or brief in stretches, so that a page can mark what looks like personal data."""
    words = {"text": row.text, "title": row.title, "brief": row.brief}[field]
    at = 0
    for one in personal_data.from_json(row.findings) if field == "text" else about_findings(row)[field]:
        yield Marked(words[at : one.start], "")
        yield Marked(words[one.start : one.end], one.kind)
        at = one.end
    yield Marked(words[at:], "")


def amount(included: int) -> Note:
    """Whether that many texts are enough, and how many would be."""
    if included < LEAST_SAMPLES:
        missing = LEAST_SAMPLES - included
        return Note(TOO_FEW, {"missing": missing, "least": LEAST_SAMPLES, "enough": ENOUGH_SAMPLES})
    if included < ENOUGH_SAMPLES:
        return Note(FEW, {"missing": ENOUGH_SAMPLES - included, "enough": ENOUGH_SAMPLES})
    return Note(GOOD, {"many": MANY_SAMPLES}) if included < MANY_SAMPLES else Note(PLENTY)


def rare_languages(judged: JudgedSet) -> list[tuple[str, int]]:
    """Languages with so few texts that a voice will not learn them, each with its count."""
    return [
        (language, count)
        for language, count in judged.by_language().items()
        if count < ENOUGH_SAMPLES and count < FEW_SHARE * judged.included
    ]
