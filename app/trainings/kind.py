"""What the two kinds of training have each for themselves, as plain functions: all else is in ``service`` once."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Generic, Literal, TypeVar

from sqlalchemy.orm import Session

from app.base_models.catalogue import BaseModelEntry, TextModelEntry
from app.images.models import Image
from app.jobs.models import Job
from app.machine.devices import Device
from app.projects.models import Project
from app.trainings.advice import Retry, Warning
from app.trainings.estimates import Circumstances, Estimate
from app.trainings.look.overrides import TrainingOverrides
from app.trainings.models import Training
from app.trainings.plans import Plan, Recipe, Sentences
from app.trainings.voice.overrides import VoiceOverrides

Modality = Literal["image", "text"]
BaseEntry = TypeVar("BaseEntry", BaseModelEntry, TextModelEntry)
Frozen = TypeVar("Frozen")
Overrides = TypeVar("Overrides", TrainingOverrides, VoiceOverrides)


@dataclass(frozen=True)
class Draft(Generic[Recipe, Frozen]):
    """What a person's overrides come to on one base."""

    recipe: Recipe
    frozen: Frozen
    """What the training would learn from."""
    decided: frozenset[str]
    """The recipe's fields that the person has chosen."""
    meaningless: tuple[str, ...] = ()
    """Of the fields that the person has chosen, those that mean nothing on this base."""
    pictures: tuple[Image, ...] = ()
    """The brand's own; none for a voice."""


@dataclass(frozen=True)
class Kind(Generic[Recipe, BaseEntry, Frozen, Overrides]):
    """One kind of training: ``look`` learns from pictures, ``voice`` from written samples."""

    modality: Modality
    job_kind: str
    recipe: type[Recipe]
    sentences: Sentences
    """What is said of its plans."""

    base: Callable[[Session, str, str | None], BaseEntry]
    """The base model of a workspace by its key; without one the recommended. Raises ``UnknownBaseModel``."""
    known_base: Callable[[Session, str, str], BaseEntry | None]
    """The same, or None."""
    draft: Callable[[Session, Project, BaseEntry, Overrides], Draft[Recipe, Frozen]]
    """Raises ``Invalid`` for what this base cannot do."""
    refuse_too_few: Callable[[Frozen], None]
    """Raises ``Conflict`` where there is too little to learn from."""
    columns: Callable[[Recipe, Frozen], dict[str, Any]]
    """What the training's row holds for this kind alone."""
    frozen: Callable[[Training], Frozen]
    """From the training's row."""

    plan_for: Callable[[Recipe, BaseEntry, Frozen, Device, frozenset[str]], Plan | None]
    """The fastest plan that fits; None where the base's cost is not known."""
    fallback_for: Callable[[Recipe, BaseEntry, Frozen, Device, Plan], Plan | None]
    """What to go on with when a step does not fit the memory; None where there is nothing."""
    decided_in: Callable[[Recipe, BaseEntry, Frozen], frozenset[str] | None]
    """Of the fields that a plan may change, those that a recipe without a plan has decided; None where such a training
    is carried out as it stands."""
    as_plan: Callable[[Recipe, BaseEntry, Frozen, Device], Plan | None]
    """The recipe itself as a plan, for a training without one."""
    estimate: Callable[[Session, BaseEntry, Draft[Recipe, Frozen], Plan | None, Circumstances], Estimate]
    warnings: Callable[[Session, Project, BaseEntry, Draft[Recipe, Frozen], Sequence[str], bool], list[Warning]]
    """What should be said before the start; given the devices, and whether the base's files are there."""
    retries: Callable[[Training, BaseEntry | None, Job], list[Retry]]
    """What to offer after a failure or an early end, the most promising first."""

    trigger_word: Callable[[Recipe], str]
    passport: Callable[[Session, Training], dict[str, Any]]
    """What the adapter's card keeps of the training, for an adapter outlives it."""


AnyKind = Kind[Any, Any, Any, Any]
