"""A training survives the end of its worker, and what a worker does too late changes nothing. Real processes.

On SQLite and a folder, which all tests here share but the one that takes the fence away.
"""

import signal
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path

import numpy as np
import pytest

from app.matrix import cells
from app.projects.models import Project
from tests.app.matrix.briefs import make_matrix
from tests.chaos import (
    Plan,
    World,
    has_ended,
    job_of,
    kill_worker,
    report,
    run_chaos,
    tensors_of,
    violations,
    wake_a_sleeper,
    world,
)
from tests.servers import wait_until

pytestmark = pytest.mark.slow
ONE_WORKER = Plan(scaled=False, workers=1, generations=10, kills=3, seconds=25)


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    with world(tmp_path_factory.mktemp("embedded"), ONE_WORKER) as made:
        yield made


def test_a_training_survives_a_deploy_and_a_kill_with_the_same_result(made: World) -> None:
    undisturbed = made.order_training(3)
    wait_until(lambda: has_ended(made, undisturbed), seconds=180, what="the undisturbed training")

    deployed = made.order_training(3)
    wait_until(lambda: job_of(made, deployed).progress_done >= 6, seconds=60, what="six steps")
    worker = made.workers[0]
    worker.process.send_signal(signal.SIGTERM)
    assert worker.process.wait(timeout=60) == 0, "it ended by itself"
    job = job_of(made, deployed)
    assert (job.state, job.owner, job.attempts_without_progress) == ("queued", None, 0)
    assert job.checkpoint is not None and job.checkpoint["step"] >= 6, "nothing of its work is done again"
    made.workers[0] = made.start_worker()
    wait_until(lambda: has_ended(made, deployed), seconds=180, what="the next worker to finish it")

    killed = made.order_training(3)
    wait_until(lambda: (job_of(made, killed).checkpoint or {}).get("step", 0) >= 8, seconds=60, what="a checkpoint")
    made.workers[0].process.kill()
    made.workers[0].process.wait()
    made.workers[0] = made.start_worker()
    wait_until(lambda: has_ended(made, killed), seconds=180, what="the next worker to finish it")
    assert job_of(made, killed).attempt == 2

    expected = tensors_of(made, undisturbed)
    for training_id in (deployed, killed):
        tensors = tensors_of(made, training_id)
        assert tensors.keys() == expected.keys()
        assert all(np.array_equal(tensors[name], expected[name]) for name in expected)
    assert violations(made) == []


def test_a_matrix_survives_kills_with_nothing_doubled_and_nothing_missing(made: World) -> None:
    """The worker is killed between the pictures, and between the ads of one act."""
    with made.database.read() as session:
        workspace_id = session.get_one(Project, made.project_id).workspace_id
    squares = ("instagram_square", "display_300x250")
    matrix = make_matrix(made.database, workspace_id, made.project_id, channels=squares)

    def finished() -> dict[str, datetime]:
        return {one.id: one.finished_at for one in matrix.versions() if one.finished_at is not None}

    assert matrix.produce().orders == 2
    wait_until(lambda: matrix.jobs("rendering"), seconds=120, what="the first of two pictures")
    kill_worker(made, 0)
    wait_until(made.is_quiet, seconds=180, what="the next worker to make the others")
    assert [view.state for view in matrix.cells()] == ["open"] * 8
    assert [view.cell.version for view in matrix.cells()] == [1] * 8
    assert len({view.spec.output_id for view in matrix.cells() if view.spec is not None}) == 2
    assert matrix.produce().orders == 0, "every picture is in its place"

    with made.database.write() as session:
        cells.change(session, matrix.author, matrix.cells()[0].cell.id, "all", "layout", {"layout": "split"})
    (job,) = [one for one in matrix.jobs("rendering") if one.state == "queued"]
    wait_until(lambda: len(finished()) >= 8 + 3, seconds=60, what="three of the eight ads")
    kill_worker(made, 0)
    before = finished()
    assert len(before) < 16, "it was killed in the middle"
    wait_until(lambda: has_ended(made, job.subject_id), seconds=120, what="the next worker to finish it")
    assert job_of(made, job.subject_id).attempt == 2
    assert len(matrix.versions()) == len(finished()) == 16
    assert before.items() <= finished().items(), "no ad is laid out twice"
    assert [(view.state, view.cell.version) for view in matrix.cells()] == [("open", 2)] * 8
    assert len({view.version.key for view in matrix.cells() if view.version is not None}) == 8
    assert violations(made) == []


def test_chaos_on_sqlite_with_one_worker(made: World) -> None:
    run_chaos(made)
    print(report(made))
    assert violations(made) == []


def test_a_worker_that_slept_past_its_lease_changes_nothing(made: World) -> None:
    made.workers.append(made.start_worker())
    wake_a_sleeper(made)
    assert violations(made) == []


def test_without_the_fence_the_sleeper_would_be_caught(tmp_path: Path) -> None:
    with world(tmp_path, Plan(scaled=False, without_fence=True)) as made:
        wake_a_sleeper(made)
        assert any("ended twice" in one for one in violations(made))
