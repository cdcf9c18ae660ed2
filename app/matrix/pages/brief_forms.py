"""What the page of a brief sends, and what it is filled with."""

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import zip_longest
from typing import Annotated

from pydantic import BaseModel, BeforeValidator, Field, TypeAdapter, ValidationError

from app.brand_kits.forms import OptionalNumber
from app.brand_kits.snapshot import Persona
from app.db import new_id
from app.layouts.values import Theme
from app.matrix.brief import (
    LONGEST_ANSWER,
    LONGEST_NAME,
    LONGEST_PHRASE,
    MOST_AUDIENCES,
    MOST_CHANNELS,
    MOST_LOCALES,
    MOST_PHRASES,
    Audience,
    AudienceKey,
    Brief,
    Key,
    LocaleTag,
)
from app.matrix.errors import (
    AudienceMissing,
    BadBrief,
    BadLanguage,
    ChannelMissing,
    LanguageMissing,
    LayoutMissing,
    OfferMissing,
    TooManyOf,
)
from app.web.text import Line, RowId, Text, clean_line

FIRST_LOCALES = ("de", "en")
"""Languages that are offered as ticks from the start."""
BLANK_AUDIENCES = 2
"""Empty rows for audiences of one's own."""
_TAG: TypeAdapter[str] = TypeAdapter(LocaleTag)


def _empty_is_none(value: object) -> object:
    return None if value == "" else value


CampaignName = Annotated[Line, Field(max_length=120)]
Asked = Annotated[Line, Field(max_length=LONGEST_ANSWER)]
Phrases = Annotated[Text, Field(max_length=MOST_PHRASES * (LONGEST_PHRASE + 1))]
OwnKey = Annotated[AudienceKey | None, BeforeValidator(_empty_is_none)]
OwnKeys = Annotated[list[OwnKey], Field(max_length=MOST_AUDIENCES + BLANK_AUDIENCES)]
OwnNames = Annotated[list[Annotated[Line, Field(max_length=LONGEST_NAME)]], Field(max_length=20)]
OwnAnswers = Annotated[list[Asked], Field(max_length=20)]
AdapterChoice = Annotated[RowId | None, BeforeValidator(_empty_is_none)]


class BriefForm(BaseModel, defer_build=True):
    """Own audiences come as four lists of equal length; one without a name is left out. ``number`` is the version that
    the form was opened with, ``over`` one that was seen since and is replaced on purpose."""

    offer: Asked = ""
    personas: Annotated[list[AudienceKey], Field(max_length=20)] = Field(default_factory=list)
    own_key: OwnKeys = Field(default_factory=list)
    own_name: OwnNames = Field(default_factory=list)
    own_who: OwnAnswers = Field(default_factory=list)
    own_motive: OwnAnswers = Field(default_factory=list)
    why_now: Asked = ""
    must_say: Phrases = ""
    must_not: Phrases = ""
    motif: Asked = ""
    channels: Annotated[list[Key], Field(max_length=100)] = Field(default_factory=list)
    locales: Annotated[list[LocaleTag], Field(max_length=50)] = Field(default_factory=list)
    more_locales: Annotated[Line, Field(max_length=200)] = ""
    layout: Key | None = None
    theme: Theme = "light"
    adapter_id: AdapterChoice = None
    ai_label: bool = False
    number: OptionalNumber = None
    over: OptionalNumber = None

    def brief(self, personas: Iterable[Audience]) -> Brief:
        """Raises ``OfferMissing``, ``AudienceMissing``, ``ChannelMissing``, ``LanguageMissing``, ``BadLanguage``,
        ``LayoutMissing``, ``TooManyOf``, ``BadBrief``."""
        audiences = (*(one for one in personas if one.key in self.personas), *self.own_audiences())
        locales = tuple(dict.fromkeys((*self.locales, *_tags(self.more_locales))))
        channels = tuple(dict.fromkeys(self.channels))
        for given, error in (
            (self.offer, OfferMissing),
            (audiences, AudienceMissing),
            (channels, ChannelMissing),
            (locales, LanguageMissing),
            (self.layout, LayoutMissing),
        ):
            if not given:
                raise error()
        if len(audiences) > MOST_AUDIENCES or len(channels) > MOST_CHANNELS or len(locales) > MOST_LOCALES:
            raise TooManyOf(audiences=MOST_AUDIENCES, channels=MOST_CHANNELS, locales=MOST_LOCALES)
        try:
            return Brief(
                offer=self.offer,
                why_now=self.why_now,
                must_say=_phrases(self.must_say),
                must_not=_phrases(self.must_not),
                motif=self.motif,
                audiences=audiences,
                channels=channels,
                locales=locales,
                layout=self.layout or "",
                theme=self.theme,
                adapter_id=self.adapter_id,
                ai_label=self.ai_label,
            )
        except ValidationError as error:
            raise BadBrief(field=str(error.errors()[0]["loc"][0] if error.errors()[0]["loc"] else "")) from error

    def own_audiences(self) -> tuple[Audience, ...]:
        rows = zip_longest(self.own_key, self.own_name, self.own_who, self.own_motive, fillvalue="")
        return tuple(
            Audience(key=key or new_id()[:8], name=name, who=who or "", motive=motive or "")
            for key, name, who, motive in rows
            if name
        )


