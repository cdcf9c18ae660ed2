"""Sentences for people around a training: warnings before it, and after a failure or an early end what is likely to do
better. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from app.errors import N_
from app.images.judging.findings import Act
from app.jobs.models import Job
from app.trainings.estimates import Estimate
from app.trainings.look.recipe import TrainingRecipe
from app.trainings.plans import PLANNED, Plan, Recipe, unplanned
from app.trainings.voice.recipe import VoiceRecipe


@dataclass(frozen=True)
class Warning:
    """A sentence to translate, what goes into it, how much it matters, and what can be done about it. Where one is
    ``bad``, the training is refused; where one is ``grave``, a person starts it anyway or not at all."""

    key: str
    """By which it is found, whatever it says."""
    kind: Literal["bad", "grave", "caution", "info"]
    msgid: str
    params: Mapping[str, str | int]
    acts: tuple[Act, ...] = ()

    @property
    def pair(self) -> tuple[str, Mapping[str, str | int]]:
        return self.msgid, self.params


LONG_SECONDS = 24 * 3600
LONG = N_(
    "This training takes more than a day on this machine: at least %(hours)s hours. A smaller base model, "
    "fewer steps or a graphics card would be faster."
)
ADD_PICTURES, ADD_TEXTS = N_("Add pictures"), N_("Add texts")
NOT_READY = N_("The worker must download this base model from the internet once before the training can start.")
SMALLEST_RANK = 4
"""An adapter of this rank is not offered any smaller."""
RETRY_RANK = N_("Try again with a smaller adapter: rank %(rank)s")
RETRY_RATE = N_("Try again with a lower learning rate")
RETRY_SAME = N_("Try again with the same settings")


@dataclass(frozen=True)
class Retry:
    """A training that is likely to do better: what it changes in words, and the fields to fill the form with."""

    msgid: str
    params: Mapping[str, str | int]
    fields: Mapping[str, Any]

    @property
    def pair(self) -> tuple[str, Mapping[str, str | int]]:
        return self.msgid, self.params


def warnings_of(estimate: Estimate) -> list[Warning]:
    """What is to be said of the time it takes. Of a range the least counts: so long it takes at any rate."""
    least = estimate.seconds_range[0] if estimate.seconds is None and estimate.seconds_range else estimate.seconds
    if least is None or least <= LONG_SECONDS:
        return []
    return [Warning("long", "grave", LONG, {"hours": round(least / 3600)})]


def before_plan(recipe: Recipe, estimate: Estimate) -> tuple[Recipe, frozenset[str]]:
    """The recipe before a plan changed it, and the fields besides the batch size that the plan was free to choose.

    What a person chose and had to give up for want of memory is still their choice.
    """
    if estimate.plan is None:
        return recipe, frozenset()
    first: Plan = estimate.fell_back_from or estimate.plan
    held = {"quantization": first.quantization, "gradient_checkpointing": first.gradient_checkpointing}
    asked = unplanned(recipe, estimate.plan).model_copy(update=held)
    return asked, frozenset(PLANNED) - {*first.decided, "batch_size"}


def usual_retries(recipe: TrainingRecipe | VoiceRecipe, same: Mapping[str, Any], job: Job) -> list[Retry]:
    """What helps both kinds, the most promising first; ``same`` fills the form for the same training once more."""
    found: list[Retry] = []
    if job.error_code == "out_of_memory" and recipe.rank > SMALLEST_RANK:
        rank = recipe.rank // 2
        smaller = {"rank": rank, "alpha": recipe.alpha * rank / recipe.rank}
        found.append(Retry(RETRY_RANK, {"rank": rank}, {**same, **smaller}))
    if job.error_code == "diverged":
        slower = {"learning_rate": float(f"{recipe.learning_rate / 3:.2g}")}
        found.append(Retry(RETRY_RATE, {}, {**same, **slower}))
    return [*found, Retry(RETRY_SAME, {}, same)]
