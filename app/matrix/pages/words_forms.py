"""What the page of words sends."""

from typing import Annotated, Any

from pydantic import BaseModel, Field

from app.matrix.brief import AudienceKey, LocaleTag
from app.matrix.drafts.requests import DraftField
from app.matrix.pictures import LONGEST_PROMPT
from app.matrix.spec import PictureClass, Words
from app.web.text import Line, Text

Headline = Annotated[Line, Field(max_length=200)]
Short = Annotated[Line, Field(max_length=80)]
Body = Annotated[Text, Field(max_length=600)]
CallToAction = Annotated[Line, Field(max_length=60)]
Badge = Annotated[Line, Field(max_length=40)]
Alt = Annotated[Line, Field(max_length=500)]
Prompt = Annotated[Line, Field(min_length=1, max_length=LONGEST_PROMPT)]
LONGEST = {
    name: next(part.max_length for part in field.metadata if hasattr(part, "max_length"))
    for name, field in Words.model_fields.items()
}
"""Characters that each field takes."""


class PlaceForm(BaseModel, defer_build=True):
    """Which words: those for an audience, in a language."""

    audience: AudienceKey
    locale: LocaleTag


class WordsForm(PlaceForm):
    """``everybody`` keeps them for all audiences."""

    headline: Headline = ""
    short_headline: Short = ""
    body: Body = ""
    call_to_action: CallToAction = ""
    badge: Badge = ""
    alt: Alt = ""
    everybody: bool = False

    def words(self) -> Words:
        fields: dict[str, Any] = {name: getattr(self, name) for name in Words.model_fields}
        return Words(**fields)


class DraftForm(PlaceForm):
    field: DraftField


class PictureForm(BaseModel, defer_build=True):
    audience: AudienceKey
    shape: PictureClass
    prompt: Prompt
