"""What the browser may send about trainings."""

from typing import Annotated, Any

from pydantic import BeforeValidator, Field, field_validator, model_validator

from app.trainings.look.choices import LONGEST_PROMPT, TrainingChoices
from app.trainings.look.recipe import Purpose
from app.web.text import Line, RowId

MOST_PROMPTS = 4
SamplePrompt = Annotated[Line, Field(max_length=LONGEST_PROMPT)]


class CleanChoices(TrainingChoices):
    """The choices with every text made fit to keep; an empty trigger word is the brand's own."""

    trigger_word: Annotated[Line, Field(max_length=60)] | None = None
    sample_prompts: Annotated[tuple[SamplePrompt, ...], Field(max_length=MOST_PROMPTS)] | None = None

    class_prompt: Annotated[Line, Field(max_length=300)] | None = None

    @field_validator("trigger_word", "class_prompt", mode="after")
    @classmethod
    def _own(cls, value: str | None) -> str | None:
        return value or None

    @field_validator("sample_prompts", mode="after")
    @classmethod
    def _written(cls, value: tuple[str, ...] | None) -> tuple[str, ...] | None:
        return None if value is None else tuple(prompt for prompt in value if prompt)


def _lines(value: object) -> object:
    """One prompt per line, however the form sends them."""
    if isinstance(value, str):
        value = [value]
    if not isinstance(value, list | tuple):
        return value
    lines = [line.strip() for text in value if isinstance(text, str) for line in text.splitlines()]
    return [line for line in lines if line] or None


class TrainingForm(CleanChoices):
    """The page's form: fields left empty are not decided."""

    purpose: Purpose = "style"
    sample_prompts: Annotated[
        Annotated[tuple[SamplePrompt, ...], Field(max_length=MOST_PROMPTS)] | None, BeforeValidator(_lines)
    ] = None

    @model_validator(mode="before")
    @classmethod
    def _undecided(cls, data: Any) -> Any:
        if not isinstance(data, dict):
            return data
        return {name: value for name, value in data.items() if not (isinstance(value, str) and not value.strip())}


class StartForm(TrainingForm):
    order_id: RowId | None = None
    """Made with the page, so that a second click is the same order."""
