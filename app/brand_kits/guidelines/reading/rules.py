"""Sentences of a guideline that forbid something or ask for room."""

import re
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from app.plain_text import composed

SHORTEST, LONGEST = 12, 200
"""Characters; the kit's own limit."""
LONGEST_HEADING = 24
MOST = 40
LONGEST_PAGE = 40_000
"""Characters of one page that are looked at."""
FORBIDS = re.compile(
    r"\b(?:do not|don['’]t|must not|mustn['’]t|may not|should not|never|avoid|not allowed|not permitted|forbidden"
    r"|nicht|niemals|nie|verboten|vermeiden|unzulässig|untersagt)\b",
    re.IGNORECASE,
)
ASKS_FOR_ROOM = re.compile(
    r"\b(?:clear ?space|exclusion zone|minimum (?:size|width|height|clear)|safe area"
    r"|schutzraum\w*|schutzzone\w*|mindestgrö(?:ß|ss)e\w*|mindestbreite|mindesthöhe|mindestabstand\w*)",
    re.IGNORECASE,
)
END = re.compile(r"(?<=[.!?])\s+(?=[^\W\d_a-z]|[•–\"“„])")
BULLET = re.compile(r"^\s*(?:[•·▪●■◦✗✘×✕\-–—*]|\d{1,2}[.)])\s+")
Kind = Literal["do_not", "room"]


@dataclass(frozen=True)
class Rule:
    text: str
    kind: Kind
    page: int
    """From 1."""


def rules_of(text: str, page: int) -> Iterator[Rule]:
    """The rules of one page, in its order."""
    for sentence in _sentences(text[:LONGEST_PAGE]):
        if not SHORTEST <= len(sentence) <= LONGEST or sum(map(str.isalpha, sentence)) < len(sentence) // 2:
            continue
        if FORBIDS.search(sentence):
            yield Rule(sentence, "do_not", page)
        elif ASKS_FOR_ROOM.search(sentence) and any(map(str.isdigit, sentence)):
            yield Rule(sentence, "room", page)


def plain(text: str) -> str:
    """On one line, without what cannot be shown."""
    clean = "".join(one if unicodedata.category(one)[0] != "C" else " " for one in composed(text))
    return " ".join(clean.split())


def _sentences(text: str) -> Iterator[str]:
    for paragraph in _paragraphs(text):
        yield from (plain(one) for one in END.split(paragraph))


def _paragraphs(text: str) -> Iterator[str]:
    """Lines that go on in the next one are put together; a bullet, a full stop or an empty line ends a paragraph."""
    kept = ""
    for line in [*text.splitlines(), ""]:
        begins = BULLET.match(line)
        words = plain(line[begins.end() :] if begins else line)
        is_heading = len(kept) <= LONGEST_HEADING and kept.count(" ") < 2 and not kept.endswith("-")
        if kept and (not words or begins or (words[:1].isupper() and (kept[-1] in ".!?:" or is_heading))):
            yield kept
            kept = ""
        kept = f"{kept[:-1]}{words}" if kept.endswith("-") and words[:1].islower() else f"{kept} {words}".strip()
    if kept:
        yield kept
