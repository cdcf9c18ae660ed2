"""From the claimed job to the registered adapter, with an engine that needs no model."""

import json
import struct
from collections.abc import Callable

import pytest
from sqlalchemy import select, update

from app.adapters.models import Adapter
from app.db import Database, now
from app.jobs import claims, outcomes
from app.jobs import service as jobs
from app.jobs import workers as job_workers
from app.jobs.models import Job
from app.storage import Storage
from app.trainings.estimates import Estimate
from app.trainings.look.recipe import TrainingRecipe
from app.trainings.models import LossPoint, Training, TrainingSample
from tests.fake_engine import FakeEngine
from tests.orders import make_brand, order_training
from worker.context import WorkerContext
from worker.engines.contracts import EngineError
from worker.engines.device import DeviceFacts
from worker.run_job import run_next

QUEUES = ("training",)


@pytest.fixture
def project_id(database: Database, storage: Storage, workspace_id: str) -> str:
    return make_brand(database, storage, workspace_id)


@pytest.fixture
def order(database: Database, workspace_id: str, project_id: str) -> Callable[..., str]:
    return lambda **fields: order_training(database, workspace_id, project_id, **fields)


def job_of(database: Database, training_id: str) -> Job:
    with database.read() as session:
        return session.scalars(select(Job).where(Job.subject_id == training_id)).one()


def adapters(database: Database) -> list[Adapter]:
    with database.read() as session:
        return list(session.scalars(select(Adapter).order_by(Adapter.version)))


def header_of(storage: Storage, key: str) -> dict[str, str]:
    content = storage.get(key)
    (length,) = struct.unpack("<Q", content[:8])
    return json.loads(content[8 : 8 + length])["__metadata__"]


def test_a_training_ends_with_an_adapter_in_three_forms(
    database: Database, storage: Storage, context: WorkerContext, engine: FakeEngine, order: Callable[..., str]
) -> None:
    training_id = order()
    assert run_next(context, QUEUES)

    job = job_of(database, training_id)
    assert (job.state, job.error_sentence) == ("done", None)
    (adapter,) = adapters(database)
    assert (adapter.name, adapter.version, adapter.purpose) == ("Bäckerei Süß", 1, "style")
    assert (adapter.facts["picture_count"], adapter.facts["steps"], adapter.facts["finished"]) == (6, 12, True)
    assert (adapter.facts["precision"], adapter.facts["skipped_steps"]) == ("float16", 1)
    assert adapter.byte_count == storage.size(adapter.diffusers_key)
    kohya, clean = header_of(storage, adapter.kohya_key), header_of(storage, adapter.clean_key)
    assert kohya["ss_output_name"] == clean["ss_output_name"] == "baeckerei-suess-style-v1"
    assert kohya["ss_mixed_precision"] == "fp16"
    assert "Brötchen" in kohya["ss_tag_frequency"]
    assert "Brötchen" not in json.dumps(clean, ensure_ascii=False) and "ss_num_train_images" not in clean


def test_what_it_learned_can_be_watched(
    database: Database, storage: Storage, context: WorkerContext, engine: FakeEngine, order: Callable[..., str]
) -> None:
    training_id = order()
    run_next(context, QUEUES)
    with database.read() as session:
        points = list(session.scalars(select(LossPoint).order_by(LossPoint.step)))
        samples = list(session.scalars(select(TrainingSample)))
        training = session.get_one(Training, training_id)
    assert [point.step for point in points] == list(range(1, 13))
    assert points[3].loss == pytest.approx(1 / 4)
    assert sorted({sample.step for sample in samples}) == [0, 4, 8, 12]
    assert all(storage.exists(sample.key) for sample in samples)
    assert {(sample.width, sample.height) for sample in samples} == {(512, 512)}, "drawn at 128 and enlarged"
    first = Estimate.model_validate(training.estimate).first_steps
    assert first is not None and (first.steps, first.memory_bytes) == (5, 120_000_000)
    assert first.seconds_per_step == pytest.approx(0.01)
    # Four steps were left when the first eight had been taken.
    assert first.seconds is not None and first.seconds >= first.seconds_left >= 4 * 0.01
    # The worker's own name for its device, by which an estimate finds the measurement.
    assert (training.seconds_per_step, training.device) == (0.01, context.device.name)
    assert not list(storage.keys_under(f"projects/{training.project_id}/trainings/{training_id}/checkpoints"))


