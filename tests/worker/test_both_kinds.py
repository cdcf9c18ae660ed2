"""What both kinds of training go through in a worker, with engines that need no model."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select

from app.adapters.models import Adapter
from app.db import Database, new_id
from app.jobs.models import Job
from app.storage import Storage
from app.trainings import attempts
from app.trainings.estimates import Estimate
from app.trainings.models import HeldOutPoint, LossPoint, Training, TrainingText
from tests.conftest import SignedIn
from tests.fake_engine import FakeEngine
from tests.fake_voice_engine import STEPS, FakeVoiceEngine
from tests.orders import make_brand, order_training, order_voice_training
from tests.voices import add_texts
from worker.context import WorkerContext
from worker.engines import registry
from worker.engines.device import DeviceFacts
from worker.files import base_models
from worker.run_job import run_next

QUEUES = ("training",)
BEFORE = Path(__file__).parents[1] / "data" / "trainings" / "before.json"
"""A waiting training of each kind as the rows held it before both stood in one room, and their jobs."""


@pytest.fixture
def voice_engine(monkeypatch: pytest.MonkeyPatch) -> FakeVoiceEngine:
    fake = FakeVoiceEngine()
    monkeypatch.setattr(registry, "text_engine_for", lambda family: fake)
    monkeypatch.setattr(base_models, "_is_in_the_hubs_cache", lambda source: True)
    return fake


@pytest.fixture
def start_voice(database: Database, storage: Storage, owner: SignedIn) -> Callable[..., str]:
    def started(**fields: object) -> str:
        project_id = make_brand(database, storage, owner.workspace_id, pictures=0)
        add_texts(database, owner.workspace_id, project_id, 24)
        return order_voice_training(database, owner.workspace_id, project_id, **fields)

    return started


def told(database: Database, training_id: str) -> Estimate:
    with database.read() as session:
        return Estimate.model_validate(session.get_one(Training, training_id).estimate)


def state_of(database: Database, training_id: str) -> str:
    with database.read() as session:
        return session.scalars(select(Job.state).where(Job.subject_id == training_id)).one()


def test_a_voices_first_steps_are_measured_and_its_page_says_what_they_promise(
    database: Database,
    context: WorkerContext,
    voice_engine: FakeVoiceEngine,
    owner: SignedIn,
    start_voice: Callable[..., str],
) -> None:
    training_id, seen = start_voice(epochs=2), []

    def look(step: int) -> None:
        if step == 10:
            seen.append(owner.client.get(f"/voice-trainings/{training_id}").text)

    voice_engine.before_step = look
    assert run_next(context, QUEUES)
    first = told(database, training_id).first_steps
    assert first is not None and first.steps == 5 and first.seconds_per_step == pytest.approx(0.5)
    # Sixteen steps were left when the first eight had been taken.
    assert first.seconds is not None and first.seconds >= first.seconds_left >= (STEPS - 8) * 0.5
    assert 'data-state="running"' in seen[0] and 'data-state="first-steps"' not in seen[0]
    ended = owner.client.get(f"/voice-trainings/{training_id}").text
    assert 'data-state="done"' in ended and '<th scope="col" class="num" data-state="first-steps">' in ended


def test_what_the_first_steps_said_is_forgotten_where_steps_are_computed_in_another_way(
    database: Database, context: WorkerContext, voice_engine: FakeVoiceEngine, start_voice: Callable[..., str]
) -> None:
    training_id = start_voice(epochs=2)
    train = voice_engine.train

    def short(recipe: Any, inputs: Any, out: Path, progress: Any) -> Any:
        def full(step: int) -> None:
            if step == 20:
                progress.short_of_memory(micro_batch_size=1, gradient_checkpointing=True)

        voice_engine.before_step = full
        return train(recipe, inputs, out, progress)

    voice_engine.train = short  # type: ignore[method-assign]
    assert run_next(context, QUEUES)
    estimate = told(database, training_id)
    assert estimate.shortage is not None and estimate.first_steps is None


def test_an_attempt_forgets_in_one_go_what_came_after_its_checkpoint(
    database: Database,
    context: WorkerContext,
    voice_engine: FakeVoiceEngine,
    start_voice: Callable[..., str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    training_id, begun = start_voice(epochs=2), []
    begin = attempts.begin_attempt

    def counted(session: Any, claim: Any, *, from_step: int) -> None:
        begin(session, claim, from_step=from_step)
        left = [session.scalars(select(table.step)).all() for table in (LossPoint, HeldOutPoint, TrainingText)]
        begun.append((from_step, [max(steps, default=0) for steps in left]))

    monkeypatch.setattr(attempts, "begin_attempt", counted)

    def stop(step: int) -> None:
        if step == 18:
            context.stopping.set()

    voice_engine.before_step = stop
    assert run_next(context, QUEUES)
    context.stopping.clear()
    voice_engine.before_step = lambda step: None
    assert run_next(context, QUEUES)
    assert voice_engine.first_steps == [0, 12] and state_of(database, training_id) == "done"
    assert begun == [(0, [0, 0, 0]), (12, [12, 12, 12])], "losses, held-out losses and texts in one transaction"


@pytest.mark.parametrize("kind", ["look", "voice"])
def test_a_training_that_waited_before_goes_on_as_it_was_frozen(
    database: Database,
    storage: Storage,
    context: WorkerContext,
    engine: FakeEngine,
    voice_engine: FakeVoiceEngine,
    owner: SignedIn,
    kind: str,
) -> None:
    row = json.loads(BEFORE.read_text())[kind]
    waiting_job = row.pop("job")
    project_id, training_id = make_brand(database, storage, owner.workspace_id), new_id()
    for picture in row["pictures"]:
        picture["working_key"] = f"projects/{project_id}/images/{picture['image_id']}.webp"
        (any_picture, *_) = storage.keys_under(f"projects/{project_id}/images")
        storage.put(picture["working_key"], storage.get(any_picture))
    with database.write() as session:
        session.add(Training(id=training_id, workspace_id=owner.workspace_id, project_id=project_id, **row))
        session.flush()
        queued = Job.__table__.insert().values(
            id=new_id(),
            workspace_id=owner.workspace_id,
            project_id=project_id,
            subject_id=training_id,
            title="Before",
            state="queued",
            **waiting_job,
        )
        session.execute(queued)
    path = {"look": "trainings", "voice": "voice-trainings"}[kind]
    assert 'data-state="queued"' in owner.client.get(f"/{path}/{training_id}").text
    context.device = DeviceFacts("A card", "cuda", 24 * 10**9, 100.0)
    assert run_next(context, QUEUES)
    assert state_of(database, training_id) == "done"
    with database.read() as session:
        training, adapter = session.get_one(Training, training_id), session.scalars(select(Adapter)).one()
        assert (training.recipe, training.pictures, training.voice) == (row["recipe"], row["pictures"], row["voice"])
        assert training.estimate["plan"] == row["estimate"]["plan"]
        assert (adapter.training_id, adapter.purpose) == (training_id, row["purpose"])
        assert adapter.facts["recipe"] == row["recipe"] and adapter.facts["finished"]
    assert 'data-state="done"' in owner.client.get(f"/{path}/{training_id}").text
    assert owner.client.get(f"/adapters/{adapter.id}").status_code == 200


def test_each_kind_has_its_own_page_of_the_same_road(
    database: Database,
    storage: Storage,
    context: WorkerContext,
    engine: FakeEngine,
    voice_engine: FakeVoiceEngine,
    owner: SignedIn,
    start_voice: Callable[..., str],
) -> None:
    look = order_training(database, owner.workspace_id, make_brand(database, storage, owner.workspace_id))
    voice = start_voice(epochs=2)
    while run_next(context, QUEUES):
        pass
    for address, other in ((f"/trainings/{look}", f"/voice-trainings/{look}"), (f"/voice-trainings/{voice}", "")):
        page = owner.client.get(address).text
        assert 'data-state="done"' in page and f"{address}/live" not in page, "it asks for itself no more"
        if other:
            assert owner.client.get(other).status_code == 404
