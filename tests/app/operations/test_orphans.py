"""Files that no row points to are removed, late and carefully; every file that a row points to stays."""

import os
import time
from datetime import timedelta
from pathlib import Path

import pytest
from fastapi import FastAPI
from sqlalchemy import String, select, update

from app.db import Base, Database, now
from app.jobs.models import Counter, Job
from app.operations import keys, orphans
from app.operations.models import OrphanFile
from app.storage import Storage
from tests.orders import make_brand, make_workspace, order_training
from tests.rules.worlds import build


def age(storage: Storage, key: str, hours: float) -> None:
    path = storage.local_path(key)
    assert path is not None
    os.utime(path, (time.time() - hours * 3600,) * 2)


def an_hour_later(database: Database) -> None:
    with database.write() as session:
        session.execute(update(OrphanFile).values(seen_at=now() - orphans.APART))


def test_an_orphan_goes_in_the_second_round(app: FastAPI, database: Database, storage: Storage) -> None:
    build(app, storage, "Nordlicht")
    there = set(storage.keys_under("projects"))
    pointed_to = set(there)
    orphan = "projects/0123/outputs/lost.png"
    storage.put(orphan, b"lost")
    for key in {*there, orphan}:
        age(storage, key, 24)
    assert orphans.sweep(database, storage) == 0
    assert orphans.sweep(database, storage) == 0, "an hour must lie between two rounds"
    an_hour_later(database)
    assert orphans.sweep(database, storage) == 1
    assert set(storage.keys_under("projects")) == pointed_to
    with database.read() as session:
        assert session.scalars(select(OrphanFile)).all() == []


def test_a_file_put_anew_is_spared(database: Database, storage: Storage) -> None:
    """Somebody uploads again what an earlier, failed upload has left: the row comes only after the file."""
    key = "projects/0123/images/again.webp"
    storage.put(key, b"picture")
    age(storage, key, 24)
    orphans.sweep(database, storage)
    an_hour_later(database)
    storage.put(key, b"picture")
    assert orphans.sweep(database, storage) == 0
    assert storage.exists(key)


def test_a_file_that_got_its_row_is_forgotten(database: Database, storage: Storage) -> None:
    workspace_id = make_workspace(database)
    project_id = make_brand(database, storage, workspace_id, pictures=1)
    (key,) = storage.keys_under("projects")
    age(storage, key, 24)
    with database.write() as session:
        session.add(OrphanFile(key=key, seen_at=now() - timedelta(days=1)))
    assert orphans.sweep(database, storage) == 0
    assert storage.exists(key) and project_id
    with database.read() as session:
        assert session.scalars(select(OrphanFile)).all() == []


def test_a_recorded_checkpoint_is_pointed_to(database: Database, storage: Storage) -> None:
    workspace_id = make_workspace(database)
    project_id = make_brand(database, storage, workspace_id)
    training_id = order_training(database, workspace_id, project_id)
    folder = f"projects/{project_id}/trainings/{training_id}/checkpoints/a1/8"
    storage.put(f"{folder}/state.json", b"{}")
    age(storage, f"{folder}/state.json", 24)
    with database.write() as session:
        session.execute(update(Job).values(checkpoint={"key": folder, "step": 8}))
    orphans.sweep(database, storage)
    an_hour_later(database)
    assert orphans.sweep(database, storage) == 0

    def end(state: str, days: float) -> None:
        with database.write() as session:
            session.execute(update(Job).values(state=state, finished_at=now() - timedelta(days=days)))

    end("failed", 6)
    assert orphans.sweep_checkpoints(database, storage) == 0, "it can still be put back into the queue"
    end("failed", 8)
    assert orphans.sweep_checkpoints(database, storage) == 1
    with database.read() as session:
        assert session.scalars(select(Job.checkpoint)).one() is None
    assert orphans.sweep_checkpoints(database, storage) == 0


def test_one_worker_sweeps_in_an_hour(database: Database) -> None:
    with database.write() as session:
        assert orphans.take_turn(session)
        assert not orphans.take_turn(session)
    with database.write() as session:
        session.execute(update(Counter).values(value=now().timestamp() - 3601))
        assert orphans.take_turn(session)


def test_every_text_column_that_may_hold_a_key_is_read() -> None:
    read = set(keys.columns())
    suspects = {
        column
        for table in Base.metadata.sorted_tables
        for column in table.columns
        if isinstance(column.type, String) and column.type.length == 300 and "key" in column.name
    }
    assert suspects - read == {OrphanFile.__table__.c.key}


def test_job_folders_of_killed_processes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import subprocess
    import sys

    from worker.files.workspace import job_folder
    from worker.process import leftovers

    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    code = (
        "import os, sys, worker.files.workspace as w\n"
        "with w.job_folder('training') as f: print(f); sys.stdout.flush(); os._exit(9)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=Path(__file__).parents[3],
        env={**os.environ, "TMPDIR": str(tmp_path)},
        capture_output=True,
        text=True,
    )
    left = Path(done.stdout.strip())
    assert left.is_dir()
    with job_folder("training") as mine:
        assert leftovers.sweep_job_folders() == 1
        assert mine.is_dir() and not left.exists()
    assert list(tmp_path.glob("livery-job-*")) == []
