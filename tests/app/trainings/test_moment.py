"""The end of a training: before and after first, then what to do with it, and whether what was said came true."""

import re
from collections.abc import Callable

import pytest
from sqlalchemy import select

from app.adapters.models import Adapter
from app.db import Database
from app.jobs.models import Job
from app.storage import Storage
from app.trainings.look.queries import before_after as drawn
from app.trainings.models import Training, TrainingSample, TrainingText
from app.trainings.voice.queries import before_after as written
from app.trainings.voice.queries import sample_rows
from tests.conftest import SignedIn, SignUp
from tests.fake_engine import FakeEngine
from tests.orders import make_brand, order_training, worker_context
from worker.engines import registry
from worker.run_job import run_next


@pytest.fixture
def train(
    database: Database, storage: Storage, owner: SignedIn, monkeypatch: pytest.MonkeyPatch
) -> Callable[..., tuple[str, str]]:
    """Trains a brand of its own; returns the ids of brand and training."""
    fake = FakeEngine()
    monkeypatch.setattr(registry, "engine_for", lambda family: fake)

    def trained() -> tuple[str, str]:
        project_id = make_brand(database, storage, owner.workspace_id)
        training_id = order_training(database, owner.workspace_id, project_id)
        run_next(worker_context(database, storage), ("training",))
        return project_id, training_id

    return trained


def test_before_and_after_come_first_and_the_way_on_is_the_main_button(
    owner: SignedIn, sign_up: SignUp, train: Callable[..., tuple[str, str]]
) -> None:
    project_id, training_id = train()
    page = owner.client.get(f"/trainings/{training_id}").text
    moment = page[page.index('data-state="before-after"') :]
    assert moment.index("data-compare") < moment.index("/studio?adapter=") < moment.index('class="table grades"')
    main = re.search(r'class="button button--accent[^"]*" href="([^"]+)"', moment)
    assert main is not None and main[1].startswith(f"/projects/{project_id}/studio?adapter=")
    seen = sign_up(role="viewer", workspace_id=owner.workspace_id).client.get(f"/trainings/{training_id}").text
    assert 'data-state="before-after"' in seen and "/studio?adapter=" not in seen


def test_what_was_stopped_early_says_so_and_offers_to_train_again(
    owner: SignedIn, database: Database, train: Callable[..., tuple[str, str]]
) -> None:
    project_id, training_id = train()
    with database.write() as session:
        adapter = session.scalars(select(Adapter)).one()
        adapter.facts = adapter.facts | {"finished": False, "steps": 10, "planned_steps": 600}
        session.scalars(select(Job)).one().state = "cancelled"
    page = owner.client.get(f"/trainings/{training_id}").text
    main = re.search(r'class="button button--accent[^"]*" href="([^"]+)"', page)
    assert (
        'data-state="kept"' in page and main is not None and main[1].startswith(f"/projects/{project_id}/trainings/new")
    )
    for address in (f"/adapters/{adapter.id}", f"/projects/{project_id}"):
        assert 'data-state="stopped-at-10"' in owner.client.get(address).text


@pytest.mark.parametrize(
    ("said", "came", "state"),
    [
        (9_740_000, 9_860_000, "more"),
        (9_755_000, 9_845_000, "as-estimated"),
        (10_700_000, 11_300_000, "as-estimated"),
        (9_800_000, 9_800_000, "as-estimated"),
        (3_000_000, 9_000_000, "more"),
        (9_000_000, 3_000_000, "less"),
    ],
)
def test_what_reads_alike_is_as_estimated(
    owner: SignedIn, database: Database, train: Callable[..., tuple[str, str]], said: int, came: int, state: str
) -> None:
    _, training_id = train()
    with database.write() as session:
        given = session.get_one(Training, training_id)
        given.estimate = given.estimate | {"seconds": None, "seconds_range": None, "memory_bytes": said, "plan": None}
        given.estimate = given.estimate | {"file_bytes": None, "first_steps": None}
        given.peak_memory_bytes = came
    page = owner.client.get(f"/trainings/{training_id}").text
    row = re.search(r'<table class="table grades">.*?</table>', page, re.DOTALL)
    assert row is not None
    found = re.findall(r'class="badge[^"]*" data-state="([\w-]+)"', row[0])
    assert found == [state]


def test_before_and_after_are_one_prompt_at_the_last_step() -> None:
    def sample(step: int, position: int) -> TrainingSample:
        return TrainingSample(id=f"{step}-{position}", step=step, position=position)

    pair = drawn([sample(0, 1), sample(0, 2), sample(10, 1), sample(20, 0), sample(20, 2)])
    assert pair is not None and (pair.before.id, pair.after.id) == ("0-2", "20-2")
    assert drawn([sample(0, 0)]) is None and drawn([sample(10, 0)]) is None and drawn([]) is None


def test_a_voices_after_is_by_the_checkpoint_that_was_kept() -> None:
    course = [
        TrainingText(step=step, position=0, brief="b", text=text)
        for step, text in ((0, "base"), (10, "ten"), (20, "twenty"), (30, "thirty"))
    ]
    pair = written(sample_rows(course), 20)
    assert pair is not None and (pair.brief, pair.before, pair.after) == ("b", "base", "twenty")
    assert written(sample_rows(course[:1]), 20) is None
