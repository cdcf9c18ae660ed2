"""Kept steps: checkpoints of a training that another may go on from. Pure.

A kept step is a whole checkpoint (adapter, optimizer, random numbers), so that going on from it is what going on would
have been.
"""

from collections.abc import Iterable
from typing import Any

from pydantic import BaseModel, ConfigDict

from app.storage import Storage
from app.trainings.models import Training

MOST_KEPT = 20
"""Of one training; beyond that those go that lie closest to their neighbours."""
KEPT_FOR_DAYS = 30
"""After a training's end. Its last step stays for as long as its adapter is there."""


class KeptStep(BaseModel, defer_build=True):
    model_config = ConfigDict(frozen=True)

    step: int
    folder: str
    """Of its files, in the storage."""
    byte_count: int


class Continued(KeptStep):
    """The kept step that a training goes on from."""

    training_id: str
    recipe: dict[str, Any]
    """Of the training that made it."""


def kept_steps(training: Training) -> list[KeptStep]:
    """By step."""
    return [KeptStep.model_validate(one) for one in training.kept_steps]


def continued(training: Training) -> Continued | None:
    return None if training.continues is None else Continued.model_validate(training.continues)


def with_step(kept: Iterable[KeptStep], new: KeptStep, most: int = MOST_KEPT) -> list[KeptStep]:
    """``new`` in place of one of the same step, and no more than ``most``: the first and the last always stay."""
    steps = sorted([one for one in kept if one.step != new.step] + [new], key=lambda one: one.step)
    while len(steps) > max(2, most):
        inner = range(1, len(steps) - 1)
        steps.pop(min(inner, key=lambda at: steps[at + 1].step - steps[at - 1].step))
    return steps


def forget_others(storage: Storage, above: str, kept: Iterable[str]) -> int:
    """Remove every checkpoint's file under ``above`` that is in none of the folders ``kept``. Says how many."""
    folders = tuple(f"{folder}/" for folder in kept)
    gone = [key for key in storage.keys_under(above) if not key.startswith(folders)]
    for key in gone:
        storage.delete(key)
    return len(gone)