class NewBriefForm(BriefForm):
    name: CampaignName = ""
    brand: RowId


class CopyForm(BaseModel, defer_build=True):
    name: CampaignName = ""


@dataclass(frozen=True)
class Filled:
    """What stands in the fields. ``own`` are audiences that are no personas of the kit."""

    name: str
    form: BriefForm
    own: tuple[Audience, ...]
    more_locales: str

    @property
    def locales(self) -> tuple[str, ...]:
        """Ticks for languages: those offered first, then what is chosen already."""
        return tuple(dict.fromkeys((*FIRST_LOCALES, *self.form.locales)))


def filled_with(brief: Brief, personas: Iterable[Audience], number: int) -> Filled:
    """The fields of a brief that is there already."""
    kit = {one.key for one in personas}
    form = BriefForm.model_construct(
        **brief.model_dump(include={"offer", "why_now", "motif", "layout", "theme", "adapter_id", "ai_label"}),
        channels=list(brief.channels),
        locales=list(brief.locales),
        must_say="\n".join(brief.must_say),
        must_not="\n".join(brief.must_not),
        personas=[one.key for one in brief.audiences if one.key in kit],
        number=number,
    )
    return Filled("", form, tuple(one for one in brief.audiences if one.key not in kit), "")


def as_sent(form: BriefForm) -> Filled:
    """The fields as somebody has just sent them."""
    name = form.name if isinstance(form, NewBriefForm) else ""
    return Filled(name, form, form.own_audiences(), form.more_locales)


def empty(locale: str) -> Filled:
    """A new brief: in the language of the page, and says that pictures were made with AI."""
    first = [locale] if locale in FIRST_LOCALES else [FIRST_LOCALES[0]]
    return Filled("", BriefForm.model_construct(locales=first, ai_label=True, layout="poster"), (), "")


def offered_personas(personas: Iterable[Persona], brief: Brief | None) -> list[Audience]:
    """The kit's personas as audiences; one that the brief has already, by its name, keeps its key."""
    known = {one.name: one.key for one in brief.audiences} if brief is not None else {}
    return [
        Audience(
            key=known.get(name) or hashlib.sha256(name.encode()).hexdigest()[:8],
            name=name,
            who=one.who[:LONGEST_ANSWER],
            motive=one.motive[:LONGEST_ANSWER],
        )
        for one in personas
        if (name := one.name[:LONGEST_NAME])
    ]


def _phrases(text: str) -> tuple[str, ...]:
    """Every line that says something, each once."""
    return tuple(dict.fromkeys(line for part in text.splitlines() if (line := clean_line(part))))


def _tags(text: str) -> list[str]:
    found = []
    for part in text.replace(";", ",").replace(" ", ",").split(","):
        if not part:
            continue
        first, *others = part.replace("_", "-").split("-")
        tag = "-".join([first.lower(), *(one.title() if len(one) == 4 else one.upper() for one in others)])
        try:
            found.append(_TAG.validate_python(tag))
        except ValidationError as error:
            raise BadLanguage(tag=part[:20]) from error
    return found