def test_a_long_training_keeps_at_most_500_points_of_its_loss(
    database: Database, context: WorkerContext, engine: FakeEngine, order: Callable[..., str]
) -> None:
    order(steps=1203, checkpoint_every=5000, sample_prompts=())
    run_next(context, QUEUES)
    with database.read() as session:
        steps = list(session.scalars(select(LossPoint.step).order_by(LossPoint.step)))
    assert len(steps) <= 500 and steps[-1] == 1203


def test_the_pictures_come_with_caption_and_crop(
    context: WorkerContext, engine: FakeEngine, order: Callable[..., str]
) -> None:
    order(resolution=96)
    run_next(context, QUEUES)
    picture = engine.trained[0].pictures[0]
    assert picture.caption == "ein süßes Brötchen 0"
    assert (picture.target_width, picture.target_height, picture.width, picture.height) == (96, 96, 160, 160)


def test_cancelling_keeps_an_adapter_of_the_steps_so_far(
    database: Database, context: WorkerContext, engine: FakeEngine, order: Callable[..., str], workspace_id: str
) -> None:
    training_id = order()

    def cancel(step: int) -> None:
        if step == 12:
            with database.write() as session:
                jobs.request_cancel(session, workspace_id=workspace_id, job_id=job_of(database, training_id).id)

    engine.before_step = cancel
    run_next(context, QUEUES)
    assert job_of(database, training_id).state == "cancelled"
    (adapter,) = adapters(database)
    assert (adapter.facts["finished"], adapter.facts["steps"], adapter.facts["planned_steps"]) == (False, 12, 12)


def test_cancelling_before_the_first_step_keeps_nothing(
    database: Database, context: WorkerContext, engine: FakeEngine, order: Callable[..., str]
) -> None:
    training_id = order()
    with database.write() as session:
        claim = claims.claim_next(session, queues=QUEUES, owner="test-worker")
        assert claim is not None
        session.execute(update(Job).values(cancel_requested=True))
        outcomes.give_back(session, claim)
        session.execute(update(Job).values(cancel_requested=False))
    original = engine.train

    def train(*arguments: object) -> object:
        with database.write() as session:
            session.execute(update(Job).values(cancel_requested=True))
        return original(*arguments)  # type: ignore[arg-type]

    engine.train = train  # type: ignore[method-assign, assignment]
    run_next(context, QUEUES)
    assert job_of(database, training_id).state == "cancelled"
    assert adapters(database) == []


def test_a_failure_is_a_sentence(
    database: Database, storage: Storage, context: WorkerContext, engine: FakeEngine, order: Callable[..., str]
) -> None:
    training_id = order()

    def fail(step: int) -> None:
        if step == 6:
            raise EngineError("diverged", "The training diverged at step 6.")

    engine.before_step = fail
    run_next(context, QUEUES)
    job = job_of(database, training_id)
    assert (job.state, job.error_code, job.error_sentence) == ("failed", "diverged", "The training diverged at step 6.")
    assert adapters(database) == []


def test_a_picture_that_is_gone_is_said_so(
    database: Database, storage: Storage, context: WorkerContext, engine: FakeEngine, order: Callable[..., str]
) -> None:
    training_id = order()
    with database.read() as session:
        storage.delete(session.get_one(Training, training_id).pictures[2]["working_key"])
    run_next(context, QUEUES)
    assert job_of(database, training_id).error_code == "picture_gone"
    assert engine.trained == []


