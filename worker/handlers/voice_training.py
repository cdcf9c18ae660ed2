"""One training of a voice, from the claimed job to the registered adapter.

Every write names the claim, so that an attempt whose lease has run out leaves no row behind. Files come first and rows
second.
"""

import contextlib
import hashlib
from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path

from app.adapters import service as adapter_service
from app.adapters.service import AdapterFiles
from app.db import new_id, now
from app.errors import AppError
from app.storage import StorageAway
from app.trainings import service as trainings
from app.trainings.voice import queries as voice_queries
from app.trainings.voice import service as voice_service
from app.trainings.voice.measures import ArmMeasure, HeldOut, Measures, distance_in_style
from app.trainings.voice.queries import VoiceOrder
from app.trainings.voice.recipe import VoiceRecipe
from app.trainings.voice.service import VoiceOutcome
from app.trainings.voice.texts import FrozenText
from app.voice.analysis import stylometry
from worker.engines import registry
from worker.engines.contracts import (
    ArmMeasures,
    EngineError,
    Said,
    SampleText,
    TrainedVoice,
    VoiceInputs,
    VoiceMeasures,
    VoiceText,
)
from worker.files import base_models
from worker.files.workspace import job_folder
from worker.handlers.kept_checkpoints import KeptCheckpoints, from_last_checkpoint
from worker.handlers.loss_line import LossLine
from worker.handlers.planning import coarser, suited
from worker.handlers.registering import register
from worker.job_run import JobRun


def run(job: JobRun) -> None:
    """Satisfies ``registry.Handler``: trains, and registers the adapter together with the job's end.

    A person's cancellation after the first step leaves an adapter of the steps so far. Raises ``EngineError``,
    ``Cancelled``, ``GiveBack``, ``LeaseLost``.
    """
    order = _order(job)
    order = replace(order, recipe=suited(job, order.recipe, voice_service.plan_for_taker))
    base = base_models.ready(job, order.base)
    inputs = VoiceInputs(
        base=base,
        texts=tuple(map(_text, order.voice.learned)),
        held_out=tuple(map(_text, order.voice.held_out)),
        style_guide=order.voice.style_guide,
        cache=job.context.cache_folder,
    )
    engine = registry.text_engine_for(order.base.family)
    with job_folder("voice") as folder:
        watch = _Watch(job, order)
        job.progress.on_step, job.progress.on_checkpoint = watch.losses.step, watch.checkpoint
        job.progress.on_held_out, job.progress.on_sample_text = watch.held_out, watch.sample_text
        job.progress.on_short_of_memory = watch.short_of_memory
        trained = _train_within_memory(job, order, inputs, folder)
        watch.losses.write()
        gguf = engine.gguf_adapter(base, trained.weights, folder / "adapter.gguf", job.context.cache_folder)
        _keep(job, order, trained, gguf)
    with contextlib.suppress(StorageAway):  # what stays is swept later
        job.context.storage.delete_under(f"{order.folder}/checkpoints")


def _train_within_memory(job: JobRun, order: VoiceOrder, inputs: VoiceInputs, folder: Path) -> TrainedVoice:
    """Train; where the device's memory is not enough for one row with the base as it is, go on with a coarser base
    while there is one.

    Whatever leaves the result as it is the engine has tried by then.
    """
    engine, recipe, progress = registry.text_engine_for(order.base.family), order.recipe, job.progress
    while True:

        def train(resume_from: Path | None, recipe: VoiceRecipe = recipe) -> TrainedVoice:
            return engine.train(recipe, replace(inputs, resume_from=resume_from), folder / "out", progress)

        try:
            begin = partial(_begin, job)
            return from_last_checkpoint(job, folder, begin=begin, train=train)
        except EngineError as error:
            recipe, job = coarser(job, error, voice_service.fall_back)
            progress.phase("loading")


def _order(job: JobRun) -> VoiceOrder:
    try:
        return job.read(
            lambda session: voice_queries.order_of(
                session, workspace_id=job.claim.workspace_id, training_id=job.claim.subject_id
            )
        )
    except AppError as error:
        raise EngineError("order_outdated", str(error)) from error


def _text(text: FrozenText) -> VoiceText:
    return VoiceText(text.sample_id, tuple(Said(role, content) for role, content in text.order), text.text)


