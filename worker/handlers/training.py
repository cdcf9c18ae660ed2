"""One training, from the claimed job to the registered adapter.

Every write names the claim, so that an attempt whose lease has run out leaves no row behind. Files come first and rows
second; what an attempt stored for nothing is removed again, and nobody points at it meanwhile.
"""

import contextlib
import logging
from dataclasses import replace
from datetime import datetime
from functools import partial
from pathlib import Path

from PIL import Image

from app.adapters import queries as adapters
from app.adapters import service as adapter_service
from app.adapters.errors import VersionTaken
from app.adapters.service import AdapterFiles
from app.adapters.sidecar import facts_for
from app.db import new_id, now
from app.errors import N_, AppError
from app.jobs.claims import LeaseLost
from app.lora_files import export
from app.lora_files.export import CannotHold
from app.lora_files.metadata import TrainingFacts
from app.storage import StorageAway
from app.trainings import queries, service
from app.trainings.look.estimate import FirstSteps
from app.trainings.look.recipe import header_keys
from app.trainings.queries import TrainingOrder
from app.trainings.service import Outcome, Sample
from worker.engines import registry
from worker.engines.contracts import (
    EngineError,
    SamplePicture,
    Step,
    TrainedAdapter,
    TrainingInputs,
    TrainingPicture,
)
from worker.files import base_models
from worker.files.workspace import bring_in, job_folder
from worker.handlers.kept_checkpoints import KeptCheckpoints, from_last_checkpoint
from worker.handlers.loss_line import LossLine
from worker.handlers.planning import coarser, suited
from worker.handlers.registering import register
from worker.job_run import JobRun
from worker.pace import Measured, Pace

log = logging.getLogger("livery.worker")
SAMPLE_QUALITY = 92
VERSIONS_TRIED = 5
PICTURE_GONE = N_(
    "A picture of this order was deleted before the training began. Start a new training with the pictures that are "
    "there now."
)


def run(job: JobRun) -> None:
    """Satisfies ``registry.Handler``: trains, and registers the adapter together with the job's end.

    A person's cancellation after the first step leaves an adapter of the steps so far. Raises ``EngineError``,
    ``Cancelled``, ``GiveBack``, ``LeaseLost``.
    """
    started_at = now()
    order = _order(job)
    order = replace(order, recipe=suited(job, order.recipe, service.plan_for_taker))
    with job_folder("training") as folder:
        inputs = TrainingInputs(
            base=base_models.ready(job, order.base),
            pictures=_bring_pictures(job, order, folder / "pictures"),
        )
        watch = _Watch(job, order)
        job.progress.on_sample, job.progress.on_checkpoint = watch.sample, watch.checkpoint
        job.progress.on_short_of_memory = watch.short_of_memory
        job.progress.on_step = watch.step
        order, trained = _train_within_memory(job, order, inputs, folder)
        watch.losses.write()
        _keep(job, order, trained, started_at, folder)
    with contextlib.suppress(StorageAway):  # what stays is swept later
        job.context.storage.delete_under(f"{order.folder}/checkpoints")


def _train_within_memory(
    job: JobRun,
    order: TrainingOrder,
    inputs: TrainingInputs,
    folder: Path,
) -> tuple[TrainingOrder, TrainedAdapter]:
    """Train; where the device's memory is not enough for one picture with the base as it is, go on with a coarser base
    while there is one.

    Whatever leaves the result as it is the engine has tried by then, see ``Learning.gradient``.
    """
    while True:
        job.progress.pace = Pace(order.recipe.steps, order.recipe.checkpoint_every)
        try:
            return order, _train(job, order, inputs, folder)
        except EngineError as error:
            recipe, job = coarser(job, error, service.fall_back)
            order = replace(order, recipe=recipe)
            job.progress.phase("loading")


def _train(
    job: JobRun,
    order: TrainingOrder,
    inputs: TrainingInputs,
    folder: Path,
) -> TrainedAdapter:
    """Go on from the last checkpoint; where that is damaged or gone from the one before it, and else begin anew."""
    engine = registry.engine_for(order.base.family)
    return from_last_checkpoint(
        job,
        folder,
        begin=lambda step: _begin(job, from_step=step),
        train=lambda resume_from: engine.train(
            order.recipe, replace(inputs, resume_from=resume_from), folder / "out", job.progress
        ),
    )


def _begin(job: JobRun, *, from_step: int) -> None:
    job.write(lambda session: service.begin_attempt(session, job.claim, from_step=from_step))


def _order(job: JobRun) -> TrainingOrder:
    try:
        return job.read(
            lambda session: queries.order_of(
                session, workspace_id=job.claim.workspace_id, training_id=job.claim.subject_id
            )
        )
    except AppError as error:
        raise EngineError("order_outdated", str(error)) from error


def _bring_pictures(job: JobRun, order: TrainingOrder, folder: Path) -> tuple[TrainingPicture, ...]:
    brought = []
    for number, picture in enumerate(order.pictures):
        ending = Path(picture.working_key).suffix
        try:
            path = bring_in(job.context.storage, picture.working_key, folder / f"{number:04d}{ending}")
        except FileNotFoundError as error:
            raise EngineError("picture_gone", PICTURE_GONE) from error
        brought.append(
            TrainingPicture(
                path=path,
                caption=picture.caption,
                left=picture.left,
                top=picture.top,
                width=picture.width,
                height=picture.height,
                target_width=picture.target_width,
                target_height=picture.target_height,
            )
        )
    return tuple(brought)


