"""A worker whose disk is nearly full: what runs pauses at a checkpoint, what waits is left, and all goes on later."""

import os
import subprocess
import tempfile
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import select, text
from starlette.testclient import TestClient

from app.accounts import service as accounts
from app.accounts.models import ApiToken
from app.db import Database, new_id
from app.jobs.models import Job, Worker
from app.jobs.notifier import NullNotifier
from app.machine import disk
from app.machine.disk import MB, PAUSED, DiskWatch, NoRoom, free_bytes
from app.main import create_app
from app.migrate import migrate
from app.settings import Settings
from app.storage import Storage, open_storage
from tests.fake_engine import FakeEngine
from tests.orders import make_brand, make_workspace, order_training, worker_context
from worker import run_job
from worker.engines import registry
from worker.process.upkeep import tick
from worker.run_job import run_next


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
    tick(context, NullNotifier())
    with database.read() as session:
        worker = session.get_one(Worker, context.worker_id)
        assert (worker.short_of_disk, worker.free_bytes) == (True, 400 * MB)

    free = 700 * MB
    engine.before_step = lambda step: None
    assert run_next(context, ("training",))
    done = job()
    assert (done.state, done.held_back) == ("done", None)
    assert engine.first_steps == [0, 6], "it went on from where it was"


@pytest.fixture
def small_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A file system of 24 MB; database, files and the folders of jobs are to lie on it."""
    place = tmp_path / "small"
    place.mkdir()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=24m", "livery-test", place], capture_output=True)
    if mounted.returncode:
        pytest.skip("mounting a small disk needs root with CAP_SYS_ADMIN")
    monkeypatch.setattr(tempfile, "tempdir", str(place))
    yield place
    subprocess.run(["umount", "--lazy", place], check=True)


def fill(place: Path, *, but: int) -> Path:
    """Fill the disk but for so many bytes."""
    filler = place / "filler"
    with filler.open("wb") as file:
        os.posix_fallocate(file.fileno(), 0, free_bytes(place) - but)
    return filler


@pytest.fixture
def cramped(small_disk: Path) -> Iterator[tuple[Settings, Database]]:
    """Livery on the small disk."""
    settings = Settings(data_dir=small_disk, secret_key="only for tests", disk_floor_mb=8, log_level="WARNING")
    database = Database(settings.effective_database_url)
    migrate(database)
    yield settings, database
    database.engine.dispose()


def owners_token(database: Database) -> tuple[str, str]:
    """An API token, and its workspace's id."""
    token = f"{accounts.TOKEN_START}{new_id()}"
    with database.write() as session:
        user, workspace = accounts.create_owner(
            session, name="Ada", email="ada@example.org", password_hash="-", workspace_name="Muster", locale="en"
        )
        token_hash = accounts.sha256(token)
        session.add(
            ApiToken(workspace_id=workspace.id, user_id=user.id, name="x", prefix=token[:12], token_hash=token_hash)
        )
        return token, workspace.id


def is_sound(database: Database) -> bool:
    with database.read() as session:
        return session.scalar(text("PRAGMA integrity_check")) == "ok"


def test_on_a_real_disk_work_stops_with_a_sentence_before_anything_breaks(
    cramped: tuple[Settings, Database], small_disk: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings, database = cramped
    storage = open_storage(settings)
    engine = FakeEngine(before_step=lambda step: fill(small_disk, but=6 * MB) if step == 6 else None)
    monkeypatch.setattr(registry, "engine_for", lambda family: engine)
    context = worker_context(database, storage)
    context.disk = DiskWatch(small_disk, floor_mb=settings.disk_floor_mb)
    token, workspace_id = owners_token(database)
    brand = make_brand(database, storage, workspace_id)
    order_training(database, workspace_id, brand)

    def job() -> Job:
        with database.read() as session:
            return session.scalars(select(Job)).one()

    assert run_next(context, ("training",))
    assert (job().state, job().held_back, (job().checkpoint or {})["step"]) == ("queued", PAUSED, 6)
    app = create_app(settings)
    with TestClient(app, base_url="http://testserver") as client:
        refused = client.post(
            f"/api/v1/projects/{brand}/images",
            files={"file": ("some.png", b"x" * 1000)},
            headers={"authorization": f"Bearer {token}"},
        )
    app.state.commit_hook.stop()
    app.state.database.engine.dispose()
    assert (refused.status_code, refused.json()["sentence"]) == (507, NoRoom.sentence)
    assert not run_next(context, ("training",)) and is_sound(database)

    (small_disk / "filler").unlink()
    engine.before_step = lambda step: None
    assert run_next(context, ("training",))
    assert (job().state, engine.first_steps) == ("done", [0, 6])


@pytest.mark.slow
def test_a_disk_that_is_full_to_the_last_byte_costs_nothing_but_time(
    cramped: tuple[Settings, Database],
    small_disk: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    settings, database = cramped
    storage = open_storage(settings)
    monkeypatch.setattr(run_job, "PAUSES_SECONDS", (0.5,) * 60)
    began: list[threading.Timer] = []

    def fill_up(step: int) -> None:
        if step == 6 and not began:
            filler = fill(small_disk, but=0)
            began.append(threading.Timer(4, filler.unlink))
            began[0].start()

    engine = FakeEngine(before_step=fill_up)
    monkeypatch.setattr(registry, "engine_for", lambda family: engine)
    context = worker_context(database, storage)
    workspace_id = make_workspace(database)
    order_training(database, workspace_id, make_brand(database, storage, workspace_id))
    assert run_next(context, ("training",))
    began[0].join()
    with database.read() as session:
        job = session.scalars(select(Job)).one()
    assert (job.state, job.attempt) == ("done", 1)
    assert "No space left" in caplog.text or "database or disk is full" in caplog.text, (
        "the disk was full when it wrote"
    )
    assert is_sound(database)
