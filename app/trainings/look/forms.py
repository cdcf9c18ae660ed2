"""What the browser may send about trainings."""

from typing import Annotated, Any

from pydantic import Field, field_validator, model_validator

from app.trainings.fields import Input, cleaned, without_empty
from app.trainings.look.fields import TABLE
from app.trainings.look.overrides import LONGEST_PROMPT, TrainingOverrides
from app.trainings.look.recipe import MOST_SAMPLE_PROMPTS
from app.web.text import Line, RowId, clean_line

SamplePrompt = Annotated[Line, Field(max_length=LONGEST_PROMPT)]


class CleanOverrides(TrainingOverrides):
    """The overrides with every text made fit to keep; an empty trigger word is the brand's own."""

    trigger_word: Annotated[str, Field(max_length=60)] | None = None
    sample_prompts: Annotated[tuple[SamplePrompt, ...], Field(max_length=MOST_SAMPLE_PROMPTS)] | None = None

    @model_validator(mode="before")
    @classmethod
    def _clean(cls, data: Any) -> Any:
        return cleaned(TABLE, data, clean_line)

    @field_validator("sample_prompts", mode="after")
    @classmethod
    def _written(cls, value: tuple[str, ...] | None) -> tuple[str, ...] | None:
        return None if value is None else tuple(prompt for prompt in value if prompt)


class TrainingForm(CleanOverrides):
    """The page's form: fields left empty are not decided."""

    @field_validator("sample_prompts", mode="before")
    @classmethod
    def _lines(cls, value: object) -> object:
        """One prompt per line, however the form sends them."""
        if isinstance(value, str):
            value = [value]
        if not isinstance(value, list | tuple):
            return value
        lines = [line.strip() for text in value if isinstance(text, str) for line in text.splitlines()]
        return [line for line in lines if line] or None

    @model_validator(mode="before")
    @classmethod
    def _undecided(cls, data: Any) -> Any:
        return without_empty(data)

    def inputs(self, plan: Any) -> dict[str, list[Input]]:
        """The fields to draw for the planned base model, by the groups of the table."""
        return TABLE.inputs(self, plan)


class StartForm(TrainingForm):
    order_id: RowId | None = None
    """Made with the page, so that a second click is the same order."""
    anyway: bool = False
    """Whether a person has read what speaks against it, and starts it all the same."""
