"""A brand's rules for texts, and where a text breaks them. No text is ever changed. Pure."""

import itertools
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from app.errors import N_
from app.voice.analysis.address import addresses
from app.voice.analysis.stylometry import EMOJI, HASHTAG
from app.writings.channels import TextChannel

MOST_WORDS = 200
MOST_CLAIMS = 20
COPIED_WORDS = 10
"""So many words in a row that a sample has too are pointed out: long enough not to be a set phrase."""
SHORTEST_INFLECTED = 4
CLAIM_CHANNELS = ("post", "mail", "product_text")
_ENDINGS = (
    "(?:e|en|em|er|es|s|n|ern|st|ste|sten|stem|ster|stes|ere|eren|erer|eres|t|te|ten|"
    "ed|d|ing|ings|er|ers|est|ly|'s|’s)?"
)
"""Endings of German and English words, as far as an ending alone makes the form."""

FORBIDDEN = N_("“%(word)s” must not be used.")
MISSING = N_("The text must contain “%(claim)s”.")
TOO_LONG = N_("Too long: %(count)s characters; the limit is %(most)s.")
SAYS_DU = N_("“%(word)s” uses du; this brand uses Sie.")
SAYS_SIE = N_("“%(word)s” uses Sie; this brand uses du.")
PERHAPS_SIE = N_("“%(word)s” may address the reader as Sie; this brand uses du.")
TOO_MANY_EMOJI = N_("%(count)s emoji; the maximum is %(most)s.")
TOO_MANY_HASHTAGS = N_("%(count)s hashtags; the maximum is %(most)s.")
COPIED = N_("%(count)s words in a row also appear in one of the brand's own texts. Is that intended?")

Word = Annotated[str, Field(min_length=1, max_length=80)]
Claim = Annotated[str, Field(min_length=1, max_length=200)]


class Rules(BaseModel, defer_build=True):
    """What a brand's texts must hold to."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    forbidden: Annotated[tuple[Word, ...], Field(max_length=MOST_WORDS)] = ()
    """Words or phrases; the last word counts with the usual endings too, with any ending where it ends in ``*``."""
    claims: Annotated[tuple[Claim, ...], Field(max_length=MOST_CLAIMS)] = ()
    """Each must be there, word for word, whatever the capitals; ``|`` parts wordings of which one is enough."""
    claim_channels: tuple[Annotated[str, Field(max_length=20)], ...] = CLAIM_CHANNELS
    """Channels in which the claims are needed."""
    address: Literal["", "sie", "du"] = ""
    """Form of address of German texts."""
    most_characters: dict[Annotated[str, Field(max_length=20)], Annotated[int, Field(ge=10, le=20_000)]] = {}
    """By channel, where the brand wants less than fits."""
    most_emoji: Annotated[int, Field(ge=0, le=50)] | None = None
    most_hashtags: Annotated[int, Field(ge=0, le=50)] | None = None

    @property
    def any(self) -> bool:
        return self != Rules()


@dataclass(frozen=True)
class Finding:
    """``kind`` names the rule, ``level`` is ``problem`` or ``hint``. Without a place it is about the whole text."""

    kind: str
    sentence: str
    params: dict[str, Any] = field(default_factory=dict)
    start: int = 0
    end: int = 0
    level: Literal["problem", "hint"] = "problem"

    @property
    def has_place(self) -> bool:
        return self.end > self.start


@dataclass(frozen=True)
class Segment:
    """A piece of the text and the findings that it is part of."""

    text: str
    findings: tuple[Finding, ...]


def check(
    text: str, rules: Rules, channel: TextChannel, language: str, copied: dict[str, Any] | None = None
) -> list[Finding]:
    """What ``text`` has against the rules and its channel's limits; those with a place first, in the text's order."""
    found = [*_forbidden(text, rules), *_addresses(text, rules, language), *_copied(copied)]
    found += _counted(text, EMOJI, rules.most_emoji, "emoji", TOO_MANY_EMOJI)
    most_hashtags = min(
        (most for most in (rules.most_hashtags, channel.most_hashtags) if most is not None), default=None
    )
    found += _counted(text, HASHTAG, most_hashtags, "hashtags", TOO_MANY_HASHTAGS)
    found.sort(key=lambda one: (not one.has_place, one.start))
    if channel.key in rules.claim_channels:
        found += [
            Finding("missing", MISSING, {"claim": claim.split("|")[0].strip()})
            for claim in rules.claims
            if not has_claim(text, claim)
        ]
    most = min(channel.most_characters, rules.most_characters.get(channel.key, channel.most_characters))
    if len(text) > most:
        found.append(Finding("too_long", TOO_LONG, {"count": len(text), "most": most}))
    return found


def segments(text: str, findings: Sequence[Finding]) -> list[Segment]:
    """The text in pieces, each with the findings that cover it; the pieces joined are the text."""
    placed = [one for one in findings if one.has_place]
    cuts = sorted({0, len(text), *(min(len(text), at) for one in placed for at in (one.start, one.end))})
    return [
        Segment(text[start:end], tuple(one for one in placed if one.start <= start and end <= one.end))
        for start, end in itertools.pairwise(cuts)
    ]


def pattern_of(word: str) -> re.Pattern[str]:
    """Finds a word or phrase with the usual endings of its last word, as a whole word, whatever the capitals."""
    parts = word.split()
    open_end = parts[-1].endswith("*") and len(parts[-1]) > 1
    parts[-1] = parts[-1].rstrip("*") if open_end else parts[-1]
    last = parts[-1]
    if open_end:
        ending = r"\w*"
    elif len(last) >= SHORTEST_INFLECTED and last.isalpha():
        ending = _ENDINGS
        if last.endswith("e"):
            # cheap-e-r, amaz(e)-ing: the e of the word is the e of the ending.
            return _compiled([*map(re.escape, parts[:-1]), re.escape(last[:-1]) + _ENDINGS])
    else:
        ending = ""
    return _compiled([*map(re.escape, parts[:-1]), re.escape(last) + ending])


def _compiled(parts: list[str]) -> re.Pattern[str]:
    return re.compile(r"(?<!\w)" + r"\s+".join(parts) + r"(?!\w)", re.IGNORECASE)


def has_claim(text: str, claim: str) -> bool:
    """Whether one of the claim's wordings stands in the text; spaces and capitals do not count."""
    plain = " ".join(text.split()).casefold()
    return any(" ".join(one.split()).casefold() in plain for one in claim.split("|") if one.strip())


