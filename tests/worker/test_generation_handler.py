"""From the claimed order to its pictures, with an engine that needs no model."""

import io
import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path

import pytest
from PIL import Image
from sqlalchemy import select, update

from app.adapters.models import Adapter
from app.campaigns.models import Campaign
from app.db import Database, now
from app.gallery import queries as gallery_queries
from app.gallery import service as gallery
from app.generations import planner, queries, service
from app.generations.models import Generation, Output
from app.generations.recipe import GenerationRecipe
from app.generations.requests import AdapterRef, GenerationRequest, StartImage
from app.generations.start_pictures import files as start
from app.jobs import claims, outcomes
from app.jobs.models import Job
from app.storage import Storage
from tests.fake_engine import FakeEngine
from tests.orders import make_workspace, worker_context
from tests.visuals import make_adapter, make_pictures, make_project, png
from worker.context import WorkerContext
from worker.engines import registry
from worker.engines.contracts import Base, Cancelled, EngineError, GeneratedPicture, GenerationInputs, Progress
from worker.engines.device import DeviceFacts
from worker.files import base_models
from worker.run_job import run_next

QUEUES = ("generation",)


@dataclass
class Engine(FakeEngine):
    """Notes what it was asked, and lets a test step in after each picture, as the drawing of the next would."""

    asked: list[tuple[GenerationRecipe, GenerationInputs]] = field(default_factory=list)
    before: Callable[[GenerationRecipe, GenerationInputs, Progress], None] = lambda recipe, inputs, progress: None
    after: Callable[[int], None] = lambda index: None

    def generate(
        self, recipe: GenerationRecipe, inputs: GenerationInputs, out: Path, progress: Progress
    ) -> Iterator[GeneratedPicture]:
        self.asked.append((recipe, inputs))
        self.before(recipe, inputs, progress)
        try:
            for picture in super().generate(recipe, inputs, out, progress):
                yield picture
                self.after(picture.index)
        except Cancelled:
            return  # as the contract has it: what is complete has been yielded, and the iterator ends


@pytest.fixture
def engine(monkeypatch: pytest.MonkeyPatch) -> Engine:
    fake = Engine()
    monkeypatch.setattr(registry, "engine_for", lambda family: fake)
    return fake


@pytest.fixture
def context(database: Database, storage: Storage, tmp_path: Path) -> WorkerContext:
    context = worker_context(database, storage)
    context.cache_folder = tmp_path / "cache"
    return context


@dataclass
class House:
    """A brand with an adapter, and orders in it."""

    database: Database
    workspace_id: str
    project_id: str
    adapter_id: str

    def order(self, count: int = 3, **fields: object) -> str:
        given: dict[str, object] = {"prompt": "a lighthouse", "seed": 500, "count": count} | fields
        with self.database.write() as session:
            return service.request_pictures(
                session,
                workspace_id=self.workspace_id,
                project_id=self.project_id,
                user_id=None,
                request=GenerationRequest(**given),  # type: ignore[arg-type]
            ).generation.id

    def outputs(self, generation_id: str) -> list[Output]:
        with self.database.read() as session:
            rows = select(Output).where(Output.generation_id == generation_id).order_by(Output.position)
            return list(session.scalars(rows))

    def drawing(self, generation_id: str) -> planner.DrawingPlan:
        with self.database.read() as session:
            return planner.DrawingPlan.model_validate(session.get_one(Generation, generation_id).drawing)

    def job(self, generation_id: str) -> Job:
        with self.database.read() as session:
            return session.scalars(select(Job).where(Job.subject_id == generation_id)).one()


@pytest.fixture
def house(database: Database, storage: Storage) -> House:
    workspace_id = make_workspace(database)
    project_id = make_project(database, workspace_id)
    return House(database, workspace_id, project_id, make_adapter(database, storage, workspace_id, project_id))


