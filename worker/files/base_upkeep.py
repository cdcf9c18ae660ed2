"""What workers do about base models beside their jobs: remove files that nobody wants, tell what lies ready."""

import logging
import time
from pathlib import Path

from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from app.base_files import queries, service
from app.base_models import queries as base_models
from app.base_models import service as base_model_service
from worker.context import WorkerContext
from worker.files import base_folders, checkpoint_folder

log = logging.getLogger("livery.worker")
LOOK_EVERY_SECONDS = 45.0
_looked: dict[str, float] = {}


def tick(context: WorkerContext) -> None:
    """Remove the files that somebody asked to remove, and every now and then look through the folder of checkpoints."""
    machine = base_folders.machine_of(context.cache_folder)
    with context.database.read() as session:
        unwanted = [(one.id, one.workspace_id, one.base_model) for one in queries.unwanted(session, machine=machine)]
    for copy_id, workspace_id, key in unwanted:
        with context.database.write() as session:
            is_ours = service.forget_copy(session, copy_id)
        if is_ours:
            base_folders.remove(base_folders.folder_of(context.cache_folder, workspace_id, key))
            log.info("removed the files of base model %s", key)
    if time.monotonic() - _looked.get(machine, -LOOK_EVERY_SECONDS) >= LOOK_EVERY_SECONDS:
        _looked[machine] = time.monotonic()
        tell_what_lies_ready(context)


def tell_what_lies_ready(context: WorkerContext) -> None:
    machine = base_folders.machine_of(context.cache_folder)
    entries = checkpoint_folder.look(context.settings.effective_checkpoints_folder, machine)
    try:
        with context.database.write() as session:
            base_model_service.note_offered(session, machine=machine, entries=entries)
    except IntegrityError:
        log.debug("another worker of this machine has told the same just now")


def sweep_unused(context: WorkerContext) -> int:
    """Remove what broke off a week ago, what no row points to (a workspace is gone), and the parts for checkpoints of
    one file where the workspace has no such checkpoint any more. Says how many."""
    machine = base_folders.machine_of(context.cache_folder)
    stale = base_folders.untouched(context.cache_folder)
    with context.database.read() as session:
        unused = [folder for folder in stale if not _is_used(session, folder, machine)]
    for folder in unused:
        base_folders.remove(folder)
    return len(unused)


def _is_used(session: Session, folder: Path, machine: str) -> bool:
    workspace_id, key = folder.parent.name, folder.name
    if base_folders.whole(folder) is None:
        return False
    if not key.endswith(base_folders.PARTS):
        copies = queries.state(session, workspace_id=workspace_id, key=key).copies
        return any(copy.machine == machine for copy in copies)
    likes = (
        base_models.like(row.family) for row in base_models.own_bases(session, workspace_id=workspace_id) if row.is_file
    )
    return any(one is not None and f"{one.key}{base_folders.PARTS}" == key for one in likes)
