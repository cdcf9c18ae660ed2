"""One training of a voice, from the claimed job to the registered adapter."""

import hashlib
from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path

from app.adapters import service as adapter_service
from app.adapters.service import AdapterFiles
from app.base_models.catalogue import TextModelEntry
from app.db import new_id, now
from app.trainings import attempts
from app.trainings.attempts import WrittenSample
from app.trainings.queries import JobSpec
from app.trainings.voice.freeze import FrozenText, FrozenVoice
from app.trainings.voice.kind import VOICE
from app.trainings.voice.measures import ArmMeasure, HeldOut, Measures, distance_in_style
from app.trainings.voice.recipe import VoiceRecipe
from app.voice.analysis import stylometry
from worker.engines import registry
from worker.engines.text_contracts import (
    Said,
    SampleText,
    TrainedVoice,
    VariantMeasures,
    VoiceInputs,
    VoiceMeasures,
    VoiceText,
)
from worker.files import base_models
from worker.files.workspace import job_folder
from worker.handlers.registering import register
from worker.handlers.training_run import forget_checkpoints, learn, outcome_of, spec_of
from worker.job_run import JobRun
from worker.pace import Pace, evaluations

Spec = JobSpec[VoiceRecipe, TextModelEntry, FrozenVoice]


def run(job: JobRun) -> None:
    """Satisfies ``registry.Handler``: trains, and registers the adapter together with the job's end.

    A person's cancellation after the first step leaves an adapter of the steps so far. Raises ``EngineError``,
    ``Cancelled``, ``GiveBack``, ``LeaseLost``.
    """
    spec = spec_of(job, VOICE)
    base = base_models.ready(job, spec.base)
    inputs = VoiceInputs(
        base=base,
        texts=tuple(map(_text, spec.frozen.learned)),
        held_out=tuple(map(_text, spec.frozen.held_out)),
        style_guide=spec.frozen.style_guide,
        cache=job.context.cache_folder,
    )
    engine = registry.text_engine_for(spec.base.family)
    with job_folder("voice") as folder:
        job.progress.on_held_out = partial(_note_held_out, job)
        job.progress.on_sample_text = partial(_note_sample, job)
        spec, trained = learn(
            job,
            spec,
            folder,
            pace=lambda recipe: Pace(evaluations(recipe.epochs * recipe.evaluations_per_epoch)),
            train=lambda recipe, resume_from: engine.train(
                recipe, replace(inputs, resume_from=resume_from), folder / "out", job.progress
            ),
        )
        gguf = engine.gguf_adapter(base, trained.weights, folder / "adapter.gguf", job.context.cache_folder)
        _keep(job, spec, trained, gguf)
    forget_checkpoints(job, spec)


def _text(text: FrozenText) -> VoiceText:
    return VoiceText(text.sample_id, tuple(Said(role, content) for role, content in text.order), text.text)


def _note_held_out(job: JobRun, step: int, loss: float) -> None:
    job.write(lambda session: attempts.note_held_out(session, job.claim, step=step, loss=loss))


def _note_sample(job: JobRun, text: SampleText) -> None:
    sample = WrittenSample(text.step, text.index, text.brief, text.seed, text.text)
    job.write(lambda session: attempts.note_sample(session, job.claim, sample))


def _keep(job: JobRun, spec: Spec, trained: TrainedVoice, gguf: Path | None) -> None:
    """Store the files, and register them in one transaction with the job's end. Raises ``LeaseLost``."""
    adapter_id, finished_at = new_id(), now()
    stored = adapter_service.folder_of(spec.project_id, adapter_id)
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
    measures = Measures(
        steps=trained.steps,
        planned_steps=trained.planned_steps,
        best_step=trained.best_step,
        base_bytes=trained.base_bytes,
        tokens_per_step=trained.tokens_per_step,
        cut_texts=trained.cut_texts,
        held_out=_held_out(spec, trained.measures) if trained.measures is not None else None,
    )
    complete = partial(
        attempts.complete_training,
        claim=job.claim,
        adapter_id=adapter_id,
        version=None,
        files=files,
        outcome=outcome_of(job, trained, measures),
        finished_at=finished_at,
    )
    register(job, adapter_id, stored, complete)


def _held_out(spec: Spec, measured: VoiceMeasures) -> HeldOut:
    """The engine's numbers, and those that need no model: style distance and copies."""
    asked = [spec.frozen.held_out[place] for place in measured.asked]
    return HeldOut(
        text_count=len(spec.frozen.held_out),
        tokens=measured.tokens,
        briefs=tuple(text.order[-1][1] for text in asked),
        originals=tuple(text.text for text in asked),
        base=_arm(spec, asked, measured.base),
        prompted=_arm(spec, asked, measured.prompted),
        adapter=_arm(spec, asked, measured.adapter),
    )


def _arm(spec: Spec, asked: Sequence[FrozenText], arm: VariantMeasures) -> ArmMeasure:
    learned = [text.text for text in spec.frozen.learned]
    return ArmMeasure(
        loss=arm.loss,
        style_distance=distance_in_style(spec.frozen, asked, arm.texts),
        embedding_distance=arm.embedding_distance,
        longest_overlap=max((stylometry.longest_overlap(text, learned).words for text in arm.texts), default=0),
        texts=arm.texts,
    )