def test_an_attempt_that_lost_its_lease_leaves_no_row_and_no_file(
    database: Database, storage: Storage, context: WorkerContext, engine: FakeEngine, order: Callable[..., str]
) -> None:
    training_id = order()

    def lose(step: int) -> None:
        if step == 12:
            with database.write() as session:
                session.execute(update(Job).values(fence=Job.fence + 1))

    engine.before_step = lose
    run_next(context, QUEUES)
    assert job_of(database, training_id).state == "running"
    assert adapters(database) == []
    with database.read() as session:
        training = session.get_one(Training, training_id)
        assert training.seconds_per_step is None
        assert max(session.scalars(select(TrainingSample.step))) == 8
        project_id = training.project_id
    assert not list(storage.keys_under(f"projects/{project_id}/adapters"))
    assert not [key for key in storage.keys_under(f"projects/{project_id}/trainings") if "/12" in key]


def test_a_lease_lost_before_the_end_registers_nothing(
    database: Database,
    storage: Storage,
    context: WorkerContext,
    engine: FakeEngine,
    order: Callable[..., str],
    project_id: str,
) -> None:
    order()
    original = engine._adapter

    def lose(*arguments: object, **named: object) -> object:
        with database.write() as session:
            session.execute(update(Job).values(fence=Job.fence + 1))
        return original(*arguments, **named)  # type: ignore[arg-type]

    engine._adapter = lose  # type: ignore[method-assign, assignment]
    run_next(context, QUEUES)
    assert adapters(database) == []
    assert not list(storage.keys_under(f"projects/{project_id}/adapters"))


def test_the_next_attempt_goes_on_from_the_last_checkpoint(
    database: Database,
    storage: Storage,
    context: WorkerContext,
    engine: FakeEngine,
    order: Callable[..., str],
    project_id: str,
) -> None:
    training_id = order()

    def die(step: int) -> None:
        if step == 11:
            with database.write() as session:
                session.execute(update(Job).values(lease_until=now()))
            raise claims.LeaseLost(training_id)

    engine.before_step = die
    run_next(context, QUEUES)
    checkpoint = job_of(database, training_id).checkpoint
    assert checkpoint is not None and checkpoint["step"] == 8
    assert storage.exists(f"{checkpoint['key']}/state.json")

    engine.before_step = lambda step: None
    with database.write() as session:
        outcomes.reap(session)
    run_next(context, QUEUES)
    assert engine.first_steps == [0, 8]
    assert job_of(database, training_id).state == "done"
    with database.read() as session:
        assert list(session.scalars(select(LossPoint.step).order_by(LossPoint.step))) == list(range(1, 13))
        assert len(list(session.scalars(select(TrainingSample)))) == 8
    assert [one.version for one in adapters(database)] == [1]


@pytest.mark.slow
def test_two_checkpoints_are_kept_while_it_runs(
    database: Database,
    storage: Storage,
    context: WorkerContext,
    engine: FakeEngine,
    order: Callable[..., str],
    project_id: str,
) -> None:
    training_id = order(steps=20)
    seen: list[list[str]] = []

    def look(step: int) -> None:
        folder = f"projects/{project_id}/trainings/{training_id}/checkpoints"
        seen.append(sorted(key.split("/")[-2] for key in storage.keys_under(folder)))

    engine.before_step = look
    run_next(context, QUEUES)
    assert seen[-1] == ["12", "16"]


def test_a_worker_that_stops_hands_the_training_on(
    database: Database, context: WorkerContext, engine: FakeEngine, order: Callable[..., str]
) -> None:
    training_id = order()

    def stop(step: int) -> None:
        if step == 6:
            context.stopping.set()

    engine.before_step = stop
    run_next(context, QUEUES)
    job = job_of(database, training_id)
    assert job.state == "queued" and job.checkpoint is not None
    context.stopping.clear()
    run_next(context, QUEUES)
    assert engine.first_steps[1] >= 4
    assert job_of(database, training_id).state == "done"


def test_versions_count_up_within_a_brand(
    database: Database, context: WorkerContext, engine: FakeEngine, order: Callable[..., str]
) -> None:
    order(purpose="style")
    order(purpose="product")
    run_next(context, QUEUES)
    run_next(context, QUEUES)
    assert [(one.version, one.purpose) for one in adapters(database)] == [(1, "style"), (2, "product")]


