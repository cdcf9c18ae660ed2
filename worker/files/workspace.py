"""Files on their way between storage and an engine's local folder."""

import fcntl
import shutil
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from app.storage import Storage

FOLDER_PREFIX = "livery-job-"
LOCK = ".in-use"
YOUNG_SECONDS = 3600.0


@contextmanager
def job_folder(name: str) -> Iterator[Path]:
    """An empty local folder for one attempt, removed afterwards however it ends.

    A lock on a file in it, which ends with this process, tells a folder in use from what a killed process left.
    """
    folder = Path(tempfile.mkdtemp(prefix=f"{FOLDER_PREFIX}{name}-"))
    try:
        with (folder / LOCK).open("wb") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def is_in_use(folder: Path) -> bool:
    """Whether the process that made this job's folder still works in it."""
    try:
        with (folder / LOCK).open("rb") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except FileNotFoundError:
        # Between its making and its lock; what stays so is old.
        return folder.exists() and time.time() - folder.stat().st_mtime < YOUNG_SECONDS
    except BlockingIOError:
        return True
    return False


def bring_in(storage: Storage, key: str, target: Path) -> Path:
    """Copy the file under ``key`` to ``target`` and return it. Raises ``FileNotFoundError``."""
    target.parent.mkdir(parents=True, exist_ok=True)
    storage.fetch(key, target)
    return target


def bring_in_folder(storage: Storage, prefix: str, target: Path) -> Path:
    """Copy every file under ``prefix`` into the folder ``target``, with the same names below it.

    Raises ``FileNotFoundError`` when there is none.
    """
    keys = list(storage.keys_under(prefix))
    if not keys:
        raise FileNotFoundError(prefix)
    for key in keys:
        bring_in(storage, key, target / key.removeprefix(prefix + "/"))
    return target


def bring_out_folder(storage: Storage, folder: Path, prefix: str) -> None:
    """Put every file of ``folder`` under ``prefix``; names must be plain (lower case, digits, ``_`` and ``-``)."""
    for path in sorted(folder.rglob("*")):
        if path.is_file():
            storage.put(f"{prefix}/{path.relative_to(folder).as_posix()}", path)


def cached(storage: Storage, key: str, cache: Path, sha256: str) -> Path:
    """A local copy of an immutable file, kept under its content's hash for later jobs."""
    target = cache / f"{sha256}.safetensors"
    if not target.exists():
        cache.mkdir(parents=True, exist_ok=True)
        aside = Path(tempfile.mkstemp(dir=cache)[1])
        storage.fetch(key, aside)
        aside.replace(target)
    return target
