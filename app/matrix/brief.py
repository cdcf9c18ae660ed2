"""What a campaign is for. Pure data: five questions, and where, to whom and in which languages the answers go."""

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, model_validator

from app.layouts.values import Theme

MOST_AUDIENCES = 6
MOST_LOCALES = 12
MOST_CHANNELS = 40
MOST_PHRASES = 20
LONGEST_ANSWER = 400
LONGEST_PHRASE = 200
LONGEST_NAME = 80

AudienceKey = Annotated[str, StringConstraints(pattern="^[0-9a-f]{8}$")]
LocaleTag = Annotated[str, StringConstraints(pattern=r"^[a-z]{2,3}(-[A-Z][a-z]{3})?(-([A-Z]{2}|[0-9]{3}))?$")]
"""A language tag such as ``de``, ``pt-BR`` or ``zh-Hant``."""
Key = Annotated[str, StringConstraints(pattern="^[a-z0-9_.:-]{1,60}$")]
Answer = Annotated[str, StringConstraints(max_length=LONGEST_ANSWER)]
Phrase = Annotated[str, StringConstraints(min_length=1, max_length=LONGEST_PHRASE)]


class Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, defer_build=True)


class Audience(Part):
    """Somebody whom the campaign is made for, as a persona of the brand's kit."""

    key: AudienceKey
    """Stays when the name changes, so that cells keep their audience."""
    name: Annotated[str, StringConstraints(min_length=1, max_length=LONGEST_NAME)]
    who: Answer = ""
    motive: Answer = ""
    """What moves them."""


class Brief(Part):
    """The brief, and what is made from it: a cell for each audience, channel and locale."""

    offer: Annotated[str, StringConstraints(min_length=1, max_length=LONGEST_ANSWER)]
    why_now: Answer = ""
    must_say: Annotated[tuple[Phrase, ...], Field(max_length=MOST_PHRASES)] = ()
    """Each must stand in every ad, word for word; ``|`` parts wordings of which one is enough."""
    must_not: Annotated[tuple[Phrase, ...], Field(max_length=MOST_PHRASES)] = ()
    """None may stand in any ad."""
    motif: Answer = ""
    """What the pictures show; empty: what is offered."""
    audiences: Annotated[tuple[Audience, ...], Field(min_length=1, max_length=MOST_AUDIENCES)]
    channels: Annotated[tuple[Key, ...], Field(min_length=1, max_length=MOST_CHANNELS)]
    locales: Annotated[tuple[LocaleTag, ...], Field(min_length=1, max_length=MOST_LOCALES)]
    layout: Key
    theme: Theme = "light"
    adapter_id: Annotated[str, StringConstraints(max_length=32)] | None = None
    """The adapter that draws the pictures; None: the brand's newest, or the base alone where it has none."""
    ai_label: bool = True
    """Whether ads say that their picture was made with AI."""

    @model_validator(mode="after")
    def _nothing_twice(self) -> "Brief":
        for listed in ([one.key for one in self.audiences], self.channels, self.locales):
            if len(set(listed)) != len(listed):
                raise ValueError("an audience, a channel or a locale is listed twice")
        return self

    def audience(self, key: str) -> Audience | None:
        return next((one for one in self.audiences if one.key == key), None)


def picture_prompt(brief: Brief, audience: Audience) -> str:
    """The prompt of a campaign's pictures for one audience: the motif, else what is offered, and who it is for."""
    motif = (brief.motif or brief.offer).strip().rstrip(".")
    return motif if brief.motif or not audience.who else f"{motif}, for {audience.who.strip().rstrip('.')}"