class _Watch:
    """Keeps what the loop hands over while it runs: losses, its first steps' pace, sample pictures, checkpoints."""

    def __init__(self, job: JobRun, order: TrainingOrder) -> None:
        self._job, self._order = job, order
        self._noted: Measured | None = None
        self.losses = LossLine(job)
        self._checkpoints = KeptCheckpoints(job, order.folder)

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
            self._job.write(lambda session: service.note_first_steps(session, self._job.claim, first))

    def sample(self, picture: SamplePicture) -> None:
        # The fence in the name: two attempts that overlap never write to the same file.
        key = f"{self._order.folder}/samples/{picture.step}-{picture.index}-a{self._job.claim.fence}.webp"
        webp = picture.path.with_suffix(".webp")
        with Image.open(picture.path) as opened:
            opened.convert("RGB").save(webp, "WEBP", quality=SAMPLE_QUALITY, method=6)
            width, height = opened.size
        self._job.context.storage.put(key, webp)
        sample = Sample(picture.step, picture.index, picture.prompt, picture.seed, key, width, height)
        try:
            self._job.write(lambda session: service.note_sample(session, self._job.claim, sample))
        except LeaseLost:
            if not self._job.read(lambda session: queries.has_sample(session, key)):
                self._job.context.storage.delete(key)
            raise

    def short_of_memory(self, micro_batch_size: int, gradient_checkpointing: bool) -> None:
        if self._job.progress.pace is not None:
            self._job.progress.pace.begin_anew()
        self._job.write(
            lambda session: service.note_shortage(
                session,
                self._job.claim,
                micro_batch_size=micro_batch_size,
                gradient_checkpointing=gradient_checkpointing,
            )
        )

    def checkpoint(self, folder: Path, step: int) -> None:
        self.losses.write()
        self._checkpoints.keep(folder, step)


def _keep(
    job: JobRun,
    order: TrainingOrder,
    trained: TrainedAdapter,
    started_at: datetime,
    folder: Path,
) -> None:
    """Export, store, and register in one transaction with the job's end. Raises ``LeaseLost``."""
    adapter_id, finished_at = new_id(), now()
    stored = adapter_service.folder_of(order.project_id, adapter_id)
    outcome = Outcome(
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
    )
    facts = TrainingFacts(
        settings=order.recipe.used(is_flow=order.base.is_flow),
        keys=header_keys(type(order.recipe)),
        steps_done=trained.steps,
        started_at=started_at,
        finished_at=finished_at,
        captions=tuple(picture.caption for picture in order.pictures),
        sizes=tuple((picture.target_width, picture.target_height) for picture in order.pictures),
        precision=trained.precision,
    )
    for _ in range(VERSIONS_TRIED):
        version = job.read(lambda session: adapters.next_version(session, project_id=order.project_id))
        files = _export(job, order, trained, facts, version, stored, folder)
        complete = partial(
            service.complete_training,
            claim=job.claim,
            adapter_id=adapter_id,
            version=version,
            files=files,
            outcome=outcome,
            finished_at=finished_at,
        )
        try:
            register(job, adapter_id, stored, complete)
            return
        except VersionTaken:
            log.info("version %s was taken, trying the next", version, extra={"job": job.claim.job_id})
    raise VersionTaken()


def _export(
    job: JobRun,
    order: TrainingOrder,
    trained: TrainedAdapter,
    training: TrainingFacts,
    version: int,
    stored: str,
    folder: Path,
) -> AdapterFiles:
    """Write the file for each kind of program, and store them. The version stands in their headers.

    Where other programs' names have no place for what was learned there is no file for them, and the clean one is
    diffusers': an adapter is never lost for want of a form.
    """
    facts = facts_for(
        brand=order.brand,
        purpose=order.recipe.purpose,
        version=version,
        base=order.base,
        rank=trained.rank,
        alpha=trained.alpha,
        trigger_word=order.recipe.trigger_word,
        created_at=training.finished_at,
        training=training,
    )
    diffusers = export.diffusers_file(trained.weights, folder / "diffusers.safetensors", facts)
    made = [diffusers]
    try:
        made.append(export.kohya_file(trained.weights, folder / "kohya.safetensors", facts))
        made.append(export.kohya_file(trained.weights, folder / "clean.safetensors", facts, clean=True))
    except CannotHold as error:
        log.info("no file for other programs: %s", error)
        made.append(export.diffusers_file(trained.weights, folder / "clean.safetensors", facts, clean=True))
    keys = {one.path.name: f"{stored}/{one.path.name}" for one in made}
    for one in made:
        job.context.storage.put(keys[one.path.name], one.path)
    return AdapterFiles(
        diffusers_key=keys["diffusers.safetensors"],
        kohya_key=keys.get("kohya.safetensors", ""),
        clean_key=keys["clean.safetensors"],
        byte_count=diffusers.byte_count,
        sha256=diffusers.sha256,
    )