def test_the_engine_gets_the_start_picture_and_the_mask(
    house: House, context: WorkerContext, storage: Storage, engine: Engine
) -> None:
    picture = start.keep_upload(storage, png(96, 64), "jar.png", project_id=house.project_id)
    mask = start.keep_mask(storage, start.Rectangle(0, 0, 50, 100), (96, 64), project_id=house.project_id)
    given = StartImage(picture.key, picture.sha256, 96, 64, mask.key, mask.sha256)
    generation_id = house.order(count=1, channel="start", start=given)
    seen = {}

    def look(index: int) -> None:
        _, inputs = engine.asked[0]
        assert inputs.image is not None and inputs.mask is not None
        seen["image"], seen["mask"] = inputs.image.read_bytes(), inputs.mask.read_bytes()

    engine.after = look
    assert run_next(context, QUEUES)
    assert seen == {"image": storage.get(picture.key), "mask": storage.get(mask.key)}
    with Image.open(io.BytesIO(storage.get(house.outputs(generation_id)[0].key))) as kept:
        assert "compositeWithTrainedAlgorithmicMedia" in str(kept.info["xmp"])


def test_a_start_picture_that_is_gone_is_told_in_a_sentence(
    house: House, context: WorkerContext, storage: Storage, engine: Engine
) -> None:
    picture = start.keep_upload(storage, png(96, 64), "jar.png", project_id=house.project_id)
    generation_id = house.order(count=1, start=StartImage(picture.key, picture.sha256, 96, 64))
    storage.delete(picture.key)
    run_next(context, QUEUES)
    job = house.job(generation_id)
    assert (job.state, job.error_code) == ("failed", "picture_gone") and engine.asked == []


def test_an_order_becomes_pictures_with_files(
    house: House, context: WorkerContext, storage: Storage, engine: Engine
) -> None:
    generation_id = house.order(count=3, channel="story")
    assert run_next(context, QUEUES)
    outputs = house.outputs(generation_id)
    assert [(one.position, one.seed) for one in outputs] == [(0, 500), (1, 501), (2, 502)]
    assert house.job(generation_id).state == "done"
    for one in outputs:
        assert one.key == f"projects/{house.project_id}/outputs/{generation_id}/a1-{one.position}.png"
        assert storage.size(one.key) == one.byte_count
        with Image.open(io.BytesIO(storage.get(one.thumb_key))) as thumb:
            assert thumb.format == "WEBP" and max(thumb.size) <= 512
        assert one.placeholder.startswith("data:image/webp;base64,")
        assert one.prompt == "nordlicht, a lighthouse" and one.prompt_folded == one.prompt
        assert one.adapter_id == house.adapter_id


def test_a_picture_has_the_size_of_its_file_and_the_recipe_the_size_it_was_drawn_at(
    house: House, context: WorkerContext, storage: Storage, engine: Engine
) -> None:
    generation_id = house.order(count=1)
    assert run_next(context, QUEUES)
    [(recipe, inputs)] = engine.asked
    assert (recipe.width, recipe.height, inputs.enlargement) == (128, 128, 4)
    [output] = house.outputs(generation_id)
    assert (output.width, output.height) == (512, 512)
    with Image.open(io.BytesIO(storage.get(output.key))) as picture:
        picture.load()
        assert picture.size == (512, 512) and "Size: 512x512" in picture.text["parameters"]
    with Image.open(io.BytesIO(storage.get(output.thumb_key))) as thumb:
        assert thumb.size == (512, 512)
    with house.database.read() as session:
        assert gallery_queries.view(session, workspace_id=house.workspace_id, output_id=output.id).made.width == 512
        assert queries.view(session, workspace_id=house.workspace_id, generation_id=generation_id).size == (512, 512)


def test_pictures_land_in_the_campaign_as_long_as_there_is_one(
    house: House, context: WorkerContext, engine: Engine
) -> None:
    generation_id = house.order(count=3)
    with house.database.write() as session:
        campaign = Campaign(workspace_id=house.workspace_id, name="Winter", created_by=None)
        session.add(campaign)
        session.flush()
        session.get_one(Generation, generation_id).campaign_id = campaign.id

    def remove(index: int) -> None:
        found = house.outputs(generation_id)
        assert [one.campaign_id for one in found] == [campaign.id if index == 0 else None] * len(found)
        if index == 0:
            with house.database.write() as session:
                gallery.delete_campaign(session, workspace_id=house.workspace_id, campaign_id=campaign.id)

    engine.after = remove
    assert run_next(context, QUEUES)
    assert house.job(generation_id).state == "done"
    assert [one.campaign_id for one in house.outputs(generation_id)] == [None, None, None]


