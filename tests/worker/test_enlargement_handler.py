"""From the order to the larger picture, with the network itself on small drawn pictures."""

import io
import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from PIL import Image
from sqlalchemy import delete, select, update

from app.adapters.models import Adapter
from app.db import Database, now
from app.gallery import queries as gallery
from app.generations import service as generations
from app.generations.enlarging import service
from app.generations.enlarging.steps import Times
from app.generations.models import Generation, Output
from app.jobs.models import Job
from app.storage import Storage
from tests.orders import make_workspace, worker_context
from tests.visuals import make_adapter, make_pictures, make_project, png
from worker.context import WorkerContext
from worker.engines.image.enlarging import tiles
from worker.run_job import run_next

QUEUES = ("generation",)
DRAWN_NETWORK = "realesr-animevideov3-x4"


@dataclass
class House:
    """A brand with pictures, one of which is made larger."""

    database: Database
    storage: Storage
    workspace_id: str
    project_id: str

    def hang(self, **fields: Any) -> str:
        given = {"content": png(40, 24)} | fields
        [picture] = make_pictures(self.database, self.storage, self.workspace_id, self.project_id, **given)
        return picture.id

    def order(self, output_id: str, times: Times = 4) -> str:
        with self.database.write() as session:
            return service.enlarge(
                session, workspace_id=self.workspace_id, output_id=output_id, user_id=None, times=times
            ).id

    def output(self, generation_id: str) -> Output:
        [found] = self.outputs(generation_id)
        return found

    def outputs(self, generation_id: str) -> list[Output]:
        with self.database.read() as session:
            return list(session.scalars(select(Output).where(Output.generation_id == generation_id)))

    def job(self, generation_id: str) -> Job:
        with self.database.read() as session:
            return session.scalars(select(Job).where(Job.subject_id == generation_id)).one()

    def file(self, output: Output) -> Image.Image:
        return Image.open(io.BytesIO(self.storage.get(output.key)))

    def files(self, generation_id: str) -> list[str]:
        return list(self.storage.keys_under(f"projects/{self.project_id}/outputs/{generation_id}"))


@pytest.fixture
def context(database: Database, storage: Storage, tmp_path: Path) -> WorkerContext:
    context = worker_context(database, storage)
    context.cache_folder = tmp_path / "cache"
    return context


@pytest.fixture
def house(database: Database, storage: Storage) -> House:
    workspace_id = make_workspace(database)
    return House(database, storage, workspace_id, make_project(database, workspace_id))


@pytest.fixture
def after_tile(monkeypatch: pytest.MonkeyPatch) -> Callable[[Callable[[int], None]], None]:
    """Tiles of 16 pixels, and what a test does after each, before the worker hears of it."""
    monkeypatch.setattr(tiles, "TILE_SIDE", 16)
    original = tiles._paste

    def set_to(step_in: Callable[[int], None]) -> None:
        done = []

        def paste(*given: Any) -> None:
            original(*given)
            done.append(1)
            step_in(len(done))

        monkeypatch.setattr(tiles, "_paste", paste)

    return set_to


@pytest.mark.parametrize(("times", "size"), [(2, (80, 48)), (4, (160, 96))], ids=["twice", "four_times"])
def test_the_larger_picture_hangs_beside_the_one_it_was_made_from(
    house: House, context: WorkerContext, times: Times, size: tuple[int, int]
) -> None:
    source_id = house.hang(seed=7)
    generation_id = house.order(source_id, times)
    assert run_next(context, QUEUES)
    assert house.job(generation_id).state == "done"
    larger = house.output(generation_id)
    assert ((larger.width, larger.height), larger.seed, larger.in_gallery) == (size, 7, True)
    with house.file(larger) as opened:
        assert opened.size == size
    with Image.open(io.BytesIO(house.storage.get(larger.thumb_key))) as thumb:
        assert max(thumb.size) <= 512
    with house.database.read() as session:
        found = gallery.view(session, workspace_id=house.workspace_id, output_id=larger.id)
    [step] = found.made.enlarged
    assert (step.times, step.width, step.height, step.network) == (times, 40, 24, DRAWN_NETWORK)
    assert found.enlarged_from == source_id


def test_the_file_says_that_a_model_made_it_and_how_it_was_enlarged(house: House, context: WorkerContext) -> None:
    first = house.order(house.hang(), 2)
    assert run_next(context, QUEUES)
    generation_id = house.order(house.output(first).id, 2)
    assert run_next(context, QUEUES)
    with house.file(house.output(generation_id)) as opened:
        info = opened.info
    told = json.loads(info["livery"])
    assert [(one["times"], one["width"], one["network"]) for one in told["enlarged"]] == [
        (2, 40, DRAWN_NETWORK),
        (2, 80, DRAWN_NETWORK),
    ]
    assert (told["width"], told["enlargement"]) == (160, 1)
    assert "Postprocess upscale by: 4" in info["parameters"]
    xmp = str(info["xmp"])
    assert "trainedAlgorithmicMedia" in xmp and xmp.count(f"({DRAWN_NETWORK})") == 2


