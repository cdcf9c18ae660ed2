"""A training that a person pauses holds no worker, keeps what it has learned, and goes on from there."""

from collections.abc import Callable
from datetime import timedelta

import pytest
from sqlalchemy import select, update

from app.adapters.models import Adapter
from app.db import Database, now
from app.jobs import claims, outcomes
from app.jobs import service as jobs
from app.jobs.models import Job
from app.storage import Storage
from app.trainings.models import LossPoint
from tests.answers import code_of
from tests.conftest import SignedIn, SignUp
from tests.fake_engine import FakeEngine
from tests.orders import make_brand, order_training
from tests.tokens import api_client
from worker.context import WorkerContext
from worker.run_job import run_next

QUEUES = ("training",)
Ask = Callable[..., str]


@pytest.fixture
def training_id(database: Database, storage: Storage, owner: SignedIn) -> str:
    return order_training(database, owner.workspace_id, make_brand(database, storage, owner.workspace_id))


@pytest.fixture
def ask(owner: SignedIn, training_id: str) -> Ask:
    """Press a button of its page; returns the state that the page then shows."""

    def asked(what: str) -> str:
        answer = owner.client.post(f"/trainings/{training_id}/{what}")
        assert answer.status_code == 303, answer.text
        return state_on(owner.client.get(f"/trainings/{training_id}").text)

    return asked


def state_on(page: str) -> str:
    return page.split('id="live"')[1].split('data-state="')[1].split('"')[0]


def job_of(database: Database, training_id: str) -> Job:
    with database.read() as session:
        return session.scalars(select(Job).where(Job.subject_id == training_id)).one()


def adapters(database: Database) -> list[Adapter]:
    with database.read() as session:
        return list(session.scalars(select(Adapter)))


def at_step(engine: FakeEngine, wanted: int, act: Callable[[], object]) -> None:
    engine.before_step = lambda step: act() if step == wanted else None  # type: ignore[assignment, return-value]


def hear_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("worker.progress.WRITE_EVERY_SECONDS", 0.0)


