"""What is sent to go on from a kept step."""

from typing import Annotated, Any

from pydantic import BaseModel, Field, model_validator

from app.trainings.fields import without_empty
from app.web.api.json_body import JsonBody
from app.web.text import RowId

Step = Annotated[int, Field(ge=1, le=100_000)]


class _From(BaseModel, defer_build=True):
    step: Step | None = None
    """The kept step to go on from; left out: the last one."""
    learning_rate: Annotated[float, Field(gt=0, le=1)] | None = None
    """Left out: as before."""
    order_id: RowId | None = None
    """An id of your own (32 hexadecimal digits) that makes it safe to send the same request twice."""


class Longer(_From):
    """A training on pictures that goes on."""

    steps: Annotated[int, Field(ge=1, le=100_000)]
    """How many it is to have in all, those so far included."""

    @property
    def length(self) -> int:
        return self.steps


class LongerVoice(_From):
    """The training of a voice that goes on."""

    epochs: Annotated[int, Field(ge=1, le=50)]
    """How often every text is to be read in all, so far included."""

    @property
    def length(self) -> int:
        return self.epochs


class _Form(BaseModel, defer_build=True):
    @model_validator(mode="before")
    @classmethod
    def _undecided(cls, data: Any) -> Any:
        return without_empty(data)


class LongerForm(_Form, Longer): ...


class LongerVoiceForm(_Form, LongerVoice): ...


class LongerBody(JsonBody, Longer):
    """How a training on pictures goes on."""


class LongerVoiceBody(JsonBody, LongerVoice):
    """How the training of a voice goes on."""
