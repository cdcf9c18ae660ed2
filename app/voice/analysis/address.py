"""Whom a text speaks to: *Sie*, *du* or *ihr* in German, *you* in English. Pure; works on words, not on a parse.

A capital letter tells *Sie* (you) from *sie* (she, they), except where every word has one: at the start of a sentence.
There the next word decides where it can (“Sie ist” is she), and else the passage counts as uncertain. Imperatives
without a pronoun (“Entdecke”, “Entdecken”) are not recognised.
"""

import re
from dataclasses import dataclass
from typing import Literal

LANGUAGES = ("de", "en")
"""Those whose forms of address are known."""
Kind = Literal["sie", "du", "uncertain"]
Form = Literal["Sie", "du", "ihr", "you"]

_DU = {"du", "dich", "dir", "euch", "deins", "deines", "euer"}
_DU_STEMS = re.compile(r"dein(e|em|en|er|es|erseits|etwegen)?|eur(e|em|en|er|es)|dir|dich")
_SIE = re.compile(r"Sie|Ihnen|Ihr(e|em|en|er|es|erseits|etwegen)?")
_SHE = {"ist", "hat", "wird", "kann", "war", "darf", "muss", "soll", "will", "mag", "weiß", "wurde", "hatte", "selbst"}
_YOU_ALL = {
    "seid", "habt", "könnt", "wollt", "müsst", "sollt", "dürft", "werdet", "wisst", "mögt", "möchtet", "wart", "hattet",
    "findet", "bekommt", "kennt", "sucht", "braucht", "seht", "kommt", "macht", "liebt", "wünscht", "erlebt", "spart",
}  # fmt: skip
_SEVERAL = re.compile(r"ihr|euch|euer|eur(?:e|em|en|er|es)", re.IGNORECASE)
_YOU = re.compile(r"\byou(?:r|rs|rself|rselves)?\b", re.IGNORECASE)
_WORD = re.compile(r"[A-Za-zÄÖÜäöüß]+")
_SENTENCE_START = re.compile(
    r"(^|[.!?…:;\n•–—*\"„“»«(\[]|[\U0001F000-\U0001FAFF\u2600-\u27bf\ufe0f])\s*[-–—•*\"„“»«'‚(\[]*\s*$"
)


@dataclass(frozen=True)
class Address:
    """A word that speaks to the reader, by its place in the text."""

    kind: Kind
    start: int
    end: int
    word: str


def addresses(text: str) -> list[Address]:
    """Every word of a German text that speaks to its reader, in order."""
    words = list(_WORD.finditer(text))
    found = []
    for place, match in enumerate(words):
        before = words[place - 1][0].casefold() if place else ""
        after = words[place + 1][0].casefold() if place + 1 < len(words) else ""
        kind = _kind(match[0], before, after, starts=bool(_SENTENCE_START.search(text[: match.start()][-12:])))
        if kind is not None:
            found.append(Address(kind, match.start(), match.end(), match[0]))
    return found


def forms(text: str, language: str) -> set[Form]:
    """The forms of address that ``text`` surely uses; of a language that is not in ``LANGUAGES`` none is known."""
    if language not in LANGUAGES:
        return set()
    if language != "de":
        return {"you"} if _YOU.search(text) else set()
    return {
        "Sie" if one.kind == "sie" else "ihr" if _SEVERAL.fullmatch(one.word) else "du"
        for one in addresses(text)
        if one.kind != "uncertain"
    }


def _kind(word: str, before: str, after: str, *, starts: bool) -> Kind | None:
    folded = word.casefold()
    if folded in _DU or _DU_STEMS.fullmatch(folded):
        return "du"
    if folded == "ihr" and (after in _YOU_ALL or (before in _YOU_ALL and word == "ihr")):
        return "du"
    if not _SIE.fullmatch(word):
        return None
    if not starts:
        return "sie"
    if word == "Sie" and (after in _SHE or (after.endswith("t") and after != "nicht")):
        return None
    return "uncertain"