def test_the_file_says_how_it_was_made(house: House, context: WorkerContext, storage: Storage, engine: Engine) -> None:
    generation_id = house.order(count=1, adapters=(AdapterRef(house.adapter_id, 0.6),))
    run_next(context, QUEUES)
    with house.database.read() as session:
        adapter = session.get_one(Adapter, house.adapter_id)
    with Image.open(io.BytesIO(storage.get(house.outputs(generation_id)[0].key))) as picture:
        picture.load()
        facts, parameters, xmp = json.loads(picture.text["livery"]), picture.text["parameters"], picture.info["xmp"]
    assert facts["seed"] == 500 and facts["prompt"] == "nordlicht, a lighthouse"
    assert facts["adapters"][0]["sha256"] == adapter.sha256 and facts["adapters"][0]["strength"] == 0.6
    assert "Seed: 500" in parameters and b"trainedAlgorithmicMedia" in xmp


def test_adapters_come_from_a_cache_under_their_content(
    house: House, context: WorkerContext, storage: Storage, engine: Engine
) -> None:
    house.order(count=1)
    run_next(context, QUEUES)
    with house.database.read() as session:
        adapter = session.get_one(Adapter, house.adapter_id)
    used = engine.asked[0][1].adapters[0]
    assert (used.key, used.strength) == (adapter.sha256, adapter.recommended_strength)
    assert used.path.read_bytes() == storage.get(adapter.diffusers_key)
    storage.delete(adapter.diffusers_key)  # what is in the cache needs no storage
    again = house.order(count=1)
    run_next(context, QUEUES)
    assert house.job(again).state == "done"


def test_each_picture_is_there_before_the_next_is_drawn(house: House, context: WorkerContext, engine: Engine) -> None:
    generation_id = house.order(count=3)
    seen: list[int] = []
    engine.after = lambda index: seen.append(len(house.outputs(generation_id)))
    run_next(context, QUEUES)
    assert seen == [1, 2, 3]


def test_cancelling_keeps_what_is_finished(house: House, context: WorkerContext, engine: Engine) -> None:
    generation_id = house.order(count=4)

    def cancel(index: int) -> None:
        if index == 1:
            with house.database.write() as session:
                service.cancel(session, workspace_id=house.workspace_id, generation_id=generation_id)
            # The engine hears of it at its next report; a second must have gone by for that, or a new phase begin.
            engine.progress_of_test.phase("loading")  # type: ignore[attr-defined]

    original = Engine.generate

    def generate(
        self: Engine, recipe: GenerationRecipe, inputs: GenerationInputs, out: Path, progress: Progress
    ) -> Iterator[GeneratedPicture]:
        self.progress_of_test = progress  # type: ignore[attr-defined]
        yield from original(self, recipe, inputs, out, progress)

    engine.generate = generate.__get__(engine)  # type: ignore[method-assign]
    engine.after = cancel
    run_next(context, QUEUES)
    assert [one.position for one in house.outputs(generation_id)] == [0, 1]
    assert house.job(generation_id).state == "cancelled"


def interrupted(house: House, context: WorkerContext, engine: Engine, generation_id: str, after: int) -> None:
    """Run the order until one picture is kept, as if the worker had died then, and give the job back to the queue."""

    class Died(BaseException):
        pass

    def die(index: int) -> None:
        if index == after:
            raise Died

    engine.after = die
    with pytest.raises(Died):
        run_next(context, QUEUES)
    engine.after = lambda index: None
    with house.database.write() as session:
        session.execute(update(Job).where(Job.subject_id == generation_id).values(state="queued", owner=None))


def test_a_second_attempt_draws_only_what_is_missing(
    house: House, context: WorkerContext, storage: Storage, engine: Engine
) -> None:
    generation_id = house.order(count=4)
    interrupted(house, context, engine, generation_id, after=1)
    before = {one.position: one.id for one in house.outputs(generation_id)}
    assert set(before) == {0, 1}
    run_next(context, QUEUES)
    outputs = house.outputs(generation_id)
    assert [(one.position, one.seed) for one in outputs] == [(0, 500), (1, 501), (2, 502), (3, 503)]
    assert {one.position: one.id for one in outputs if one.position < 2} == before
    assert engine.asked[1][0].count == 2
    assert house.job(generation_id).state == "done"
    folder = f"projects/{house.project_id}/outputs/{generation_id}"
    assert len(list(storage.keys_under(folder))) == 8  # four pictures, four thumbnails


