"""What the browser may send about trainings of a voice."""

from typing import Any

from pydantic import model_validator

from app.trainings.voice.choices import VoiceChoices
from app.web.text import RowId


class VoiceForm(VoiceChoices):
    """The page's form: fields left empty are not decided."""

    @model_validator(mode="before")
    @classmethod
    def _undecided(cls, data: Any) -> Any:
        if not isinstance(data, dict):
            return data
        return {name: value for name, value in data.items() if not (isinstance(value, str) and not value.strip())}


class StartVoiceForm(VoiceForm):
    order_id: RowId | None = None
    """Made with the page, so that a second click is the same order."""
