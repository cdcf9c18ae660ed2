"""When storage, database or checkpoints fail a worker: what may pass is tried again, and nothing kept is lost."""

import errno
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select, update
from sqlalchemy.exc import OperationalError
from sqlalchemy.orm import Session

from app.db import Database, now
from app.generations import service as generations
from app.generations.models import Output
from app.generations.requests import GenerationRequest
from app.jobs import claims, outcomes
from app.jobs.models import Job
from app.storage import Storage, StorageAway, StorageRefuses
from app.trainings.models import TrainingSample
from tests.fake_engine import FakeEngine
from tests.orders import make_brand, order_training
from worker import run_job
from worker.celery_app import make_celery
from worker.context import WorkerContext
from worker.engines.contracts import EngineError
from worker.run_job import run_next

QUEUES = ("training", "generation")


@pytest.fixture(autouse=True)
def no_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(run_job, "PAUSES_SECONDS", (0.0, 0.0))


@pytest.fixture
def training_id(database: Database, storage: Storage, workspace_id: str) -> str:
    return order_training(database, workspace_id, make_brand(database, storage, workspace_id), sample_prompts=())


@pytest.fixture
def generation_id(database: Database, storage: Storage, workspace_id: str) -> str:
    project_id = make_brand(database, storage, workspace_id)
    with database.write() as session:
        return generations.request_pictures(
            session,
            workspace_id=workspace_id,
            project_id=project_id,
            user_id=None,
            request=GenerationRequest(prompt="a lighthouse", count=2, adapters=()),
        ).generation.id


def job_of(database: Database, subject_id: str) -> Job:
    with database.read() as session:
        return session.scalars(select(Job).where(Job.subject_id == subject_id)).one()


def fail_times(storage: Storage, monkeypatch: pytest.MonkeyPatch, count: int, error: Exception) -> list[str]:
    """Let the next ``count`` puts raise ``error``; returns the keys that were tried."""
    original, tried = storage.put, []

    def put(key: str, content: bytes | Path) -> None:
        tried.append(key)
        if len(tried) <= count:
            raise error
        original(key, content)

    monkeypatch.setattr(storage, "put", put)
    return tried


@pytest.mark.parametrize("error", [StorageAway(), OSError(errno.ENOSPC, "no space left")])
def test_a_storage_error_that_passes_costs_nothing(
    database: Database,
    storage: Storage,
    context: WorkerContext,
    engine: FakeEngine,
    training_id: str,
    monkeypatch: pytest.MonkeyPatch,
    error: Exception,
) -> None:
    fail_times(storage, monkeypatch, 1, error)
    assert run_next(context, QUEUES)
    job = job_of(database, training_id)
    assert (job.state, job.attempt) == ("done", 1)


