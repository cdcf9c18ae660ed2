"""What programs send about trainings, and what they are told."""

from datetime import datetime
from typing import Literal

from pydantic import BaseModel

from app.jobs.api import JobOut
from app.trainings.estimates import Estimate
from app.trainings.look.forms import CleanOverrides
from app.trainings.look.recipe import TrainingRecipe
from app.trainings.voice.measures import Measures
from app.trainings.voice.overrides import VoiceOverrides
from app.trainings.voice.recipe import VoiceRecipe
from app.web.api.json_body import JsonBody
from app.web.text import RowId

# What is sent -------------------------------------------------------------------------------------------------------


class Choices(JsonBody, CleanOverrides):
    """What to learn. Every field that is left out takes what fits the purpose, the base and the pictures."""


class NewTraining(Choices):
    """What to learn. Every field that is left out takes what fits the purpose, the base and the pictures."""

    order_id: RowId | None = None
    """An id of your own (32 hexadecimal digits) that makes it safe to send the same request twice."""


class VoicePlanChoices(JsonBody, VoiceOverrides):
    """What to learn. Every field that is left out takes what fits the base and the number of texts."""


class NewVoiceTraining(VoicePlanChoices):
    """Every field that is left out takes what fits the base and the number of texts."""

    order_id: RowId | None = None
    """An id of your own (32 hexadecimal digits) that makes it safe to send the same request twice."""


# What comes back ----------------------------------------------------------------------------------------------------


class FindingOut(BaseModel, defer_build=True):
    """Something that should be known before the start. Where one is ``bad``, the training is refused; where one is
    ``grave``, pages ask whether to start it anyway, and programs decide themselves."""

    key: str
    kind: Literal["bad", "grave", "caution", "info"]
    sentence: str
    count: int | None
    """How many pictures, texts or lines it is said of, where it is said of some."""


class Promise(BaseModel, defer_build=True):
    """What a training would take."""

    estimate: Estimate
    warnings: list[str]
    """The sentences of ``findings`` alone."""
    findings: list[FindingOut]
    possible: bool


class PlanOut(Promise, defer_build=True):
    """What a training would do and take."""

    recipe: TrainingRecipe
    picture_count: int


class VoicePlanOut(Promise, defer_build=True):
    """What a training would do and take."""

    recipe: VoiceRecipe
    sample_count: int
    held_out_count: int
    language: str
    style_guide: str


class Facts(BaseModel, defer_build=True):
    """What is told of every training."""

    id: str
    project_id: str
    base_model: str
    estimate: Estimate
    created_at: datetime
    seconds_per_step: float | None
    """Measured; null until it has ended."""
    peak_memory_bytes: int | None
    device: str | None
    precision: str | None
    """What it was computed in: ``bfloat16``, ``float16`` or ``float32``; null until it has left an adapter."""
    skipped_steps: int | None
    """Steps left out because their gradient was too large for float16."""
    adapter_id: str | None
    """The adapter that it left."""
    job: JobOut


class TrainingOut(Facts, defer_build=True):
    """A training and how far it is."""

    purpose: str
    recipe: TrainingRecipe
    picture_count: int


class VoiceTrainingOut(Facts, defer_build=True):
    """A training of a voice and how far it is."""

    recipe: VoiceRecipe
    sample_count: int
    held_out_count: int
    measures: Measures | None
    """On the validation split; null until it has ended."""


class TrainingList(BaseModel, defer_build=True):
    items: list[TrainingOut]
    next: str | None


class VoiceTrainingList(BaseModel, defer_build=True):
    items: list[VoiceTrainingOut]
    next: str | None


class LossOut(BaseModel, defer_build=True):
    """Mean loss over the steps up to this one."""

    step: int
    loss: float
    learning_rate: float


class SampleOut(BaseModel, defer_build=True):
    """A picture drawn while training; step 0 is the base alone."""

    id: str
    step: int
    position: int
    prompt: str
    seed: int
    width: int
    height: int
    url: str


class CourseOut(BaseModel, defer_build=True):
    """What was measured and drawn so far."""

    losses: list[LossOut]
    samples: list[SampleOut]


class HeldOutLossOut(BaseModel, defer_build=True):
    """Mean loss over the validation split; step 0 is the base alone."""

    step: int
    loss: float


class WrittenSampleOut(BaseModel, defer_build=True):
    """A text written while training; step 0 is the base alone."""

    step: int
    position: int
    brief: str
    seed: int
    text: str


class VoiceCourseOut(BaseModel, defer_build=True):
    """What was measured and written so far."""

    losses: list[LossOut]
    held_out: list[HeldOutLossOut]
    samples: list[WrittenSampleOut]