def test_a_running_one_stops_at_its_step_and_goes_on_from_it(
    database: Database,
    context: WorkerContext,
    engine: FakeEngine,
    training_id: str,
    ask: Ask,
    owner: SignedIn,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    hear_at_once(monkeypatch)
    at_step(engine, 6, lambda: ask("pause"))
    assert run_next(context, QUEUES)
    job = job_of(database, training_id)
    assert (job.state, job.owner, job.pause_requested, job.attempts_without_progress) == ("paused", None, False, 0)
    assert job.checkpoint is not None and job.checkpoint["step"] == 6
    assert not run_next(context, QUEUES), "no worker takes it"
    assert state_on(owner.client.get(f"/trainings/{training_id}").text) == "paused"
    assert f'href="/trainings/{training_id}"' in owner.client.get("/jobs").text

    engine.before_step = lambda step: None
    assert (ask("resume"), ask("resume")) == ("queued", "queued"), "twice is once"
    assert run_next(context, QUEUES) and not run_next(context, QUEUES)
    assert engine.first_steps == [0, 6]
    with database.read() as session:
        assert list(session.scalars(select(LossPoint.step).order_by(LossPoint.step))) == list(range(1, 13))
    assert job_of(database, training_id).state == "done" and len(adapters(database)) == 1


def test_a_waiting_one_is_paused_at_once(
    database: Database, context: WorkerContext, engine: FakeEngine, training_id: str, ask: Ask
) -> None:
    assert (ask("pause"), ask("pause")) == ("paused", "paused")
    assert not run_next(context, QUEUES)
    assert ask("resume") == "queued"
    assert run_next(context, QUEUES) and engine.first_steps == [0]


def test_a_pause_that_is_taken_back_in_time_is_none(
    database: Database,
    context: WorkerContext,
    engine: FakeEngine,
    training_id: str,
    ask: Ask,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    hear_at_once(monkeypatch)
    at_step(engine, 6, lambda: (ask("pause"), ask("resume")))
    assert run_next(context, QUEUES)
    assert job_of(database, training_id).state == "done" and engine.first_steps == [0]


def test_a_worker_that_dies_while_it_pauses_leaves_it_paused(
    database: Database, context: WorkerContext, engine: FakeEngine, training_id: str, ask: Ask
) -> None:
    def die() -> None:
        ask("pause")
        with database.write() as session:
            session.execute(update(Job).values(lease_until=now() - timedelta(seconds=1)))
        raise claims.LeaseLost(training_id)

    at_step(engine, 7, die)
    run_next(context, QUEUES)
    with database.write() as session:
        assert outcomes.reap(session) == 1
    job = job_of(database, training_id)
    assert (job.state, job.pause_requested, (job.checkpoint or {})["step"]) == ("paused", False, 4)
    engine.before_step = lambda step: None
    ask("resume")
    run_next(context, QUEUES)
    assert engine.first_steps == [0, 4] and job_of(database, training_id).state == "done"


def test_cancelling_a_paused_one_keeps_what_it_has_learned(
    database: Database,
    context: WorkerContext,
    engine: FakeEngine,
    training_id: str,
    ask: Ask,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    hear_at_once(monkeypatch)
    at_step(engine, 6, lambda: ask("pause"))
    run_next(context, QUEUES)
    engine.before_step = lambda step: None
    assert ask("cancel") == "queued"
    run_next(context, QUEUES)
    assert job_of(database, training_id).state == "cancelled"
    (adapter,) = adapters(database)
    assert (adapter.facts["steps"], adapter.facts["finished"]) == (6, False)


def test_cancelling_one_that_learned_nothing_ends_it(database: Database, training_id: str, ask: Ask) -> None:
    ask("pause")
    assert ask("cancel") == "cancelled"
    assert adapters(database) == []


def test_the_time_of_a_pause_is_nobodys(
    database: Database,
    context: WorkerContext,
    engine: FakeEngine,
    training_id: str,
    ask: Ask,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    hear_at_once(monkeypatch)
    at_step(engine, 6, lambda: ask("pause"))
    run_next(context, QUEUES)
    with database.write() as session:
        hours = timedelta(hours=5)
        job = session.scalars(select(Job)).one()
        assert job.paused_at is not None and job.started_at is not None
        job.paused_at, job.started_at = job.paused_at - hours, job.started_at - hours
    engine.before_step = lambda step: None
    ask("resume")
    run_next(context, QUEUES)
    job = job_of(database, training_id)
    assert job.finished_at is not None and 0 <= (job.seconds_until(job.finished_at) or -1) < 3600


def test_who_may_not_and_what_cannot(
    database: Database,
    context: WorkerContext,
    engine: FakeEngine,
    training_id: str,
    owner: SignedIn,
    sign_up: SignUp,
    ask: Ask,
) -> None:
    stranger = sign_up()
    for what in ("pause", "resume"):
        assert stranger.client.post(f"/trainings/{training_id}/{what}").status_code == 404
        assert owner.client.post(f"/voice-trainings/{training_id}/{what}").status_code == 404
    with database.write() as session:
        other = jobs.enqueue(
            session,
            workspace_id=owner.workspace_id,
            project_id=None,
            kind="generation",
            subject_id="0" * 32,
            title="",
            created_by=None,
        )
        with pytest.raises(jobs.CannotPause):
            jobs.request_pause(session, workspace_id=owner.workspace_id, job_id=other.id)
        session.delete(other)
    run_next(context, QUEUES)
    program = api_client(owner)
    answer = program.post(f"/api/v1/trainings/{training_id}/pause")
    assert (answer.status_code, code_of(answer)) == (409, "already_over")


def test_programs_pause_and_resume(training_id: str, owner: SignedIn) -> None:
    program = api_client(owner)
    paused = program.post(f"/api/v1/trainings/{training_id}/pause").json()["job"]
    assert paused["state"] == "paused" and paused["paused_at"]
    assert program.get("/api/v1/jobs").json()["active"][0]["state"] == "paused"
    assert program.post(f"/api/v1/trainings/{training_id}/resume").json()["job"]["state"] == "queued"
