"""A voice and its base as one file: merged in a folder of the job, then kept as a download."""

import zipfile
from pathlib import Path
from typing import Literal

from app.adapters.voice import merged
from app.adapters.voice.merged import MergeOrder
from app.errors import N_, AppError, NotFound
from app.machine.disk import free_bytes
from worker.engines import registry
from worker.engines.contracts import Base, EngineError
from worker.files import base_models
from worker.files.workspace import bring_in, job_folder
from worker.job_run import JobRun

GB = 1e9
COPIES = 2
"""As much room as the file itself, times this: it is made in one place and kept in another."""
NO_ROOM = N_(
    "There is no space to merge this voice with its base model: %(needed)s GB are needed, and %(free)s GB are "
    "available for that. Free some space, or delete merged files that nobody needs, and try again."
)
NO_ADAPTER_FILE = N_(
    "Livery cannot write adapters of this base model for llama.cpp, because the model's layout is not a known "
    "one. Use llama.cpp's own convert_lora_to_gguf.py to create one from the folder for PEFT."
)
GONE = N_("The voice or its base model has since been deleted. Please request the file again.")


def run(job: JobRun) -> None:
    """Satisfies ``registry.Handler``. Raises ``EngineError``, ``Cancelled``, ``GiveBack``, ``LeaseLost``."""
    order = _order(job)
    base = base_models.ready(job, order.base)
    with job_folder("merge") as folder:
        _check_room(job, order, folder)
        path = _make(job, order, base, folder)
        job.progress.phase("saving")
        job.context.storage.put(order.key, path)
        size = path.stat().st_size
    try:
        job.write(lambda session: merged.complete(session, job.claim, key=order.key, byte_count=size))
    except NotFound as error:
        job.context.storage.delete(order.key)
        raise EngineError("order_outdated", GONE) from error


def _order(job: JobRun) -> MergeOrder:
    try:
        return job.read(lambda session: merged.order_of(session, job.claim.workspace_id, job.claim.subject_id))
    except AppError as error:
        raise EngineError("order_outdated", GONE) from error


def _check_room(job: JobRun, order: MergeOrder, folder: Path) -> None:
    places = [folder, job.context.storage.local_path(order.key)]
    free = min(free_bytes(place) for place in places if place is not None) - job.context.disk.floor_bytes
    needed = COPIES * order.about_bytes
    if needed > free:
        numbers = {"needed": f"{needed / GB:.1f}", "free": f"{max(0, free) / GB:.1f}"}
        raise EngineError("no_room_to_merge", NO_ROOM % numbers)


def _make(job: JobRun, order: MergeOrder, base: Base, folder: Path) -> Path:
    try:
        weights = bring_in(job.context.storage, order.adapter_key, folder / "adapter.safetensors")
    except FileNotFoundError as error:
        raise EngineError("adapter_unreadable", "The adapter's file is missing or damaged. Export it again.") from error
    engine = registry.text_engine_for(order.base.family)
    cache = job.context.cache_folder
    job.progress.phase("merging")
    if order.form == "gguf_adapter":
        written = engine.gguf_adapter(base, weights, folder / "adapter.gguf", cache)
        if written is None:
            raise EngineError("no_adapter_file", NO_ADAPTER_FILE)
        return written
    if order.form == "safetensors":
        made = engine.merged_folder(base, weights, folder / "merged", cache, job.progress.drawn)
        return _zipped(job, made, order.card, folder / "merged.zip")
    precision: Literal["f16", "q8_0"] = "f16" if order.form == "gguf_f16" else "q8_0"
    return engine.merged_gguf(base, weights, folder / "merged.gguf", precision, order.title, cache, job.progress.drawn)


def _zipped(job: JobRun, made: Path, card: str, target: Path) -> Path:
    """One file of a folder, which is used up: each of its files goes as soon as it is in the ZIP. Numbers do not get
    smaller by packing, so they are stored as they are."""
    (made / "README.md").write_text(card)
    with zipfile.ZipFile(target, "w", zipfile.ZIP_STORED) as packed:
        for path in sorted(made.iterdir()):
            job.progress.phase("saving")
            packed.write(path, path.name)
            path.unlink()
    return target
