"""However a handler ends, the job row says so, once."""

import threading
import time
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import update

from app.accounts.models import Workspace
from app.db import Database, new_id, now
from app.jobs import claims, outcomes, service
from app.jobs.claims import LeaseLost
from app.jobs.models import Job
from app.jobs.notifier import NullNotifier
from app.settings import Settings
from app.storage import Storage
from worker import run_job
from worker.context import WorkerContext
from worker.engines.contracts import EngineError, Step
from worker.engines.device import DeviceFacts
from worker.handlers.registry import HANDLERS, Handler
from worker.job_run import JobRun
from worker.process import upkeep
from worker.process.upkeep import tick


@pytest.fixture
def context(database: Database, storage: Storage, tmp_path: Path) -> WorkerContext:
    return WorkerContext(database, storage, "w1", ("training",), Settings(), tmp_path / "cache", DeviceFacts("CPU"))


@pytest.fixture
def job_id(database: Database) -> str:
    with database.write() as session:
        workspace = Workspace(name="Muster & Co.")
        session.add(workspace)
        session.flush()
        return service.enqueue(
            session,
            workspace_id=workspace.id,
            project_id=None,
            kind="training",
            subject_id=new_id(),
            title="",
            created_by=None,
        ).id


def run(monkeypatch: pytest.MonkeyPatch, context: WorkerContext, handle: Handler) -> bool:
    monkeypatch.setitem(HANDLERS, "training", handle)
    return run_job.run_next(context, ("training",))


def row(database: Database, job_id: str) -> Job:
    with database.read() as session:
        job = session.get(Job, job_id)
        assert job is not None
        return job


def test_a_handler_that_finishes_its_job(
    monkeypatch: pytest.MonkeyPatch, context: WorkerContext, database: Database, job_id: str
) -> None:
    def handle(attempt: JobRun) -> None:
        attempt.progress.phase("training")
        attempt.progress.step(Step(1, 2, 0.5, 1e-4, 0.1))
        attempt.progress.step(Step(2, 2, 0.4, 1e-4, 0.1))
        attempt.write(lambda session: outcomes.finish(session, attempt.claim))

    assert run(monkeypatch, context, handle)
    job = row(database, job_id)
    assert (job.state, job.progress_done, job.progress_total) == ("done", 2, 2)
    assert job.device_seconds > 0
    assert not run_job.run_next(context, ("training",))


def test_a_sentence_for_people_reaches_the_row(
    monkeypatch: pytest.MonkeyPatch, context: WorkerContext, database: Database, job_id: str
) -> None:
    def handle(*_: object) -> None:
        raise EngineError("out_of_memory", "The card is too small for this. Choose a smaller rank.")

    run(monkeypatch, context, handle)
    job = row(database, job_id)
    assert (job.state, job.error_code) == ("failed", "out_of_memory")
    assert job.error_sentence == "The card is too small for this. Choose a smaller rank."


def test_an_unforeseen_error_shows_no_trace(
    monkeypatch: pytest.MonkeyPatch, context: WorkerContext, database: Database, job_id: str
) -> None:
    def handle(*_: object) -> None:
        raise KeyError("secret internals")

    run(monkeypatch, context, handle)
    job = row(database, job_id)
    assert (job.state, job.error_code) == ("failed", "internal")
    assert "secret" not in (job.error_sentence or "")


def test_cancelling_reaches_the_loop(
    monkeypatch: pytest.MonkeyPatch, context: WorkerContext, database: Database, job_id: str
) -> None:
    def handle(attempt: JobRun) -> None:
        with database.write() as session:
            service.request_cancel(session, workspace_id=attempt.claim.workspace_id, job_id=job_id)
        attempt.progress.phase("training")
        raise AssertionError("the phase should have raised")

    run(monkeypatch, context, handle)
    assert row(database, job_id).state == "cancelled"


def test_a_stopping_worker_gives_its_job_back(
    monkeypatch: pytest.MonkeyPatch, context: WorkerContext, database: Database, job_id: str
) -> None:
    def handle(attempt: JobRun) -> None:
        attempt.context.stopping.set()
        attempt.progress.step(Step(1, 2, 0.5, 1e-4, 0.1))

    run(monkeypatch, context, handle)
    job = row(database, job_id)
    assert (job.state, job.attempts_without_progress) == ("queued", 0)


def test_a_paused_worker_finds_its_lease_gone_and_changes_nothing(
    monkeypatch: pytest.MonkeyPatch, context: WorkerContext, database: Database, job_id: str
) -> None:
    def handle(attempt: JobRun) -> None:
        with database.write() as session:
            session.execute(update(Job).values(lease_until=now() - timedelta(seconds=1)))
        with database.write() as session:
            outcomes.reap(session)
        other = attempt.write(lambda session: claims.claim_next(session, queues=("training",), owner="w2"))
        assert other is not None
        attempt.write(lambda session: outcomes.finish(session, other))
        with pytest.raises(LeaseLost):
            attempt.progress.phase("training")
        attempt.write(lambda session: outcomes.fail(session, attempt.claim, code="late", sentence="late"))

    run(monkeypatch, context, handle)
    job = row(database, job_id)
    assert (job.state, job.error_code) == ("done", None)


def test_the_lease_is_kept_while_a_step_takes_long(
    monkeypatch: pytest.MonkeyPatch, context: WorkerContext, database: Database, job_id: str
) -> None:
    monkeypatch.setattr("worker.progress.HEARTBEAT_SECONDS", 0.05)
    seen = threading.Event()

    def handle(attempt: JobRun) -> None:
        before = row(database, job_id).lease_until
        for _ in range(200):
            time.sleep(0.02)
            if row(database, job_id).lease_until != before:
                seen.set()
                break
        attempt.write(lambda session: outcomes.finish(session, attempt.claim))

    run(monkeypatch, context, handle)
    assert seen.is_set()


def test_a_lost_wake_up_is_sent_again(context: WorkerContext, database: Database, job_id: str) -> None:
    notified: list[str] = []

    class Notebook:
        def notify(self, queue: str) -> None:
            notified.append(queue)

    tick(context, Notebook())
    assert notified == []
    with database.write() as session:
        session.execute(update(Job).values(created_at=now() - timedelta(seconds=30)))
    tick(context, Notebook())
    assert notified == ["training"]


def test_a_sweep_that_takes_long_holds_up_no_round(context: WorkerContext, monkeypatch: pytest.MonkeyPatch) -> None:
    sweeping, rounds = threading.Event(), threading.Semaphore(0)

    def long_sweep(_: WorkerContext) -> None:
        sweeping.set()
        context.stopping.wait(60)

    monkeypatch.setattr(upkeep, "sweep", long_sweep)
    monkeypatch.setattr(upkeep, "tick", lambda *_: rounds.release())
    monkeypatch.setattr(upkeep, "TICK_SECONDS", 0.01)
    monkeypatch.setattr(upkeep, "FIRST_SWEEP_SECONDS", 0.0)
    threads = upkeep.keep_ticking(context, NullNotifier())
    assert sweeping.wait(30)
    assert all(rounds.acquire(timeout=30) for _ in range(3))
    context.stopping.set()
    for thread in threads:
        thread.join(30)
        assert not thread.is_alive()
