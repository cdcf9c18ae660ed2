"""A voice and its base as one file: merged in a folder of the job, then kept as a download."""

import zipfile
from pathlib import Path
from typing import Literal

from app.adapters.voice import merged
from app.adapters.voice.merged import MergeOrder
from app.errors import N_, AppError, NotFound
from app.jobs.service import Claim
from app.machine.disk import free_bytes
from worker.context import WorkerContext
from worker.engines import registry
from worker.engines.contracts import Base, EngineError
from worker.files import base_models
from worker.files.workspace import bring_in, job_folder
from worker.progress import JobProgress

GB = 1e9
COPIES = 2
"""As much room as the file itself, times this: it is made in one place and kept in another."""
NO_ROOM = N_(
    "There is no room to merge this voice with its base: %(needed)s GB are needed, and %(free)s GB are free for that. "
    "Make some room, or delete merged files that nobody needs, and try again."
)
NO_ADAPTER_FILE = N_(
    "Livery does not write adapters of this base model for llama.cpp: its layout is not one of those that are known. "
    "llama.cpp's own convert_lora_to_gguf.py makes one from the folder for PEFT."
)
GONE = N_("The voice or its base was deleted since. Please order anew.")


def run(context: WorkerContext, claim: Claim, progress: JobProgress) -> None:
    """Satisfies ``run_job.Handler``. Raises ``EngineError``, ``Cancelled``, ``GiveBack``, ``LeaseLost``."""
    order = _order(context, claim)
    base = base_models.ready(context, claim, order.base, progress)
    with job_folder("merge") as folder:
        _check_room(context, order, folder)
        path = _make(context, order, base, folder, progress)
        progress.phase("saving")
        context.storage.put(order.key, path)
        size = path.stat().st_size
    try:
        context.write(lambda session: merged.complete(session, claim, key=order.key, byte_count=size))
    except NotFound as error:
        context.storage.delete(order.key)
        raise EngineError("order_outdated", GONE) from error


def _order(context: WorkerContext, claim: Claim) -> MergeOrder:
    try:
        return context.read(lambda session: merged.order_of(session, claim.workspace_id, claim.subject_id))
    except AppError as error:
        raise EngineError("order_outdated", GONE) from error


def _check_room(context: WorkerContext, order: MergeOrder, folder: Path) -> None:
    places = [folder, context.storage.local_path(order.key)]
    free = min(free_bytes(place) for place in places if place is not None) - context.disk.floor_bytes
    needed = COPIES * order.about_bytes
    if needed > free:
        numbers = {"needed": f"{needed / GB:.1f}", "free": f"{max(0, free) / GB:.1f}"}
        raise EngineError("no_room_to_merge", NO_ROOM % numbers)


def _make(context: WorkerContext, order: MergeOrder, base: Base, folder: Path, progress: JobProgress) -> Path:
    try:
        weights = bring_in(context.storage, order.adapter_key, folder / "adapter.safetensors")
    except FileNotFoundError as error:
        raise EngineError("adapter_unreadable", "The adapter's file is missing or damaged. Export it again.") from error
    engine = registry.text_engine_for(order.base.family)
    cache = context.cache_folder
    progress.phase("merging")
    if order.form == "gguf_adapter":
        written = engine.gguf_adapter(base, weights, folder / "adapter.gguf", cache)
        if written is None:
            raise EngineError("no_adapter_file", NO_ADAPTER_FILE)
        return written
    if order.form == "safetensors":
        made = engine.merged_folder(base, weights, folder / "merged", cache, progress.drawn)
        return _zipped(made, order.card, folder / "merged.zip", progress)
    precision: Literal["f16", "q8_0"] = "f16" if order.form == "gguf_f16" else "q8_0"
    return engine.merged_gguf(base, weights, folder / "merged.gguf", precision, order.title, cache, progress.drawn)


def _zipped(made: Path, card: str, target: Path, progress: JobProgress) -> Path:
    """One file of a folder, which is used up: each of its files goes as soon as it is in the ZIP. Numbers do not get
    smaller by packing, so they are stored as they are."""
    (made / "README.md").write_text(card)
    with zipfile.ZipFile(target, "w", zipfile.ZIP_STORED) as packed:
        for path in sorted(made.iterdir()):
            progress.phase("saving")
            packed.write(path, path.name)
            path.unlink()
    return target
