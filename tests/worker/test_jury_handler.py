"""The jury sits at every sampled step of a training, with an engine that needs no model."""

from collections.abc import Callable

import pytest
from sqlalchemy import select, update

from app.db import Database
from app.images.models import Image
from app.storage import Storage
from app.trainings.look import queries
from app.trainings.models import Training, TrainingSample
from tests.fake_engine import FakeEngine
from tests.orders import make_brand, order_training
from worker.context import WorkerContext
from worker.engines.contracts import GiveBack
from worker.run_job import run_next

QUEUES = ("training",)


@pytest.fixture
def project_id(database: Database, storage: Storage, workspace_id: str) -> str:
    made = make_brand(database, storage, workspace_id)
    with database.write() as session:
        last = session.scalars(select(Image.id).order_by(Image.created_at.desc(), Image.id.desc())).first()
        session.execute(update(Image).where(Image.id == last).values(only_judging=True))
    return made


@pytest.fixture
def order(database: Database, workspace_id: str, project_id: str) -> Callable[..., str]:
    return lambda **fields: order_training(database, workspace_id, project_id, **fields)


def test_what_is_kept_back_is_never_learned_and_measured_at_every_step(
    database: Database, context: WorkerContext, engine: FakeEngine, order: Callable[..., str]
) -> None:
    training_id = order(sample_prompts=("[trigger], a kite",), steps=240, checkpoint_every=80, batch_size=4)
    assert run_next(context, QUEUES)
    with database.read() as session:
        training = session.get_one(Training, training_id)
        readings = queries.readings(session, training_id)
        watched = queries.samples(session, training_id)
        everything = list(session.scalars(select(TrainingSample)))
    held_out = {one["image_id"] for one in training.held_out}
    assert len(held_out) == 1 and not held_out & {one["image_id"] for one in training.pictures}
    (inputs,) = engine.trained
    assert len(inputs.pictures) == 5
    assert list(readings) == [0, 80, 160, 240]
    assert all(one.palette is not None and one.diversity is not None for one in readings.values())
    assert not any(one.copies for one in readings.values())
    assert {one.position for one in watched} == {0}
    assert len(inputs.jury) and len(everything) == len(watched) + 4 * len(inputs.jury)


def test_an_attempt_that_goes_on_measures_beside_the_base_of_the_first(
    database: Database, context: WorkerContext, engine: FakeEngine, order: Callable[..., str]
) -> None:
    training_id = order(sample_prompts=("[trigger], a kite",), steps=240, checkpoint_every=80, batch_size=4)
    engine.before_step = lambda step: _raise(GiveBack()) if step == 100 else None
    run_next(context, QUEUES)
    engine.before_step = lambda step: None
    run_next(context, QUEUES)
    with database.read() as session:
        assert list(queries.readings(session, training_id)) == [0, 80, 160, 240]
    assert engine.first_steps == [0, 99]


def _raise(error: BaseException) -> None:
    raise error