def test_a_picture_is_enlarged_though_its_adapter_and_its_own_row_are_gone(
    house: House, context: WorkerContext
) -> None:
    adapter_id = make_adapter(house.database, house.storage, house.workspace_id, house.project_id)
    source_id = house.hang(adapter_id=adapter_id)
    generation_id = house.order(source_id)
    with house.database.write() as session:
        session.execute(delete(Adapter).where(Adapter.id == adapter_id))
        session.execute(update(Output).where(Output.id == source_id).values(deleted_at=now()))
    assert run_next(context, QUEUES)
    larger = house.output(generation_id)
    assert larger.adapter_id is None
    with house.database.read() as session:
        assert gallery.view(session, workspace_id=house.workspace_id, output_id=larger.id).enlarged_from is None


def test_the_strength_and_seed_of_a_picture_of_a_strip_stay_told(house: House, context: WorkerContext) -> None:
    adapter_id = make_adapter(house.database, house.storage, house.workspace_id, house.project_id)
    source_id = house.hang(adapter_id=adapter_id, recipe={"strengths": (0.5,)}, in_gallery=False)
    generation_id = house.order(source_id, 2)
    assert run_next(context, QUEUES)
    larger = house.output(generation_id)
    assert (larger.strength, larger.in_gallery) == (0.5, True)
    with house.database.read() as session:
        views = [
            gallery.view(session, workspace_id=house.workspace_id, output_id=one) for one in (source_id, larger.id)
        ]
    assert views[0].made.adapters == views[1].made.adapters


@pytest.mark.parametrize("how", ["row", "file"])
def test_a_picture_that_is_gone_for_good_is_told_in_a_sentence(house: House, context: WorkerContext, how: str) -> None:
    source_id = house.hang()
    generation_id = house.order(source_id)
    with house.database.write() as session:
        key = session.get_one(Output, source_id).key
        if how == "row":
            session.execute(delete(Output).where(Output.id == source_id))
    if how == "file":
        house.storage.delete(key)
    run_next(context, QUEUES)
    assert (house.job(generation_id).state, house.job(generation_id).error_code) == ("failed", "original_gone")


def test_cancelling_ends_it_between_two_tiles(
    house: House,
    context: WorkerContext,
    after_tile: Callable[[Callable[[int], None]], None],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    generation_id = house.order(house.hang())
    seen = []

    def cancel(tile: int) -> None:
        seen.append(tile)
        if tile == 2:
            with house.database.write() as session:
                generations.cancel(session, workspace_id=house.workspace_id, generation_id=generation_id)

    monkeypatch.setattr("worker.progress.WRITE_EVERY_SECONDS", 0.0)  # each tile is told, and hears of the end
    after_tile(cancel)
    run_next(context, QUEUES)
    assert house.job(generation_id).state == "cancelled"
    assert seen == [1, 2] and not house.files(generation_id)


class Died(BaseException):
    pass


@pytest.mark.parametrize("kept", [False, True], ids=["between_tiles", "once_it_is_kept"])
def test_a_worker_that_dies_leaves_one_picture_in_the_end(
    house: House,
    context: WorkerContext,
    after_tile: Callable[[Callable[[int], None]], None],
    monkeypatch: pytest.MonkeyPatch,
    kept: bool,
) -> None:
    generation_id = house.order(house.hang())

    def die(*_: object) -> None:
        raise Died

    with monkeypatch.context() as patched:
        if kept:
            patched.setattr("app.jobs.outcomes.finish", die)
        else:
            after_tile(lambda tile: die() if tile == 3 else None)
        with pytest.raises(Died):
            run_next(context, QUEUES)
    before = [one.id for one in house.outputs(generation_id)]
    assert len(before) == int(kept)
    after_tile(lambda tile: None)
    with house.database.write() as session:
        session.execute(update(Job).where(Job.subject_id == generation_id).values(state="queued", owner=None))
    assert run_next(context, QUEUES)
    assert house.job(generation_id).state == "done"
    assert house.output(generation_id).id in (before or [house.output(generation_id).id])
    assert len(house.files(generation_id)) == 2  # the picture and its thumbnail


def test_a_lost_lease_leaves_neither_row_nor_file(
    house: House, context: WorkerContext, after_tile: Callable[[Callable[[int], None]], None]
) -> None:
    generation_id = house.order(house.hang())

    def lose(tile: int) -> None:
        if tile == 1:
            with house.database.write() as session:
                session.execute(update(Job).where(Job.subject_id == generation_id).values(fence=Job.fence + 1))

    after_tile(lose)
    run_next(context, QUEUES)
    assert house.job(generation_id).state == "running"
    assert not house.outputs(generation_id) and not house.files(generation_id)
    with house.database.read() as session:
        [step] = session.get_one(Generation, generation_id).enlargements or []
    assert step["network"] is None
