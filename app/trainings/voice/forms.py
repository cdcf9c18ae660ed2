"""What the browser may send about trainings of a voice."""

from typing import Any

from pydantic import model_validator

from app.trainings.fields import Input, without_empty
from app.trainings.voice.fields import TABLE
from app.trainings.voice.overrides import VoiceOverrides
from app.web.text import RowId


class VoiceForm(VoiceOverrides):
    """The page's form: fields left empty are not decided."""

    @model_validator(mode="before")
    @classmethod
    def _undecided(cls, data: Any) -> Any:
        return without_empty(data)

    def inputs(self, plan: Any) -> dict[str, list[Input]]:
        """The fields to draw for the planned base model, by the groups of the table."""
        return TABLE.inputs(self, plan)


class StartVoiceForm(VoiceForm):
    order_id: RowId | None = None
    """Made with the page, so that a second click is the same order."""
    anyway: bool = False
    """Whether a person has read what speaks against it, and starts it all the same."""
