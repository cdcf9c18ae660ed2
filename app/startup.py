"""What every process and command of Livery does first: what it writes is for its own user alone."""

import contextlib
import logging
import os
import stat
import sys
from collections.abc import Iterator
from pathlib import Path

from app.settings import Settings

log = logging.getLogger("livery.startup")
OTHERS = 0o077
OLD_PYTHON = {(3, 11): 14, (3, 12): 12, (3, 13): 8}
"""The first release of each line that mends how ZIP archives and HTML are read."""


def keep_private(settings: Settings) -> None:
    """From here on new files are the user's alone, and so is what an earlier version left open in the data folder."""
    os.umask(OTHERS)
    folder = settings.data_dir
    if not folder.is_dir():
        return
    if folder.stat().st_mode & stat.S_ISVTX or folder.resolve().parent == folder.resolve():  # such as /tmp, or /
        log.warning("the data folder %s belongs to everybody; set DATA_DIR to one of its own", folder)
        return
    for path in _left_open(folder, settings):
        _close(path)


def _left_open(folder: Path, settings: Settings) -> Iterator[Path]:
    """What others may get at: the database, what lies in our folders if these are open themselves, and the data folder.

    A folder comes after what is in it, so that it stays open, and is gone through again, if this is cut short.
    Checkpoints are not ours: a person puts them there, and may share them with other programs.
    """
    database = _sqlite_file(settings)
    if database is not None:
        yield from (database.with_name(database.name + ending) for ending in ("", "-wal", "-shm", "-journal"))
    yield folder / "secret_key"
    for ours in (folder / "files", folder / "worker-cache"):
        if ours.is_dir() and not ours.is_symlink() and ours.stat().st_mode & OTHERS:
            for inside, folders, files in os.walk(ours, topdown=False):
                yield from (Path(inside, name) for name in (*files, *folders))
            yield ours
    yield folder


def _sqlite_file(settings: Settings) -> Path | None:
    if not settings.effective_database_url.startswith("sqlite"):
        return None
    if not settings.database_url:
        return Path(settings.effective_database_url.removeprefix("sqlite:///"))
    from sqlalchemy import make_url  # here: the parent of all processes speaks to no database

    url = make_url(settings.database_url)
    return Path(url.database) if url.get_backend_name() == "sqlite" and url.database else None


def _close(path: Path) -> None:
    with contextlib.suppress(FileNotFoundError):  # another process of ours was faster
        mode = path.lstat().st_mode
        if stat.S_ISLNK(mode) or not mode & OTHERS:
            return
        try:
            path.chmod(stat.S_IMODE(mode) & ~OTHERS)
        except OSError:  # another user's, or on a disk that is only for reading
            if mode & 0o007:
                log.warning("%s can be read by every user of this machine, and cannot be closed", path)


def warn_of_old_python(version: tuple[int, ...] = sys.version_info[:3]) -> None:
    """Say so where Python's own readers of ZIP archives and HTML have known flaws."""
    line, release = (version[0], version[1]), version[2]
    if release < OLD_PYTHON.get(line, 0):
        log.warning(
            "Python %s reads ZIP archives and HTML with flaws that are mended since; use %d.%d.%d or later",
            ".".join(map(str, version)),
            *line,
            OLD_PYTHON[line],
        )
