"""A training that goes on from a kept step equals one that was as long from the start, to the bit. Real steps."""

from collections.abc import Callable
from datetime import timedelta
from itertools import pairwise
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file
from sqlalchemy import select, update

from app.adapters.models import Adapter
from app.db import Database, new_id, now
from app.jobs.models import Job
from app.operations import orphans
from app.storage import Storage
from app.trainings.continuing.kept import KeptStep, with_step
from app.trainings.models import LossPoint, Training, TrainingSample
from tests.answers import code_of
from tests.conftest import SignedIn, SignUp
from tests.fake_engine import FakeEngine
from tests.orders import make_brand, order_training
from tests.tokens import api_client
from worker.context import WorkerContext
from worker.run_job import run_next

QUEUES = ("training",)
SMALL = {"resolution": 128, "rank": 2, "sample_prompts": (), "batch_size": 1}
EVEN = {**SMALL, "learning_rate": 1e-3, "lr_scheduler": "constant"}
Train = Callable[..., str]


@pytest.fixture
def project_id(database: Database, storage: Storage, owner: SignedIn) -> str:
    return make_brand(database, storage, owner.workspace_id)


@pytest.fixture
def train(database: Database, context: WorkerContext, owner: SignedIn, project_id: str) -> Train:
    def trained(**fields: object) -> str:
        training_id = order_training(database, owner.workspace_id, project_id, **fields)
        assert run_next(context, QUEUES)
        return training_id

    return trained


@pytest.fixture
def go_on(database: Database, context: WorkerContext, owner: SignedIn) -> Train:
    """Continue a training by its page's form; returns the new training's id."""

    def gone_on(training_id: str, **fields: object) -> str:
        answer = owner.client.post(f"/trainings/{training_id}/continue", data=fields)
        assert answer.status_code == 303, answer.text
        assert run_next(context, QUEUES)
        return str(answer.headers["location"].rsplit("/", 1)[1])

    return gone_on


def job_of(database: Database, training_id: str) -> Job:
    with database.read() as session:
        return session.scalars(select(Job).where(Job.subject_id == training_id)).one()


def weights(database: Database, storage: Storage, training_id: str, folder: Path) -> dict[str, torch.Tensor]:
    assert job_of(database, training_id).state == "done", job_of(database, training_id).error_sentence
    with database.read() as session:
        key = session.scalars(select(Adapter.diffusers_key).where(Adapter.training_id == training_id)).one()
    storage.fetch(key, folder / f"{training_id}.safetensors")
    return load_file(folder / f"{training_id}.safetensors")


def same(one: dict[str, torch.Tensor], other: dict[str, torch.Tensor]) -> bool:
    return one.keys() == other.keys() and all(torch.equal(one[name], other[name]) for name in one)


@pytest.mark.parametrize("optimizer", ["adamw", "prodigy"])
def test_going_on_equals_one_training_to_the_bit(
    database: Database, storage: Storage, train: Train, go_on: Train, tmp_path: Path, optimizer: str
) -> None:
    rate = {"learning_rate": 1.0} if optimizer == "prodigy" else {}
    fields = {**EVEN, "optimizer": optimizer, "checkpoint_every": 3, "warmup_steps": 2, "ema_decay": 0.9, **rate}
    at_once = weights(database, storage, train(steps=6, **fields), tmp_path)
    short = train(steps=4, **fields)
    assert same(at_once, weights(database, storage, go_on(short, steps=6), tmp_path)), "from its last step"
    assert same(at_once, weights(database, storage, go_on(short, step=3, steps=6), tmp_path)), "from an earlier one"
    assert not same(at_once, weights(database, storage, short, tmp_path))


def test_a_lower_rate_learns_otherwise(
    database: Database, storage: Storage, train: Train, go_on: Train, tmp_path: Path
) -> None:
    short = train(steps=2, **EVEN)
    kept, slower = (go_on(short, steps=4), go_on(short, steps=4, learning_rate="0.0001"))
    assert not same(*(weights(database, storage, one, tmp_path) for one in (kept, slower)))
    with database.read() as session:
        assert session.get_one(Training, slower).recipe["learning_rate"] == 0.0001