def _forbidden(text: str, rules: Rules) -> list[Finding]:
    return [
        Finding("forbidden", FORBIDDEN, {"word": match[0]}, match.start(), match.end())
        for word in rules.forbidden
        for match in pattern_of(word).finditer(text)
    ]


def _addresses(text: str, rules: Rules, language: str) -> list[Finding]:
    if language != "de" or not rules.address:
        return []
    found = addresses(text)
    says = {one.kind for one in found}
    if rules.address == "sie":
        return [
            Finding("address", SAYS_DU, {"word": one.word}, one.start, one.end) for one in found if one.kind == "du"
        ]
    findings = [
        Finding("address", SAYS_SIE, {"word": one.word}, one.start, one.end) for one in found if one.kind == "sie"
    ]
    # A capital at the start of a sentence says nothing alone; beside a sure Sie it does, beside du it is she or they.
    if "sie" in says or "du" not in says:
        sentence, level = (SAYS_SIE, "problem") if "sie" in says else (PERHAPS_SIE, "hint")
        findings += [
            Finding("address", sentence, {"word": one.word}, one.start, one.end, level)  # type: ignore[arg-type]
            for one in found
            if one.kind == "uncertain"
        ]
    return findings


def _counted(text: str, pattern: re.Pattern[str], most: int | None, kind: str, sentence: str) -> list[Finding]:
    """Those beyond what is wanted are marked, all with the same sentence."""
    places = list(pattern.finditer(text))
    if most is None or len(places) <= most:
        return []
    params = {"count": len(places), "most": most}
    return [Finding(kind, sentence, params, place.start(), place.end()) for place in places[most:]]


def _copied(copied: dict[str, Any] | None) -> list[Finding]:
    if not copied or copied.get("words", 0) < COPIED_WORDS:
        return []
    return [Finding("copied", COPIED, {"count": copied["words"]}, copied["start"], copied["end"], "hint")]


def told_once(findings: Sequence[Finding]) -> list[Finding]:
    """The findings as a list to read: what says the same about several places stands there once."""
    seen: dict[tuple[str, str], Finding] = {}
    for one in findings:
        seen.setdefault((one.sentence, repr({key: str(value).casefold() for key, value in one.params.items()})), one)
    return list(seen.values())
