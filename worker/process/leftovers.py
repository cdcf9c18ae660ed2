"""What earlier processes left on this machine's disk: folders of jobs that were killed, adapters that are gone."""

import shutil
import tempfile
from pathlib import Path

from app.adapters import queries as adapters
from worker.context import WorkerContext
from worker.files.workspace import FOLDER_PREFIX, is_in_use


def sweep_job_folders() -> int:
    """Remove the folders of jobs whose process is gone. Says how many."""
    stale = [
        folder
        for folder in Path(tempfile.gettempdir()).glob(f"{FOLDER_PREFIX}*")
        if folder.is_dir() and not is_in_use(folder)
    ]
    for folder in stale:
        shutil.rmtree(folder, ignore_errors=True)
    return len(stale)


def sweep_cache(context: WorkerContext) -> int:
    """Remove cached adapters that no row knows any more. Says how many."""
    cached = {path.stem: path for path in context.cache_folder.glob("*.safetensors")}
    with context.database.read() as session:
        gone = set(cached) - adapters.known_hashes(session, set(cached))
    for sha256 in gone:
        cached[sha256].unlink(missing_ok=True)
    return len(gone)
