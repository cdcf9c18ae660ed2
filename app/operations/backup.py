"""A consistent copy of database and files, and the way back.

The database is copied first, as it was at one moment; then the files. Files are never changed, so a copy of the
database fits every file that is copied later, but for one that was deleted in between: then its row is gone as well,
and the database is copied once more.
"""

import hashlib
import json
import os
import shutil
import sqlite3
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path

from sqlalchemy import URL, create_engine, inspect, make_url, text
from sqlalchemy.orm import Session

from app.db import Database, now
from app.operations import keys
from app.operations.orphans import FILES
from app.storage import Storage

MANIFEST = "manifest.json"
DATABASE_FILES = {"sqlite": "database.sqlite3", "postgresql": "database.dump"}
SECRET_KEY = "secret_key"  # noqa: S105 - the name of a file
FORMAT = 1
TRIES = 3


class BackupError(Exception):
    """What the person at the terminal reads."""


@dataclass(frozen=True)
class StoredFile:
    key: str
    size: int
    sha256: str


@dataclass(frozen=True)
class Manifest:
    format: int
    made_at: str
    database: str
    """``sqlite`` or ``postgresql``."""
    database_sha256: str
    files: list[StoredFile]

    @property
    def byte_count(self) -> int:
        return sum(file.size for file in self.files)


def back_up(database_url: str, storage: Storage, target: Path, *, secret_key: Path | None = None) -> Manifest:
    """Copy everything into the new folder ``target``. The manifest is written last: without it, it is no backup.

    Raises ``BackupError``.
    """
    if target.exists() and any(target.iterdir()):
        raise BackupError(f"{target} is not empty; choose a new folder")
    target.mkdir(parents=True, exist_ok=True, mode=0o700)
    url = make_url(database_url)
    kind = url.get_backend_name()
    copy = target / DATABASE_FILES[kind]
    for _ in range(TRIES):
        wanted = _copy_sqlite(url, copy) if kind == "sqlite" else _copy_postgresql(url, copy)
        there = set(storage.keys_under(FILES))
        if wanted <= there:
            break
    else:
        missing = sorted(wanted - there)
        raise BackupError(f"{len(missing)} files that rows point to are missing in the storage, such as {missing[0]}")
    files = []
    for key in sorted(there):
        try:
            files.append(_bring(storage, key, target / "files" / key))
        except FileNotFoundError:
            if key in wanted:
                raise BackupError(f"{key} was deleted while the backup was made; please start it again") from None
    if secret_key is not None and secret_key.exists():
        (target / SECRET_KEY).touch(mode=0o600)
        shutil.copyfile(secret_key, target / SECRET_KEY)
    manifest = Manifest(FORMAT, now().isoformat(timespec="seconds"), kind, _sha256_of(copy), files)
    (target / MANIFEST).write_text(json.dumps(asdict(manifest), indent=1))
    return manifest


def _copy_sqlite(url: URL, copy: Path) -> set[str]:
    """Through SQLite's own backup, which waits for nobody and is whole; says which files the copy's rows point to."""
    if not url.database or not Path(url.database).is_file():
        raise BackupError(f"there is no database at {url.database}")
    copy.unlink(missing_ok=True)
    source, target = sqlite3.connect(f"file:{url.database}?mode=ro", uri=True), sqlite3.connect(copy)
    try:
        source.backup(target)
        target.execute("PRAGMA journal_mode=DELETE")
        (verdict,) = target.execute("PRAGMA integrity_check").fetchone()
    finally:
        target.close()
        source.close()
    if verdict != "ok":
        raise BackupError(f"the copy of the database is damaged: {verdict}")
    database = Database(f"sqlite:///{copy}")
    try:
        with database.read() as session:
            found = set(keys.referenced(session))
    finally:
        database.engine.dispose()
    for ending in ("-wal", "-shm"):
        copy.with_name(copy.name + ending).unlink(missing_ok=True)
    # Opening it for reading has switched it back to a write-ahead log.
    with sqlite3.connect(copy) as again:
        again.execute("PRAGMA journal_mode=DELETE")
    again.close()
    return found


def _copy_postgresql(url: URL, copy: Path) -> set[str]:
    """Through ``pg_dump``, in the very snapshot in which the keys are read."""
    engine = create_engine(url, isolation_level="REPEATABLE READ")
    try:
        with engine.connect() as connection:
            snapshot = connection.execute(text("SELECT pg_export_snapshot()")).scalar_one()
            with Session(connection) as session:
                found = set(keys.referenced(session))
            _run("pg_dump", url, "--format=custom", "--no-owner", f"--snapshot={snapshot}", f"--file={copy}")
    finally:
        engine.dispose()
    return found