def test_variations_are_not_doubled_either(
    house: House, context: WorkerContext, storage: Storage, engine: Engine
) -> None:
    (picture,) = make_pictures(house.database, storage, house.workspace_id, house.project_id)
    with house.database.write() as session:
        generation_id = service.more_like(
            session,
            workspace_id=house.workspace_id,
            output_id=picture.id,
            user_id=None,
            count=3,
        ).id
    interrupted(house, context, engine, generation_id, after=0)
    run_next(context, QUEUES)
    assert [one.position for one in house.outputs(generation_id)] == [0, 1, 2]


def test_a_lost_lease_leaves_neither_row_nor_file(
    house: House, context: WorkerContext, storage: Storage, engine: Engine
) -> None:
    generation_id = house.order(count=2)

    def lose(index: int) -> None:
        with house.database.write() as session:
            session.execute(update(Job).where(Job.subject_id == generation_id).values(fence=Job.fence + 1))

    engine.after = lose
    run_next(context, QUEUES)
    assert [one.position for one in house.outputs(generation_id)] == [0]
    assert house.job(generation_id).state == "running"
    folder = f"projects/{house.project_id}/outputs/{generation_id}"
    assert len(list(storage.keys_under(folder))) == 2


def test_a_strip_keeps_its_multipliers(house: House, context: WorkerContext, storage: Storage, engine: Engine) -> None:
    (picture,) = make_pictures(
        house.database, storage, house.workspace_id, house.project_id, adapter_id=house.adapter_id, seed=77
    )
    with house.database.write() as session:
        generation_id = service.strip(
            session,
            workspace_id=house.workspace_id,
            output_id=picture.id,
            user_id=None,
            strengths=(0.0, 0.5, 1.0),
        ).id
    run_next(context, QUEUES)
    assert [(one.strength, one.seed) for one in house.outputs(generation_id)] == [(0.0, 77), (0.5, 77), (1.0, 77)]


def test_a_missing_adapter_file_fails_with_a_sentence(
    house: House, context: WorkerContext, storage: Storage, engine: Engine
) -> None:
    generation_id = house.order()
    with house.database.read() as session:
        storage.delete(session.get_one(Adapter, house.adapter_id).diffusers_key)
    run_next(context, QUEUES)
    job = house.job(generation_id)
    assert (job.state, job.error_code) == ("failed", "adapter_file_gone")
    assert job.error_sentence and "storage" in job.error_sentence


def test_a_deleted_adapter_fails_with_a_sentence(house: House, context: WorkerContext, engine: Engine) -> None:
    generation_id = house.order()
    with house.database.write() as session:
        session.delete(session.get_one(Adapter, house.adapter_id))
    run_next(context, QUEUES)
    assert house.job(generation_id).error_code == "order_outdated"


def test_an_engine_that_stops_short_does_not_count_as_done(
    house: House, context: WorkerContext, engine: Engine
) -> None:
    generation_id = house.order(count=2)

    def stop(index: int) -> None:
        raise Cancelled

    engine.after = stop
    run_next(context, QUEUES)
    assert house.job(generation_id).error_code == "stopped_short"
    assert len(house.outputs(generation_id)) == 1


def test_nobody_elses_claim_adds_pictures(house: House, storage: Storage, context: WorkerContext) -> None:
    house.order()
    with house.database.write() as session:
        claim = claims.claim_next(session, queues=QUEUES, owner="one")
    assert claim is not None
    with house.database.write() as session:
        outcomes.give_back(session, claim)
    with house.database.read() as session:
        order = queries.generation_spec(session, claim.subject_id)
    late = service.FinishedPicture("1" * 32, 0, 1, 1.0, "k", "t", 1, 1, 1, "s", "", 0.1)
    with pytest.raises(claims.LeaseLost), house.database.write() as session:
        service.add_output(session, claim, order, late)