@pytest.mark.slow
def test_out_of_memory_goes_on_with_a_coarser_base_and_says_so(
    database: Database, context: WorkerContext, engine: FakeEngine, order: Callable[..., str]
) -> None:
    context.device = DeviceFacts("A card", "cuda", 24_000_000_000, 100.0)
    with database.write() as session:
        job_workers.report_worker(
            session,
            "w1",
            queues=QUEUES,
            device="A card",
            job_id=None,
            device_kind="cuda",
            device_memory_bytes=24_000_000_000,
            device_tera_operations=100.0,
        )
    training_id = order(base_model="flux-2-klein-base-4b")
    with database.read() as session:
        planned = session.get_one(Training, training_id)
        before, estimate = TrainingRecipe.model_validate(planned.recipe), Estimate.model_validate(planned.estimate)
    assert estimate.plan is not None and estimate.plan.fits and estimate.time_basis == "calculated"
    shortages = [1, 6]

    def full(step: int) -> None:
        if shortages and step == shortages[0]:
            shortages.pop(0)
            raise EngineError("out_of_memory", "The card's memory ran out.")

    engine.before_step = full
    assert run_next(context, QUEUES)
    assert job_of(database, training_id).state == "done"
    with database.read() as session:
        ended = session.get_one(Training, training_id)
        after, told = TrainingRecipe.model_validate(ended.recipe), Estimate.model_validate(ended.estimate)
    assert told.plan is not None and told.fell_back_from == estimate.plan
    assert told.plan.memory_bytes < estimate.plan.memory_bytes and "4 bits" in told.plan.reason
    assert after.quantization == told.plan.quantization == "nf4"
    assert told.first_steps is None, "the base is held in another way since, and too few steps were left to measure"
    assert (
        after.batch_size * after.gradient_accumulation_steps == before.batch_size * before.gradient_accumulation_steps
    )
    assert engine.first_steps == [0, 0, 4], "the last attempt goes on from the checkpoint before the shortage"


@pytest.mark.slow
def test_a_worker_with_less_memory_plans_anew_or_refuses_in_words(
    database: Database, context: WorkerContext, engine: FakeEngine, order: Callable[..., str]
) -> None:
    with database.write() as session:
        job_workers.report_worker(
            session,
            "w1",
            queues=QUEUES,
            device="Large",
            job_id=None,
            device_kind="cuda",
            device_memory_bytes=80 * 10**9,
        )
    small, too_small, chosen = (
        order(base_model="flux-1-dev"),
        order(base_model="flux-1-dev"),
        order(base_model="flux-1-dev", quantization="none"),
    )
    for training_id, memory in ((small, 12), (too_small, 3), (chosen, 12)):
        context.device = DeviceFacts("Small", "cuda", memory * 10**9)
        assert run_next(context, QUEUES)
        assert job_of(database, training_id).state == ("failed" if memory == 3 else "done")
    assert job_of(database, too_small).error_code == "device_too_small"
    with database.read() as session:
        trainings = [session.get_one(Training, one) for one in (small, chosen)]
        recipes = [TrainingRecipe.model_validate(one.recipe) for one in trainings]
        told = [Estimate.model_validate(one.estimate) for one in trainings]
    assert [one.quantization for one in recipes] == ["nf4", "none"] and recipes[1].block_offload
    for one in told:
        assert one.plan is not None and one.plan.fits and one.plan.device == "Small"
        assert one.moved_from is not None and one.moved_from.device == "Large"
    assert len(engine.trained) == 2


def test_out_of_memory_without_a_coarser_base_fails_with_its_sentence(
    database: Database, context: WorkerContext, engine: FakeEngine, order: Callable[..., str]
) -> None:
    def full(step: int) -> None:
        raise EngineError("out_of_memory", "The card's memory ran out.")

    engine.before_step = full
    training_id = order()
    run_next(context, QUEUES)
    job = job_of(database, training_id)
    assert (job.state, job.error_code) == ("failed", "out_of_memory")
