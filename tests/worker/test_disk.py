"""A worker whose disk is nearly full: what runs pauses at a checkpoint, what waits is left, and all goes on later."""

from pathlib import Path

import pytest
from sqlalchemy import select

from app import disk
from app.db import Database
from app.disk import MB, PAUSED, DiskWatch
from app.jobs.announce import SilentBell
from app.jobs.models import Job, Worker
from app.storage import Storage
from tests.fake_engine import FakeEngine
from tests.orders import make_brand, make_workspace, order_training, worker_context
from worker.engines import registry
from worker.run_job import run_next
from worker.upkeep import tick


def test_a_training_pauses_and_goes_on(
    database: Database, storage: Storage, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    free = 600 * MB
    monkeypatch.setattr(disk, "free_bytes", lambda folder: free)

    def fill_up(step: int) -> None:
        nonlocal free
        if step == 6:
            free = 400 * MB

    engine = FakeEngine(before_step=fill_up)
    monkeypatch.setattr(registry, "engine_for", lambda family: engine)
    context = worker_context(database, storage)
    context.disk = DiskWatch(tmp_path, floor_mb=500)
    workspace_id = make_workspace(database)
    training_id = order_training(database, workspace_id, make_brand(database, storage, workspace_id))

    def job() -> Job:
        with database.read() as session:
            return session.scalars(select(Job).where(Job.subject_id == training_id)).one()

    assert run_next(context, ("training",))
    paused = job()
    assert (paused.state, paused.held_back, paused.attempts_without_progress) == ("queued", PAUSED, 0)
    assert paused.checkpoint is not None and paused.checkpoint["step"] == 6

    assert not run_next(context, ("training",)), "nothing is claimed"
    tick(context, SilentBell())
    with database.read() as session:
        worker = session.get_one(Worker, context.worker_id)
        assert (worker.short_of_disk, worker.free_bytes) == (True, 400 * MB)

    free = 700 * MB
    engine.before_step = lambda step: None
    assert run_next(context, ("training",))
    done = job()
    assert (done.state, done.held_back) == ("done", None)
    assert engine.first_steps == [0, 6], "it went on from where it was"
