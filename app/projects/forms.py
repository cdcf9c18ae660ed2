"""What the browser may send about brands."""

from typing import Annotated, Literal

from pydantic import BaseModel, BeforeValidator, Field, StringConstraints

from app.projects.service import MOST_COLOURS
from app.web.text import Line, Name, RowId, Text

Colour = Annotated[str, StringConstraints(pattern="^#[0-9a-fA-F]{6}$")]
Notes = Annotated[Text, Field(max_length=5000)]
TriggerWord = Annotated[Line, Field(max_length=60)]


class NewBrandForm(BaseModel, defer_build=True):
    name: Name
    trigger_word: TriggerWord = ""


class NameForm(BaseModel, defer_build=True):
    name: Name


class DeleteForm(BaseModel, defer_build=True):
    name: Line = ""


Version = Annotated[str, StringConstraints(pattern="^[0-9a-f]{16}$|^$")]


class LookForm(BaseModel, defer_build=True):
    """``version`` is what the form was opened with, ``over`` what somebody has seen since and replaces on purpose. A
    form without either replaces whatever there is."""

    trigger_word: TriggerWord = ""
    look_notes: Notes = ""
    version: Version = ""
    over: Version = ""

    def may_replace(self, version: str) -> bool:
        return version in (self.version, self.over) or not self.version


class CoverForm(BaseModel, defer_build=True):
    """Without a picture the cover is the best that there is."""

    picture_id: RowId | Literal[""] = ""


class PaletteForm(BaseModel, defer_build=True):
    """The colours as they stand; ``remove`` is a place in them, ``add`` a new one, ``first`` a place to move up.
    ``version`` is the palette that the form was opened with; without it any is replaced."""

    colours: Annotated[list[Colour], Field(max_length=MOST_COLOURS)] = Field(default_factory=list)
    remove: Annotated[int, Field(ge=0, lt=MOST_COLOURS)] | None = None
    first: Annotated[int, Field(ge=0, lt=MOST_COLOURS)] | None = None
    add: Annotated[Colour | None, BeforeValidator(lambda value: value or None)] = None
    version: Version = ""
    suggested: bool = False
    """Whether these are the colours that the pictures suggest, taken as they are."""

    def wanted(self) -> list[str]:
        """The colours after the button that was pressed."""
        colours = list(self.colours)
        if self.first is not None and self.first < len(colours):
            colours.insert(0, colours.pop(self.first))
        if self.remove is not None and self.remove < len(colours):
            del colours[self.remove]
        return colours + ([self.add] if self.add else [])