def test_its_page_begins_with_what_came_before(
    database: Database, engine: FakeEngine, train: Train, go_on: Train, owner: SignedIn
) -> None:
    short = train(lr_scheduler="constant")
    page = owner.client.get(f"/trainings/{short}").text
    assert 'data-state="even"' in page and all(f'value="{step}"' in page for step in (4, 8, 12))
    further = go_on(short, step=8, steps=20)
    assert engine.first_steps == [0, 8]
    with database.read() as session:
        of_it = session.scalars(select(LossPoint.step).where(LossPoint.training_id == further).order_by(LossPoint.step))
        assert list(of_it) == list(range(1, 21))
        drawn = session.scalars(select(TrainingSample.step).where(TrainingSample.training_id == further))
        assert set(drawn) == {0, 4, 8, 12, 16, 20}
        adapter = session.scalars(select(Adapter).where(Adapter.training_id == further)).one()
        assert (adapter.facts["steps"], adapter.version) == (20, 2)
    assert f'href="/trainings/{short}"' in owner.client.get(f"/trainings/{further}").text


def test_the_page_says_where_the_schedule_makes_it_differ(engine: FakeEngine, train: Train, owner: SignedIn) -> None:
    assert 'data-state="uneven"' in owner.client.get(f"/trainings/{train(lr_scheduler='cosine')}").text


def test_one_that_was_stopped_goes_on_from_where_it_stopped(
    database: Database, engine: FakeEngine, train: Train, go_on: Train, owner: SignedIn, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("worker.progress.WRITE_EVERY_SECONDS", 0.0)

    def stop(step: int) -> None:
        if step == 6:
            with database.write() as session:
                session.execute(update(Job).values(cancel_requested=True))

    engine.before_step = stop
    stopped = train()
    engine.before_step = lambda step: None
    assert job_of(database, stopped).state == "cancelled"
    go_on(stopped, steps=12)
    assert engine.first_steps == [0, 6]


def test_what_is_refused(
    database: Database, engine: FakeEngine, train: Train, owner: SignedIn, sign_up: SignUp, project_id: str
) -> None:
    short, program = train(), api_client(owner)
    address = f"/api/v1/trainings/{short}/continue"
    for sent, code in (
        ({"steps": 12}, "nothing_more"),
        ({"steps": 20, "step": 5}, "no_kept_step"),
        ({"steps": 20, "learning_rate": 0}, "invalid"),
    ):
        answer = program.post(address, json=sent)
        assert (answer.status_code in (409, 422), code_of(answer)) == (True, code)
    assert api_client(sign_up()).post(address, json={"steps": 20}).status_code == 404
    assert program.post(f"/api/v1/voice-trainings/{short}/continue", json={"epochs": 9}).status_code == 404


def test_sent_twice_it_is_one(database: Database, engine: FakeEngine, train: Train, owner: SignedIn) -> None:
    short, program = train(), api_client(owner)
    sent = {"steps": 20, "step": 8, "order_id": new_id()}
    first, second = (program.post(f"/api/v1/trainings/{short}/continue", json=sent) for _ in range(2))
    assert (first.status_code, second.status_code) == (201, 201) and first.json()["id"] == second.json()["id"]
    assert first.json()["continues"] == {"training_id": short, "step": 8}
    kept = program.get(f"/api/v1/trainings/{short}/course").json()["kept_steps"]
    assert [one["step"] for one in kept] == [4, 8, 12] and all(one["byte_count"] > 0 for one in kept)


def test_a_step_that_is_gone_fails_in_words(
    database: Database, storage: Storage, engine: FakeEngine, train: Train, go_on: Train
) -> None:
    short = train()
    with database.read() as session:
        storage.delete_under(session.get_one(Training, short).kept_steps[-1]["folder"])
    assert job_of(database, go_on(short, steps=20)).error_code == "step_gone"


def test_steps_go_after_a_while_but_for_the_last_of_an_adapter(
    database: Database, storage: Storage, engine: FakeEngine, train: Train
) -> None:
    short = train()
    assert orphans.sweep_kept_steps(database, storage) == 0
    with database.write() as session:
        session.execute(update(Job).values(finished_at=now() - timedelta(days=40)))
    assert orphans.sweep_checkpoints(database, storage) == 0, "kept steps are none of its business"
    assert orphans.sweep_kept_steps(database, storage) == 2
    with database.read() as session:
        (left,) = session.get_one(Training, short).kept_steps
    assert left["step"] == 12 and storage.exists(f"{left['folder']}/state.json")


def test_of_many_steps_those_stay_that_are_far_apart() -> None:
    kept: list[KeptStep] = []
    for step in range(1, 101):
        kept = with_step(kept, KeptStep(step=step, folder=f"a1/{step}", byte_count=1), most=10)
    steps = [one.step for one in kept]
    assert len(steps) == 10 and steps[0] == 1 and steps[-1] == 100
    assert max(b - a for a, b in pairwise(steps)) <= 25