def test_out_of_memory_goes_on_in_a_smaller_way_and_says_so(
    house: House, context: WorkerContext, storage: Storage, engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A card of 12 GB that has less room than was thought: of three pictures one is there when it runs out."""
    monkeypatch.setattr(base_models, "ready", lambda job, entry: Base(entry.key, entry.family, "/x"))
    context.device = DeviceFacts("A card", "cuda", 12_000_000_000)
    generation_id = house.order(count=3, adapters=(), base_model="flux-1-dev")

    def short(recipe: GenerationRecipe, inputs: GenerationInputs, progress: Progress) -> None:
        if len(engine.asked) == 1:
            progress.drawing_smaller(batch_size=1, tiled=False)

    def full(index: int) -> None:
        if len(engine.asked) == 1:
            raise EngineError("out_of_memory", "Full.")

    engine.before, engine.after = short, full
    assert run_next(context, QUEUES)
    assert house.job(generation_id).state == "done"
    assert [(one.position, one.seed) for one in house.outputs(generation_id)] == [(0, 500), (1, 501), (2, 502)]
    kept = house.drawing(generation_id)
    assert (kept.quantization, kept.offload, kept.at_once) == ("none", "blocks", 1)
    assert [change.reason for change in kept.changes] == [planner.FEWER, planner.THEN_BLOCK_BY_BLOCK]
    (first, began), (second, went_on) = engine.asked
    assert (first.quantization, began.offload, began.batch_size) == ("nf4", "models", 3)
    assert (second.quantization, went_on.offload, went_on.batch_size) == ("none", "blocks", 1)
    assert (second.seed, second.count) == (501, 2), "what is there is not drawn again"
    held = []
    for one in house.outputs(generation_id):
        with Image.open(io.BytesIO(storage.get(one.key))) as picture:
            held.append(json.loads(picture.text["livery"])["quantization"])
    assert held == ["nf4", "none", "none"]


def test_what_ran_out_a_short_while_ago_is_not_tried_again_by_the_next_order(
    house: House, context: WorkerContext, engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(base_models, "ready", lambda job, entry: Base(entry.key, entry.family, "/x"))
    context.device = DeviceFacts("A card", "cuda", 12_000_000_000)
    fields = {"count": 1, "adapters": (), "base_model": "flux-1-dev"}
    first = house.order(**fields)

    def short(recipe: GenerationRecipe, inputs: GenerationInputs, progress: Progress) -> None:
        if recipe.quantization == "nf4":
            raise EngineError("out_of_memory", "Full.")

    engine.before = short
    run_next(context, QUEUES)
    second = house.order(**fields)
    run_next(context, QUEUES)
    assert [recipe.quantization for recipe, _ in engine.asked] == ["nf4", "none", "none"]
    assert [inputs.offload for _, inputs in engine.asked] == ["models", "blocks", "blocks"]
    assert house.drawing(first).changes and not house.drawing(second).changes
    assert house.drawing(second).reason == planner.AS_BEFORE
    # Once that is an hour ago it is tried again, and so it is for what a person chose.
    with house.database.write() as session:
        session.execute(update(Generation).values(created_at=now() - timedelta(hours=2)))
    engine.before = lambda recipe, inputs, progress: None
    house.order(**fields)
    run_next(context, QUEUES)
    assert engine.asked[-1][0].quantization == "nf4"


def test_where_even_the_smallest_way_is_too_much_the_order_fails_with_the_reason(
    house: House, context: WorkerContext, engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(base_models, "ready", lambda job, entry: Base(entry.key, entry.family, "/x"))
    context.device = DeviceFacts("A card", "cuda", 12_000_000_000)
    generation_id = house.order(count=1, adapters=(), base_model="flux-1-dev")

    def full(recipe: GenerationRecipe, inputs: GenerationInputs, progress: Progress) -> None:
        raise EngineError("out_of_memory", "Full.")

    engine.before = full
    run_next(context, QUEUES)
    assert (house.job(generation_id).state, house.job(generation_id).error_code) == ("failed", "out_of_memory")
    assert len(engine.asked) == 2


def test_more_like_one_is_drawn_from_the_base_held_as_it_was(
    house: House, context: WorkerContext, engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(base_models, "ready", lambda job, entry: Base(entry.key, entry.family, "/x"))
    context.device = DeviceFacts("A card", "cuda", 12_000_000_000)
    generation_id = house.order(count=1, adapters=(), base_model="flux-1-dev")
    run_next(context, QUEUES)
    output = house.outputs(generation_id)[0]
    with house.database.write() as session:
        service.more_like(session, workspace_id=house.workspace_id, output_id=output.id, user_id=None, count=2)
    context.device = DeviceFacts("A larger card", "cuda", 80_000_000_000)
    run_next(context, QUEUES)
    assert [recipe.quantization for recipe, _ in engine.asked] == ["nf4", "nf4"]