def _run(program: str, url: URL, *arguments: str) -> None:
    """One of PostgreSQL's own programs, from the PATH; the password goes by the environment, where few may look."""
    found = shutil.which(program)
    if found is None:
        raise BackupError(f"{program} is needed for PostgreSQL and was not found; install PostgreSQL's client programs")
    plain = url.set(drivername="postgresql", password=None).render_as_string()
    environment = dict(os.environ)
    if url.password:
        environment["PGPASSWORD"] = str(url.password)
    done = subprocess.run(  # noqa: S603 - our own arguments
        [found, f"--dbname={plain}", *arguments], env=environment, capture_output=True, text=True, check=False
    )
    if done.returncode != 0:
        raise BackupError(f"{program} failed: {done.stderr.strip()[-2000:]}")


def _bring(storage: Storage, key: str, target: Path) -> StoredFile:
    target.parent.mkdir(parents=True, exist_ok=True)
    digest, size = hashlib.sha256(), 0
    with target.open("wb") as file:
        for chunk in storage.chunks(key):
            file.write(chunk)
            digest.update(chunk)
            size += len(chunk)
        file.flush()
        os.fsync(file.fileno())
    if size != storage.size(key):
        raise BackupError(f"{key} came incomplete")
    return StoredFile(key, size, digest.hexdigest())


def _sha256_of(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def read_manifest(source: Path) -> Manifest:
    """Raises ``BackupError`` for a folder that holds no whole backup."""
    try:
        given = json.loads((source / MANIFEST).read_text())
        files = [StoredFile(**file) for file in given.pop("files")]
        manifest = Manifest(**given, files=files)
    except FileNotFoundError:
        raise BackupError(f"{source} holds no {MANIFEST}, so it is no whole backup") from None
    except (KeyError, TypeError, ValueError) as error:
        raise BackupError(f"{source / MANIFEST} cannot be read: {error}") from error
    if manifest.format != FORMAT:
        raise BackupError(f"this backup is of format {manifest.format}; this version reads {FORMAT}")
    return manifest


def restore(source: Path, database_url: str, storage: Storage, *, secret_key: Path | None = None) -> Manifest:
    """Bring a backup into an empty database and an empty storage. Everything is checked before anything is written.

    Raises ``BackupError``.
    """
    manifest = read_manifest(source)
    url = make_url(database_url)
    kind = url.get_backend_name()
    if kind != manifest.database:
        raise BackupError(f"this backup is of {manifest.database}; DATABASE_URL names {kind}")
    copy = source / DATABASE_FILES[kind]
    _check(copy, manifest.database_sha256, "the copy of the database")
    for file in manifest.files:
        _check(source / "files" / file.key, file.sha256, file.key)
    _refuse_to_overwrite(url, storage, secret_key)
    for file in manifest.files:
        storage.put(file.key, source / "files" / file.key)
        if storage.size(file.key) != file.size or _sha256_in(storage, file.key) != file.sha256:
            raise BackupError(f"{file.key} did not arrive whole in the storage")
    # The database last: until it is there, Livery finds nothing and shows nothing by halves.
    if kind == "sqlite":
        with _aside(Path(str(url.database))) as aside:
            shutil.copyfile(copy, aside)
    else:
        _run("pg_restore", url, "--no-owner", "--exit-on-error", "--single-transaction", str(copy))
    kept_key = source / SECRET_KEY
    if secret_key is not None and kept_key.exists():
        secret_key.parent.mkdir(parents=True, exist_ok=True)
        secret_key.touch(mode=0o600)
        shutil.copyfile(kept_key, secret_key)
    return manifest


def _check(path: Path, sha256: str, name: str) -> None:
    if not path.is_file():
        raise BackupError(f"{name} is missing in the backup")
    if _sha256_of(path) != sha256:
        raise BackupError(f"{name} in the backup is damaged: its content is not what the manifest says")


def _sha256_in(storage: Storage, key: str) -> str:
    digest = hashlib.sha256()
    for chunk in storage.chunks(key):
        digest.update(chunk)
    return digest.hexdigest()


def _refuse_to_overwrite(url: URL, storage: Storage, secret_key: Path | None) -> None:
    if next(iter(storage.keys_under(FILES)), None) is not None:
        raise BackupError("the storage holds files already; restore into an empty one")
    if secret_key is not None and secret_key.exists():
        raise BackupError(f"{secret_key} is there already; restore into a new data folder")
    if url.get_backend_name() == "sqlite":
        if Path(str(url.database)).exists():
            raise BackupError(f"{url.database} is there already; restore into a new data folder")
        return
    engine = create_engine(url)
    try:
        if inspect(engine).get_table_names():
            raise BackupError("the database holds tables already; restore into an empty one")
    finally:
        engine.dispose()


@contextmanager
def _aside(target: Path) -> Iterator[Path]:
    """A file beside ``target`` that takes its place when it is complete."""
    target.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(dir=target.parent)
    os.close(handle)
    aside = Path(name)
    try:
        yield aside
        aside.replace(target)
    finally:
        aside.unlink(missing_ok=True)
