"""What the trainings of both kinds go through: the claimed job's training, learning within the device's memory from
checkpoint to checkpoint, what is noted meanwhile, and the end.

Every write names the claim, so that an attempt whose lease has run out leaves no row behind. Files come first and rows
second; what an attempt stored for nothing is removed again, and nobody points at it meanwhile.
"""

import contextlib
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

from app.errors import AppError
from app.storage import StorageAway
from app.trainings import attempts, queries
from app.trainings.attempts import Outcome
from app.trainings.estimates import FirstSteps
from app.trainings.kind import BaseEntry, Frozen, Kind, Overrides
from app.trainings.plans import Recipe
from app.trainings.queries import JobSpec
from app.trainings.voice.measures import Measures
from worker.engines.contracts import EngineError, Step, TrainedAdapter
from worker.engines.text_contracts import TrainedVoice
from worker.handlers.kept_checkpoints import KeptCheckpoints, from_last_checkpoint
from worker.handlers.loss_line import LossLine
from worker.handlers.planning import fallen_back, suited
from worker.job_run import JobRun
from worker.pace import Measured, Pace

Trained = TypeVar("Trained", TrainedAdapter, TrainedVoice)


def spec_of(job: JobRun, kind: Kind[Recipe, BaseEntry, Frozen, Overrides]) -> JobSpec[Recipe, BaseEntry, Frozen]:
    """The claimed training, planned for this worker's device. Raises ``EngineError`` (``order_outdated``,
    ``device_too_small``), ``LeaseLost``."""
    try:
        spec = job.read(
            lambda session: queries.job_spec(
                session, kind, workspace_id=job.claim.workspace_id, training_id=job.claim.subject_id
            )
        )
    except AppError as error:
        raise EngineError("order_outdated", str(error)) from error
    return replace(spec, recipe=suited(job, spec.recipe))


def learn(
    job: JobRun,
    spec: JobSpec[Recipe, BaseEntry, Frozen],
    folder: Path,
    *,
    pace: Callable[[Recipe], Pace],
    train: Callable[[Recipe, Path | None], Trained],
) -> tuple[JobSpec[Recipe, BaseEntry, Frozen], Trained]:
    """Train from the last checkpoint on; where the device's memory is not enough for one picture or row with the base
    as it is, go on with the base quantised further while that helps. Returns the training as it was carried out.

    Whatever leaves the result as it is the engine has tried by then. ``folder`` is the job's own; ``train`` is given
    the checkpoint to resume from. Raises what ``train`` raises, ``LeaseLost``.
    """
    progress, watch = job.progress, _Watch(job, spec.folder)
    progress.on_step, progress.on_checkpoint = watch.step, watch.checkpoint
    progress.on_short_of_memory = watch.short_of_memory
    while True:
        recipe = spec.recipe
        progress.pace = pace(recipe)
        try:
            trained = from_last_checkpoint(job, folder, begin=partial(_begin, job), train=partial(train, recipe))
            watch.losses.write()
            return spec, trained
        except EngineError as error:
            recipe, job = fallen_back(job, error)
            spec = replace(spec, recipe=recipe)
            progress.phase("loading")


def _begin(job: JobRun, step: int) -> None:
    job.write(lambda session: attempts.begin_attempt(session, job.claim, from_step=step))


class _Watch:
    """Keeps what both loops hand over while they run: losses, the first steps' pace, shortages, checkpoints."""

    def __init__(self, job: JobRun, training_folder: str) -> None:
        self._job = job
        self._noted: Measured | None = None
        self.losses = LossLine(job)
        self._checkpoints = KeptCheckpoints(job, training_folder)

    def step(self, step: Step) -> None:
        self.losses.step(step)
        measured = self._job.progress.pace.measured if self._job.progress.pace is not None else None
        if measured is not None and measured is not self._noted:
            self._noted = measured
            first = FirstSteps(
                steps=measured.steps,
                seconds_per_step=measured.seconds_per_step,
                seconds_left=measured.seconds_left,
                memory_bytes=measured.memory_bytes,
            )
            self._job.write(lambda session: attempts.note_first_steps(session, self._job.claim, first))

    def short_of_memory(self, micro_batch_size: int, gradient_checkpointing: bool) -> None:
        if self._job.progress.pace is not None:
            self._job.progress.pace.begin_anew()
        self._job.write(
            lambda session: attempts.note_shortage(
                session,
                self._job.claim,
                micro_batch_size=micro_batch_size,
                gradient_checkpointing=gradient_checkpointing,
            )
        )

    def checkpoint(self, folder: Path, step: int) -> None:
        self.losses.write()
        self._checkpoints.keep(folder, step)


def outcome_of(job: JobRun, trained: TrainedAdapter | TrainedVoice, measures: Measures | None = None) -> Outcome:
    return Outcome(
        steps=trained.steps,
        finished=trained.finished,
        rank=trained.rank,
        alpha=trained.alpha,
        final_loss=trained.final_loss,
        seconds_per_step=trained.seconds_per_step,
        peak_memory_bytes=trained.peak_memory_bytes,
        # As workers name it, so that an estimate can tell which devices are there now.
        device=job.context.device.name or trained.device,
        precision=trained.precision,
        skipped_steps=trained.skipped_steps,
        measures=measures,
    )


def forget_checkpoints(job: JobRun, spec: JobSpec[Any, Any, Any]) -> None:
    with contextlib.suppress(StorageAway):  # what stays is swept later
        job.context.storage.delete_under(f"{spec.folder}/checkpoints")
