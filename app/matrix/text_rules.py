"""What an ad's words have against the brand's rules, the brief and the places where they stand. Without a database."""

from dataclasses import dataclass

from app.layouts import designs
from app.matrix.brief import Brief
from app.matrix.spec import CellSpec, Words
from app.writings import channels
from app.writings.channels import TextChannel
from app.writings.checks import Finding, Rules, check, told_once

WHOLE = ""
"""Field of a finding that is about everything that stands on the ad."""
_OTHER = "other"
CHANNEL_OF = {
    "headline": "headline",
    "short_headline": "headline",
    "body": _OTHER,
    "call_to_action": channels.CALL_TO_ACTION,
    "badge": _OTHER,
    "alt": channels.ALT_TEXT,
}
"""The text channel whose limits a field of ``Words`` keeps."""


@dataclass(frozen=True)
class FieldFinding:
    """``field`` is one of ``Words``, or ``WHOLE``."""

    field: str
    finding: Finding


def findings(words: Words, brief: Brief, rules: Rules, locale: str, *, also: str = "") -> list[FieldFinding]:
    """What is wrong, by field in the order of ``Words``; then what must stand somewhere on the ad and does not.

    The brief's forbidden phrases come on top of the brand's, and its own "must say" on top of the brand's claims, where
    these are needed in texts that are neither post nor mail. ``also`` stands on the ad too, such as a legal line.
    """
    language = locale.split("-")[0]
    banned = _said(brief.must_not)
    apart = rules.model_copy(update={"forbidden": rules.forbidden + banned, "claims": ()})
    found = []
    for field, key in CHANNEL_OF.items():
        if text := getattr(words, field):
            told = told_once(check(text, apart, _channel(key), language))
            found += [FieldFinding(field, one) for one in told]
    claims = (rules.claims if _OTHER in rules.claim_channels else ()) + _said(brief.must_say)
    needed = Rules.model_construct(forbidden=(), claims=claims, claim_channels=(_OTHER,), address="")
    shown = " ".join(one for one in (words.headline, words.body, words.call_to_action, words.badge, also) if one)
    return found + [
        FieldFinding(WHOLE, one) for one in check(shown, needed, _channel(_OTHER), language) if one.kind == "missing"
    ]


def of_ad(spec: CellSpec, brief: Brief, rules: Rules) -> list[FieldFinding]:
    """``findings`` of what stands on one ad: without the parts that its layout leaves out at this size or that are
    hidden, and with its legal line."""
    there = set(designs.layout(spec.layout).slots[spec.place.proportion]) - set(spec.hidden)
    texts = {slot: getattr(spec.words, slot) for slot in ("body", "call_to_action", "badge") if slot in there}
    shown = Words(headline=spec.headline if "headline" in there else "", alt=spec.words.alt, **texts)
    return findings(shown, brief, rules, spec.locale, also=spec.legal if "legal" in there else "")


def _said(phrases: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(one.strip() for one in phrases if one.strip(" |"))


def _channel(key: str) -> TextChannel:
    return next(one for one in channels.CHANNELS if one.key == key)
