"""What the browser may send about pictures."""

from typing import Annotated

from pydantic import BaseModel, Field

from app.images.captions import MAX_CAPTION
from app.images.queries import Filter
from app.web.text import Line, RowId, Text

Caption = Annotated[Text, Field(max_length=MAX_CAPTION)]
Share = Annotated[float, Field(ge=0, le=1, allow_inf_nan=False)]
Words = Annotated[Line, Field(max_length=200)]
Ids = Annotated[list[RowId], Field(max_length=2000)]


class CaptionForm(BaseModel, defer_build=True):
    caption: Caption = ""


class FocusForm(BaseModel, defer_build=True):
    """The centre of the training crop, as a share of the picture's width and height."""

    focus_x: Share
    focus_y: Share


class SelectionForm(BaseModel, defer_build=True):
    """Chosen pictures, or all under the filter ``everything``; and the filter to come back to, or another page."""

    ids: Ids = Field(default_factory=list)
    everything: Filter | None = None
    show: Filter = "all"
    next: Annotated[Line, Field(max_length=2000)] = ""


class ReplaceForm(SelectionForm):
    """Find and replace; without chosen pictures it is for all."""

    find: Words = ""
    replace: Words = ""
    whole_words: bool = False
    match_case: bool = False


class InFrontForm(SelectionForm):
    """Words to begin captions with; without chosen pictures it is for all."""

    words: Words = ""