def test_a_storage_that_stays_away_ends_the_job_with_a_sentence(
    database: Database,
    storage: Storage,
    context: WorkerContext,
    engine: FakeEngine,
    generation_id: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    tried = fail_times(storage, monkeypatch, 99, StorageAway())
    run_next(context, QUEUES)
    job = job_of(database, generation_id)
    assert (job.state, job.error_code, len(tried)) == ("failed", "storage_away", 3)
    assert job.error_sentence == run_job.STORAGE_AWAY


@pytest.mark.slow
def test_what_cannot_pass_is_not_tried_again(
    database: Database,
    storage: Storage,
    context: WorkerContext,
    engine: FakeEngine,
    generation_id: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    tried = fail_times(storage, monkeypatch, 99, StorageRefuses())
    run_next(context, QUEUES)
    job = job_of(database, generation_id)
    assert (job.state, job.error_code, len(tried)) == ("failed", "storage_refuses", 1)


def test_a_stop_while_the_storage_is_away_gives_the_job_back(
    database: Database,
    storage: Storage,
    context: WorkerContext,
    engine: FakeEngine,
    training_id: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(run_job, "PAUSES_SECONDS", (600.0,))
    fail_times(storage, monkeypatch, 99, StorageAway())
    engine.before_step = lambda step: context.stopping.set() if step == 4 else None
    run_next(context, QUEUES)
    job = job_of(database, training_id)
    assert (job.state, job.attempts_without_progress) == ("queued", 0)


def die_at(database: Database, engine: FakeEngine, at: int) -> None:
    """Let the attempt end without a word at this step, and its lease run out."""

    def die(step: int) -> None:
        if step == at:
            with database.write() as session:
                session.execute(update(Job).values(lease_until=now() - timedelta(seconds=1)))
            raise claims.LeaseLost("")

    engine.before_step = die


def come_back(database: Database, engine: FakeEngine) -> None:
    engine.before_step = lambda step: None
    with database.write() as session:
        assert outcomes.reap(session) == 1


def test_a_damaged_checkpoint_is_passed_over_for_the_one_before(
    database: Database, storage: Storage, context: WorkerContext, engine: FakeEngine, training_id: str
) -> None:
    die_at(database, engine, 11)
    run_next(context, QUEUES)
    checkpoint = job_of(database, training_id).checkpoint
    assert checkpoint and (checkpoint["step"], checkpoint["before"]["step"]) == (8, 4)
    come_back(database, engine)
    original = engine.train

    def train(recipe: Any, inputs: Any, out: Path, progress: Any) -> Any:
        if inputs.resume_from is not None and inputs.resume_from.name == "resume-8":
            raise EngineError("bad_checkpoint", "damaged")
        return original(recipe, inputs, out, progress)

    engine.train = train  # type: ignore[method-assign]
    run_next(context, QUEUES)
    assert engine.first_steps == [0, 4]
    assert job_of(database, training_id).state == "done"


def test_without_any_checkpoint_left_it_begins_anew(
    database: Database, storage: Storage, context: WorkerContext, engine: FakeEngine, training_id: str
) -> None:
    die_at(database, engine, 11)
    run_next(context, QUEUES)
    checkpoint = job_of(database, training_id).checkpoint
    assert checkpoint
    storage.delete_under(checkpoint["key"])
    storage.delete_under(checkpoint["before"]["key"])
    come_back(database, engine)
    run_next(context, QUEUES)
    assert engine.first_steps == [0, 0]
    assert job_of(database, training_id).state == "done"


def test_pruning_leaves_the_recorded_checkpoints_and_those_of_later_attempts(
    database: Database, storage: Storage, context: WorkerContext, engine: FakeEngine, training_id: str
) -> None:
    with database.read() as session:
        project_id = session.scalars(select(Job.project_id)).one()
    above = f"projects/{project_id}/trainings/{training_id}/checkpoints"
    # Left by attempts that died before they could record them: further than what is recorded, or of the future.
    for unrecorded in ("a1/30", "a1/40", "a9/8"):
        storage.put(f"{above}/{unrecorded}/state.json", b"{}")
    seen: list[set[str]] = []
    engine.before_step = lambda step: seen.append({key.removeprefix(above) for key in storage.keys_under(above)})
    run_next(context, QUEUES)
    assert seen[-1] == {"/a1/4/state.json", "/a1/8/state.json", "/a9/8/state.json"}


def lose_the_answer(monkeypatch: pytest.MonkeyPatch, module: Any, name: str, database: Database, then: str) -> None:
    """Let the next transaction with this action be committed, but its answer and (``then``) its lease be lost."""
    original, lost = getattr(module, name), []

    def action(session: Session, *arguments: Any, **named: Any) -> Any:
        result = original(session, *arguments, **named)
        if not lost:
            lost.append(True)
            session.commit()
            if then == "lease lost":
                with database.write() as other:
                    other.execute(update(Job).values(fence=Job.fence + 1))
            raise OperationalError("COMMIT", {}, Exception("server closed the connection"))
        return result

    monkeypatch.setattr(module, name, action)


@pytest.mark.parametrize("then", ["lease kept", "lease lost"])
def test_a_commit_whose_answer_was_lost_keeps_its_files(
    database: Database,
    storage: Storage,
    context: WorkerContext,
    engine: FakeEngine,
    generation_id: str,
    monkeypatch: pytest.MonkeyPatch,
    then: str,
) -> None:
    lose_the_answer(monkeypatch, generations, "add_output", database, then)
    run_next(context, QUEUES)
    with database.read() as session:
        outputs = list(session.scalars(select(Output)))
    assert len(outputs) == (2 if then == "lease kept" else 1)
    assert all(storage.exists(output.key) and storage.exists(output.thumb_key) for output in outputs)


def test_a_sample_whose_commit_was_lost_from_sight_keeps_its_file(
    database: Database,
    storage: Storage,
    context: WorkerContext,
    engine: FakeEngine,
    workspace_id: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    from app.trainings import attempts

    order_training(database, workspace_id, make_brand(database, storage, workspace_id))
    lose_the_answer(monkeypatch, attempts, "note_sample", database, "lease lost")
    run_next(context, QUEUES)
    with database.read() as session:
        samples = list(session.scalars(select(TrainingSample)))
    assert len(samples) == 1 and storage.exists(samples[0].key)


def test_a_checkpoint_whose_commit_was_lost_from_sight_keeps_its_files(
    database: Database,
    storage: Storage,
    context: WorkerContext,
    engine: FakeEngine,
    training_id: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    lose_the_answer(monkeypatch, claims, "record_checkpoint", database, "lease lost")
    run_next(context, QUEUES)
    checkpoint = job_of(database, training_id).checkpoint
    assert checkpoint and storage.exists(f"{checkpoint['key']}/state.json")


def test_a_wake_up_that_comes_twice_does_no_harm(
    database: Database, context: WorkerContext, engine: FakeEngine, generation_id: str
) -> None:
    wake = make_celery("memory://", context).tasks["livery.wake"]
    for _ in range(3):
        wake("generation")
    job = job_of(database, generation_id)
    assert (job.state, job.attempt) == ("done", 1)


def test_a_picture_counts_as_progress(
    database: Database, context: WorkerContext, engine: FakeEngine, generation_id: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    original: Callable[..., bool] = generations.add_output

    def die_after(session: Session, *arguments: Any) -> bool:
        kept = original(session, *arguments)
        assert session.get_one(Job, arguments[0].job_id, populate_existing=True).attempts_without_progress == 0
        return kept

    monkeypatch.setattr(generations, "add_output", die_after)
    run_next(context, QUEUES)
    assert job_of(database, generation_id).state == "done"


def test_a_training_that_was_cancelled_while_it_changed_workers_keeps_its_adapter(
    database: Database, context: WorkerContext, engine: FakeEngine, training_id: str, workspace_id: str
) -> None:
    def stop(step: int) -> None:
        if step == 6:
            context.stopping.set()

    engine.before_step = stop
    run_next(context, QUEUES)
    with database.write() as session:
        job = session.scalars(select(Job).where(Job.subject_id == training_id)).one()
        assert job.state == "queued"
        job.cancel_requested = True  # asked for in the moment before it was given back
    context.stopping.clear()
    engine.before_step = lambda step: None
    run_next(context, QUEUES)
    assert job_of(database, training_id).state == "cancelled"
