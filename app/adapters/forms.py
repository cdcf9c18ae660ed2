"""What the browser may send about adapters."""

from typing import Annotated

from pydantic import BaseModel, Field

from app.trainings.recipe import Purpose
from app.web.text import Line, Name, RowId, Text

Note = Annotated[Text, Field(max_length=2000)]
Strength = Annotated[float, Field(ge=0, le=2)]


class DescribeForm(BaseModel):
    name: Name
    note: Note = ""
    recommended_strength: Strength = 1.0


class AdoptForm(BaseModel):
    """A file from elsewhere, to become an adapter of a brand."""

    project_id: RowId
    base_model: Annotated[Line, Field(max_length=80)]
    purpose: Purpose = "style"
    trigger_word: Annotated[Line, Field(max_length=60)] = ""
