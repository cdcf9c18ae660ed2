"""What the browser may send about written samples."""

from typing import Annotated, Literal

from pydantic import BaseModel, Field

from app.voice.queries import Filter
from app.voice.reading.documents import LONGEST_TITLE
from app.voice.reading.mapping import LONGEST_BRIEF, LONGEST_SAMPLE, KnownChannel, Mapping
from app.web.text import Line, RowId, Text

Sample = Annotated[Text, Field(max_length=LONGEST_SAMPLE)]
Title = Annotated[Line, Field(max_length=LONGEST_TITLE)]
Brief = Annotated[Text, Field(max_length=LONGEST_BRIEF)]
Ids = Annotated[list[RowId], Field(max_length=2000)]
Language = Literal["de", "en", "fr", "es", "it", "nl", "pt", "pl"]
PersonalChoice = Literal["keep", "mask", ""]
LineChoice = Literal["keep", "cut", "exclude", "undecided"]
Words = Annotated[Line, Field(max_length=200)]
LONGEST_PASTE = 500_000
"""Characters; more than that comes as a file."""


class PasteForm(BaseModel, defer_build=True):
    words: Annotated[str, Field(max_length=LONGEST_PASTE)] = ""


class MappingForm(Mapping):
    """As the page of an import sends it: boxes that are not ticked are not sent at all."""

    split_long: bool = False
    skip_known: bool = False


class SampleForm(BaseModel, defer_build=True):
    """A sample as its form sends it."""

    text: Sample = ""
    title: Title = ""
    channel: KnownChannel = "other"
    language: Language = "en"
    brief: Brief = ""


class SelectionForm(BaseModel, defer_build=True):
    """Chosen texts, or all under the filter ``everything``; and the filter to come back to, or another page."""

    ids: Ids = Field(default_factory=list)
    everything: Filter | None = None
    show: Filter = "all"
    next: Annotated[Line, Field(max_length=2000)] = ""


class ChannelForm(SelectionForm):
    channel: KnownChannel = "other"


class PersonalForm(SelectionForm):
    choice: Literal["keep", "mask"] = "mask"


RepeatedLine = Annotated[Line, Field(min_length=1, max_length=300)]


class LineForm(BaseModel, defer_build=True):
    line: RepeatedLine
    choice: LineChoice = "cut"


class LinesForm(BaseModel, defer_build=True):
    """One choice for one line or for several."""

    line: Annotated[list[RepeatedLine], Field(min_length=1, max_length=50)]
    choice: LineChoice = "cut"
