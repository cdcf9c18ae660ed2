"""What the browser may send about adapters."""

from typing import Annotated, Literal

from pydantic import BaseModel, Field

from app.trainings.look.recipe import Purpose
from app.web.text import Line, Name, RowId, Text

Note = Annotated[Text, Field(max_length=2000)]
Strength = Annotated[float, Field(ge=0, le=2)]


class DescribeForm(BaseModel, defer_build=True):
    name: Name
    note: Note = ""
    recommended_strength: Strength = 1.0


class AdoptForm(BaseModel, defer_build=True):
    """A file from elsewhere, to become an adapter of a brand."""

    project_id: RowId
    base_model: Annotated[Line, Field(max_length=80)]
    purpose: Purpose = "style"
    trigger_word: Annotated[Line, Field(max_length=60)] = ""


Token = Annotated[str, Field(max_length=300, pattern=r"^[\x21-\x7e]*$")]
Repository = Annotated[Line, Field(min_length=3, max_length=200)]


class ImportForm(BaseModel, defer_build=True):
    """An address on Hugging Face or Civitai, and a token where the file is not for everybody."""

    address: Annotated[Line, Field(min_length=3, max_length=300)]
    token: Token = ""


class PublishForm(BaseModel, defer_build=True):
    """Where an adapter goes. The token is used once and never shown again."""

    repository: Repository
    token: Annotated[Token, Field(min_length=1)]
    licence: Literal[
        "other", "apache-2.0", "mit", "cc-by-4.0", "cc-by-nc-4.0", "creativeml-openrail-m", "openrail++"
    ] = "other"
    public: bool = False
    samples: bool = False
    """Whether sample visuals go along; training pictures never do."""
