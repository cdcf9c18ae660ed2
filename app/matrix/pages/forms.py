"""What the browser may send about a campaign's matrix and its cells."""

from typing import Annotated, Literal

from pydantic import BaseModel, Field, StringConstraints

from app.layouts.values import Theme
from app.matrix.cells import Scope
from app.matrix.queries import CellFilters
from app.matrix.spec import HIDEABLE, Words
from app.web.text import Line, RowId, Text

Review = Literal["open", "approved", "rejected"]
Position = Annotated[int, Field(ge=0, le=100_000)]
Share = Annotated[float, Field(ge=0, le=1)]
Short = Annotated[str, StringConstraints(max_length=60)]
Reason = Annotated[Line, Field(max_length=500)]
MOST_CHOSEN = 500


class MatrixQuery(BaseModel, defer_build=True):
    """The address of a matrix; what makes no sense in it shows nothing."""

    audience: Short | None = None
    locale: Short | None = None
    channel: Short | None = None
    review: Review | None = None
    after: Position | None = None

    def filters(self) -> CellFilters:
        return CellFilters(self.audience or None, self.locale or None, self.channel or None, self.review)


class DecideForm(BaseModel, defer_build=True):
    """``ids`` of cells; a reason is needed for a rejection."""

    ids: Annotated[list[RowId], Field(min_length=1, max_length=MOST_CHOSEN)]
    review: Review
    reason: Reason = ""


class ScopeForm(BaseModel, defer_build=True):
    scope: Scope = "this"


class PictureForm(ScopeForm):
    output_id: RowId


class CropForm(ScopeForm):
    focus_x: Share = 0.5
    focus_y: Share = 0.5


class WordsForm(ScopeForm):
    headline: Annotated[Line, Field(max_length=200)] = ""
    short_headline: Annotated[Line, Field(max_length=80)] = ""
    body: Annotated[Text, Field(max_length=600)] = ""
    call_to_action: Annotated[Line, Field(max_length=60)] = ""
    badge: Annotated[Line, Field(max_length=40)] = ""
    alt: Annotated[Text, Field(max_length=500)] = ""

    def words(self) -> Words:
        return Words(**self.model_dump(exclude={"scope"}))


class LayoutForm(ScopeForm):
    layout: Short
    theme: Theme = "light"


class PartsForm(ScopeForm):
    """Ticks of what is shown; the others are hidden."""

    shown: Annotated[list[Literal["body", "call_to_action", "badge", "legal", "ai_label", "logo"]], Field()] = []

    def hidden(self) -> tuple[str, ...]:
        return tuple(slot for slot in HIDEABLE if slot not in self.shown)


class VersionForm(BaseModel, defer_build=True):
    number: Position
