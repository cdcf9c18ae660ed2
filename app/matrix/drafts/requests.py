"""Turns a campaign's brief into requests for its words. Pure."""

from typing import Literal

from app.matrix.brief import Audience, Brief
from app.writings import channels
from app.writings.requests import WritingRequest

DraftField = Literal["headline", "short_headline", "body", "call_to_action", "picture"]
"""A field of ``Words``, or the prompt of an audience's pictures."""
VARIANTS = 3
LONGEST_BRIEF = 1000
"""Characters, as the writing studio takes them."""
CHANNELS: dict[DraftField, str] = {
    "headline": "headline",
    "short_headline": "headline",
    "body": "other",
    "call_to_action": channels.CALL_TO_ACTION,
    "picture": channels.PICTURE_PROMPT,
}
_WHY = {"en": "Why now: {words}.", "de": "Warum jetzt: {words}."}
_MOTIVE = {"en": "What matters to them: {words}.", "de": "Was ihnen wichtig ist: {words}."}
_SHORT = {"en": "Four words at most.", "de": "Höchstens vier Wörter."}
_MOTIF = {"en": "The picture shows: {words}.", "de": "Das Bild zeigt: {words}."}
_BODY = {"en": "One or two sentences below the headline of an ad.", "de": "Ein bis zwei Sätze unter einer Anzeige."}


def is_worded(locale: str) -> bool:
    """Whether texts in this language can be asked for."""
    return locale.split("-")[0] in channels.LANGUAGES


def writing_request(
    brief: Brief, audience: Audience, field: DraftField, locale: str, campaign_id: str, adapter_id: str | None
) -> WritingRequest:
    """What a model is asked for, in the language of the ad. ``must_not`` is not told: to name a word invites it."""
    language = locale.split("-")[0]
    said = language if language in channels.LANGUAGES else "en"
    about = [_sentence(brief.offer)]
    about += [_WHY[said].format(words=_plain(brief.why_now))] if brief.why_now.strip() else []
    about += [_MOTIVE[said].format(words=_plain(audience.motive))] if audience.motive.strip() else []
    about += [_BODY[said]] if field == "body" else []
    about += [_SHORT[said]] if field == "short_headline" else []
    about += [_MOTIF[said].format(words=_plain(brief.motif))] if field == "picture" and brief.motif.strip() else []
    return WritingRequest(
        brief=" ".join(about)[:LONGEST_BRIEF],
        channel=CHANNELS[field],
        language=said,
        audience=_plain(audience.who or audience.name)[:200],
        length="short" if field == "body" else "usual",
        count=VARIANTS,
        adapter_id=adapter_id,
        campaign_id=campaign_id,
    )


def _plain(text: str) -> str:
    return " ".join(text.split()).rstrip(".")


def _sentence(text: str) -> str:
    plain = " ".join(text.split())
    return plain if plain.endswith((".", "!", "?")) else f"{plain}."