def _begin(job: JobRun, step: int) -> None:
    job.write(lambda session: trainings.begin_attempt(session, job.claim, from_step=step))
    job.write(lambda session: voice_service.begin_attempt(session, job.claim, from_step=step))


class _Watch:
    """Keeps what the loop hands over while it runs: losses, held-out losses, sample texts, checkpoints."""

    def __init__(self, job: JobRun, order: VoiceOrder) -> None:
        self._job = job
        self.losses = LossLine(job)
        self._checkpoints = KeptCheckpoints(job, order.folder)

    def held_out(self, step: int, loss: float) -> None:
        self._job.write(lambda session: voice_service.note_held_out(session, self._job.claim, step=step, loss=loss))

    def sample_text(self, text: SampleText) -> None:
        row = (text.step, text.index, text.brief, text.seed, text.text)
        self._job.write(lambda session: voice_service.note_texts(session, self._job.claim, [row]))

    def short_of_memory(self, micro_batch_size: int, gradient_checkpointing: bool) -> None:
        self._job.write(
            lambda session: voice_service.note_shortage(
                session,
                self._job.claim,
                micro_batch_size=micro_batch_size,
                gradient_checkpointing=gradient_checkpointing,
            )
        )

    def checkpoint(self, folder: Path, step: int) -> None:
        self.losses.write()
        self._checkpoints.keep(folder, step)


def _keep(job: JobRun, order: VoiceOrder, trained: TrainedVoice, gguf: Path | None) -> None:
    """Store the files, and register them in one transaction with the job's end. Raises ``LeaseLost``."""
    adapter_id, finished_at = new_id(), now()
    stored = adapter_service.folder_of(order.project_id, adapter_id)
    key, gguf_key = f"{stored}/adapter.safetensors", f"{stored}/adapter.gguf" if gguf is not None else ""
    job.context.storage.put(key, trained.weights)
    if gguf is not None:
        job.context.storage.put(gguf_key, gguf)
    with trained.weights.open("rb") as file:
        sha256 = hashlib.file_digest(file, "sha256").hexdigest()
    files = AdapterFiles(
        diffusers_key=key,
        kohya_key=key,
        clean_key=key,
        byte_count=trained.weights.stat().st_size,
        sha256=sha256,
        gguf_key=gguf_key,
    )
    outcome = VoiceOutcome(
        finished=trained.finished,
        rank=trained.rank,
        alpha=trained.alpha,
        final_loss=trained.final_loss,
        seconds_per_step=trained.seconds_per_step,
        peak_memory_bytes=trained.peak_memory_bytes,
        device=job.context.device.name or trained.device,
        precision=trained.precision,
        skipped_steps=trained.skipped_steps,
        measures=Measures(
            steps=trained.steps,
            planned_steps=trained.planned_steps,
            best_step=trained.best_step,
            base_bytes=trained.base_bytes,
            tokens_per_step=trained.tokens_per_step,
            cut_texts=trained.cut_texts,
            held_out=_held_out(order, trained.measures) if trained.measures is not None else None,
        ),
    )
    complete = partial(
        voice_service.complete_voice,
        claim=job.claim,
        adapter_id=adapter_id,
        files=files,
        outcome=outcome,
        finished_at=finished_at,
    )
    register(job, adapter_id, stored, complete)


def _held_out(order: VoiceOrder, measured: VoiceMeasures) -> HeldOut:
    """The engine's numbers, and those that need no model: style distance and copies."""
    asked = [order.voice.held_out[place] for place in measured.asked]
    return HeldOut(
        text_count=len(order.voice.held_out),
        tokens=measured.tokens,
        briefs=tuple(text.order[-1][1] for text in asked),
        originals=tuple(text.text for text in asked),
        base=_arm(order, asked, measured.base),
        prompted=_arm(order, asked, measured.prompted),
        adapter=_arm(order, asked, measured.adapter),
    )


def _arm(order: VoiceOrder, asked: Sequence[FrozenText], arm: ArmMeasures) -> ArmMeasure:
    learned = [text.text for text in order.voice.learned]
    return ArmMeasure(
        loss=arm.loss,
        style_distance=distance_in_style(order.voice, asked, arm.texts),
        embedding_distance=arm.embedding_distance,
        longest_overlap=max((stylometry.longest_overlap(text, learned).words for text in arm.texts), default=0),
        texts=arm.texts,
    )
