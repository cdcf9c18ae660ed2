"""Ordering a training: frozen, once, and only where it can work."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import select, update

from app.base_models import catalogue
from app.db import Database, new_id, now
from app.errors import NotFound
from app.images.models import Image
from app.jobs.models import Job, Worker
from app.projects.models import Project
from app.storage import Storage
from app.trainings import queries, service
from app.trainings.advice import RETRY_RANK, RETRY_SAME
from app.trainings.errors import AlreadyStarted, BadResolution, BrandArchived, DoraAlone, LokrAlone, TooFewPictures
from app.trainings.look import retry
from app.trainings.look.kind import LOOK
from app.trainings.look.overrides import TrainingOverrides
from app.trainings.models import Training
from tests.orders import make_brand, make_workspace, order_training

pytestmark = pytest.mark.dialect


@pytest.fixture
def workspace_id(database: Database) -> str:
    return make_workspace(database)


@pytest.fixture
def project_id(database: Database, storage: Storage, workspace_id: str) -> str:
    return make_brand(database, storage, workspace_id)


@pytest.fixture
def start(database: Database, workspace_id: str, project_id: str) -> Callable[..., Training]:
    def started(order_id: str | None = None, **fields: Any) -> Training:
        with database.write() as session:
            return service.start_training(
                session,
                LOOK,
                workspace_id=workspace_id,
                project_id=project_id,
                overrides=TrainingOverrides(**fields),
                created_by=None,
                order_id=order_id,
            )

    return started


def rows(database: Database) -> tuple[int, int]:
    with database.read() as session:
        return len(list(session.scalars(select(Training)))), len(list(session.scalars(select(Job))))


def test_an_order_is_frozen_with_its_job(database: Database, start: Callable[..., Training], project_id: str) -> None:
    given = start(purpose="product")
    with database.write() as session:
        session.execute(update(Image).values(caption="changed later", focus_x=0.0))
        session.execute(update(Project).values(trigger_word="changed"))
    with database.read() as session:
        order = queries.job_spec(session, LOOK, workspace_id=given.workspace_id, training_id=given.id)
        job = session.scalars(select(Job)).one()
    assert order.frozen[0].caption == "ein süßes Brötchen 0" and len(order.frozen) == 6
    assert (order.recipe.purpose, order.recipe.trigger_word) == ("product", "suessbaeck")
    assert (job.queue, job.subject_id, job.title, job.state) == ("training", given.id, "Bäckerei Süß", "queued")


def test_pictures_left_out_are_not_learned_from(database: Database, start: Callable[..., Training]) -> None:
    with database.write() as session:
        first = session.scalars(select(Image.id).order_by(Image.id)).first()
        session.execute(update(Image).where(Image.id == first).values(included=False))
    assert len(start().pictures) == 5


def test_fewer_than_five_pictures_are_refused(database: Database, start: Callable[..., Training]) -> None:
    with database.write() as session:
        for image_id in list(session.scalars(select(Image.id)))[:2]:
            session.execute(update(Image).where(Image.id == image_id).values(included=False))
    with pytest.raises(TooFewPictures) as refused:
        start()
    assert refused.value.params["count"] == 4
    assert rows(database) == (0, 0)


def test_a_second_click_is_the_same_order(database: Database, start: Callable[..., Training]) -> None:
    order_id = new_id()
    assert start(order_id).id == start(order_id).id == order_id
    assert rows(database) == (1, 1)


def test_another_order_under_the_same_id_is_refused(database: Database, start: Callable[..., Training]) -> None:
    order_id = new_id()
    start(order_id)
    with pytest.raises(AlreadyStarted):
        start(order_id, rank=4)


def test_an_id_of_another_workspace_is_refused_without_a_hint(
    database: Database, storage: Storage, start: Callable[..., Training]
) -> None:
    theirs = make_workspace(database)
    foreign = order_training(database, theirs, make_brand(database, storage, theirs))
    with pytest.raises(AlreadyStarted):
        start(foreign)


def test_other_workspaces_brands_are_not_found(database: Database, project_id: str) -> None:
    other = make_workspace(database)
    with database.read() as session, pytest.raises(NotFound):
        service.plan_training(session, LOOK, workspace_id=other, project_id=project_id, overrides=TrainingOverrides())


@pytest.mark.parametrize("resolution", [100, 64, 1024])
def test_a_size_that_the_base_cannot_do_is_refused(start: Callable[..., Training], resolution: int) -> None:
    with pytest.raises(BadResolution) as refused:
        start(resolution=resolution)
    assert (refused.value.params["smallest"], refused.value.params["largest"]) == (96, 192)


def test_an_archived_brand_is_not_trained(database: Database, start: Callable[..., Training]) -> None:
    with database.write() as session:
        session.execute(update(Project).values(archived_at=now()))
    with pytest.raises(BrandArchived):
        start()


def measure(database: Database, given: Training, device: str = "CPU") -> None:
    """As if it had run: 0.5 seconds a step and 20 for the rest."""
    with database.write() as session:
        session.execute(
            update(Training)
            .where(Training.id == given.id)
            .values(seconds_per_step=0.5, peak_memory_bytes=7_000_000, device=device)
        )
        moment = now() - timedelta(days=1)
        session.execute(
            update(Job)
            .where(Job.subject_id == given.id)
            .values(state="done", finished_at=moment, device_seconds=0.5 * given.recipe["steps"] + 20)
        )


def add_card(database: Database, memory_bytes: int) -> None:
    """A worker that trains on a card of this size."""
    with database.write() as session:
        session.add(
            Worker(
                id="w",
                served="training",
                device="Small card",
                device_kind="cuda",
                device_memory_bytes=memory_bytes,
                last_seen_at=now(),
            )
        )


def planned(database: Database, given: Training, **fields: Any) -> service.TrainingPlan[Any, Any, Any]:
    with database.read() as session:
        return service.plan_training(
            session,
            LOOK,
            workspace_id=given.workspace_id,
            project_id=given.project_id,
            overrides=TrainingOverrides(**fields),
        )


def test_the_estimate_knows_what_was_measured(database: Database, start: Callable[..., Training]) -> None:
    given = start()
    assert planned(database, given).estimate.time_basis == "none"
    measure(database, given)
    found = planned(database, given, steps=100).estimate
    assert found.seconds == pytest.approx(0.5 * 100 + 20)
    assert (found.device, found.memory_basis) == ("CPU", "measured")
    for otherwise in ({"gradient_checkpointing": True}, {"optimizer": "prodigy"}):
        assert planned(database, given, steps=100, **otherwise).estimate.time_basis == "none"


def test_a_measurement_of_another_device_does_not_count_where_a_worker_is_there(
    database: Database, start: Callable[..., Training]
) -> None:
    given = start()
    measure(database, given, device="CPU")
    with database.write() as session:
        session.add(Worker(id="w", served="training", device="NVIDIA H100", last_seen_at=now()))
    assert planned(database, given).estimate.seconds is None


def test_after_too_little_memory_fewer_bits_are_offered_where_they_help(
    database: Database, start: Callable[..., Training]
) -> None:
    short = Job(error_code="out_of_memory")
    given = start(base_model="flux-2-klein-base-4b")
    offers = {offer.msgid: offer.fields for offer in retry.retries(given, catalogue.get(given.base_model), short)}
    assert offers[retry.RETRY_BITS]["quantization"] == "nf4"
    already = start(base_model="flux-1-dev")
    others = retry.retries(already, catalogue.get(already.base_model), short)
    assert retry.RETRY_BITS not in {offer.msgid for offer in others}


def test_after_too_little_memory_smaller_orders_are_offered(database: Database, start: Callable[..., Training]) -> None:
    given = start(batch_size=2, steps=123)
    offers = retry.retries(given, catalogue.get(given.base_model), Job(error_code="out_of_memory"))
    assert [offer.msgid for offer in offers] == [
        retry.RETRY_BATCH,
        retry.RETRY_SIZE,
        RETRY_RANK,
        RETRY_SAME,
    ]
    assert offers[1].fields["resolution"] == 96
    assert offers[2].fields["rank"] == given.recipe["rank"] // 2
    assert offers[3].fields == {
        "purpose": "style",
        "base_model": "livery-builtin",
        "batch_size": 2,
        "steps": 123,
        "checkpoint_every": given.recipe["checkpoint_every"],
    }


def test_after_divergence_a_slower_one_is_offered(start: Callable[..., Training]) -> None:
    given = start()
    first = retry.retries(given, catalogue.get(given.base_model), Job(error_code="diverged"))[0]
    assert 0 < first.fields["learning_rate"] < given.recipe["learning_rate"] / 2


def test_what_is_offered_leads_to_the_order_that_it_names(database: Database, start: Callable[..., Training]) -> None:
    given = start(rank=4, min_snr_gamma=0, sample_prompts=("[trigger], Käse",))
    same = retry.decided(given, catalogue.get(given.base_model))
    assert planned(database, given, **same).recipe.model_dump(mode="json") == given.recipe


@pytest.mark.parametrize(("network", "refusal"), [("lokr", LokrAlone), ("dora", DoraAlone)])
def test_what_no_library_loads_into_a_text_encoder_is_not_ordered(
    start: Callable[..., Training], network: str, refusal: type[Exception]
) -> None:
    with pytest.raises(refusal):
        start(network=network, train_text_encoder=True, base_model="stable-diffusion-xl")


@pytest.mark.parametrize(("base", "asked"), [("stable-diffusion-xl", "nf4"), ("stable-diffusion-1-5", "int8")])
def test_a_base_is_held_as_it_was_asked_for(
    database: Database, start: Callable[..., Training], base: str, asked: str
) -> None:
    given = start()
    add_card(database, 8 * 10**9)
    found = planned(database, given, base_model=base, quantization=asked)
    assert found.estimate.plan is not None and found.estimate.plan.fits
    assert (found.recipe.quantization, found.estimate.plan.decided) == (asked, ("quantization",))


def test_what_the_plan_chose_binds_no_later_order(database: Database, start: Callable[..., Training]) -> None:
    add_card(database, 12 * 10**9)
    free = start(base_model="flux-1-dev", batch_size=4)
    assert free.recipe["quantization"] == "nf4" and free.estimate["plan"]
    fields = retry.decided(free, catalogue.get("flux-1-dev"))
    assert fields.keys().isdisjoint({"quantization", "gradient_checkpointing"}) and fields["batch_size"] == 4
    added = start(base_model="flux-1-dev", gradient_accumulation_steps=4)
    fields = retry.decided(added, catalogue.get("flux-1-dev"))
    assert fields["gradient_accumulation_steps"] == 4 and "batch_size" not in fields
    bound = start(base_model="flux-1-dev", quantization="int8", gradient_checkpointing=False)
    fields = retry.decided(bound, catalogue.get("flux-1-dev"))
    assert (fields["quantization"], fields["gradient_checkpointing"]) == ("int8", False)
