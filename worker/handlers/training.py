"""One training on pictures, from the claimed job to the registered adapter."""

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
from app.base_models.catalogue import BaseModelEntry
from app.db import new_id, now
from app.errors import N_
from app.jobs.claims import LeaseLost
from app.lora_files import export
from app.lora_files.export import CannotHold
from app.lora_files.metadata import TrainingFacts
from app.trainings import attempts
from app.trainings.attempts import Sample
from app.trainings.look import queries as look_queries
from app.trainings.look.kind import LOOK, Pictures
from app.trainings.look.recipe import TrainingRecipe, header_keys
from app.trainings.queries import JobSpec
from worker.engines import registry
from worker.engines.contracts import EngineError, SamplePicture, TrainedAdapter, TrainingInputs, TrainingPicture
from worker.files import base_models
from worker.files.workspace import bring_in, job_folder
from worker.handlers.registering import register
from worker.handlers.training_run import forget_checkpoints, learn, outcome_of, spec_of
from worker.job_run import JobRun
from worker.pace import Pace, every

log = logging.getLogger("livery.worker")
SAMPLE_QUALITY = 92
VERSIONS_TRIED = 5
Spec = JobSpec[TrainingRecipe, BaseModelEntry, Pictures]
PICTURE_GONE = N_(
    "A picture in this request was deleted before the training began. Start a new training with the current pictures."
)


def run(job: JobRun) -> None:
    """Satisfies ``registry.Handler``: trains, and registers the adapter together with the job's end.

    A person's cancellation after the first step leaves an adapter of the steps so far. Raises ``EngineError``,
    ``Cancelled``, ``GiveBack``, ``LeaseLost``.
    """
    started_at = now()
    spec = spec_of(job, LOOK)
    engine = registry.engine_for(spec.base.family)
    with job_folder("training") as folder:
        inputs = TrainingInputs(
            base=base_models.ready(job, spec.base),
            pictures=_bring_pictures(job, spec, folder / "pictures"),
            enlargement=spec.base.enlargement,
        )
        job.progress.on_sample = partial(_keep_sample, job, spec)
        spec, trained = learn(
            job,
            spec,
            folder,
            pace=lambda recipe: Pace(every(recipe.checkpoint_every)),
            train=lambda recipe, resume_from: engine.train(
                recipe, replace(inputs, resume_from=resume_from), folder / "out", job.progress
            ),
        )
        _keep(job, spec, trained, started_at, folder)
    forget_checkpoints(job, spec)


def _bring_pictures(job: JobRun, spec: Spec, folder: Path) -> tuple[TrainingPicture, ...]:
    brought = []
    for number, picture in enumerate(spec.frozen):
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


def _keep_sample(job: JobRun, spec: Spec, picture: SamplePicture) -> None:
    # The fencing token in the name: two attempts that overlap never write to the same file.
    key = f"{spec.folder}/samples/{picture.step}-{picture.index}-a{job.claim.fence}.webp"
    webp = picture.path.with_suffix(".webp")
    with Image.open(picture.path) as opened:
        opened.convert("RGB").save(webp, "WEBP", quality=SAMPLE_QUALITY, method=6)
        width, height = opened.size
    job.context.storage.put(key, webp)
    sample = Sample(picture.step, picture.index, picture.prompt, picture.seed, key, width, height)
    try:
        job.write(lambda session: attempts.note_sample(session, job.claim, sample))
    except LeaseLost:
        if not job.read(lambda session: look_queries.has_sample(session, key)):
            job.context.storage.delete(key)
        raise


def _keep(
    job: JobRun,
    spec: Spec,
    trained: TrainedAdapter,
    started_at: datetime,
    folder: Path,
) -> None:
    """Export, store, and register in one transaction with the job's end. Raises ``LeaseLost``."""
    adapter_id, finished_at = new_id(), now()
    stored = adapter_service.folder_of(spec.project_id, adapter_id)
    facts = TrainingFacts(
        settings=spec.recipe.used(is_flow=spec.base.is_flow),
        keys=header_keys(type(spec.recipe)),
        steps_done=trained.steps,
        started_at=started_at,
        finished_at=finished_at,
        captions=tuple(picture.caption for picture in spec.frozen),
        sizes=tuple((picture.target_width, picture.target_height) for picture in spec.frozen),
        precision=trained.precision,
    )
    for _ in range(VERSIONS_TRIED):
        version = job.read(lambda session: adapters.next_version(session, project_id=spec.project_id, modality="image"))
        files = _export(job, spec, trained, facts, version, stored, folder)
        complete = partial(
            attempts.complete_training,
            claim=job.claim,
            adapter_id=adapter_id,
            version=version,
            files=files,
            outcome=outcome_of(job, trained),
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
    spec: Spec,
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
        brand=spec.brand,
        purpose=spec.recipe.purpose,
        version=version,
        base=spec.base,
        rank=trained.rank,
        alpha=trained.alpha,
        trigger_word=spec.recipe.trigger_word,
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
