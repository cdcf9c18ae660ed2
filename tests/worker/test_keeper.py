"""A worker that is killed, crashes or hangs is replaced, and its job goes on or is set aside with the reason."""

import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import psutil
import pytest
from sqlalchemy import select

from app.db import Database
from app.jobs import outcomes
from app.jobs.models import Job, LeaseExpiry
from app.storage import Storage
from tests.broken_worker import BREAKS
from tests.orders import make_brand, order_training
from tests.servers import Livery, wait_until

pytestmark = pytest.mark.slow
Start = Callable[..., Livery]


@pytest.fixture
def training_id(database: Database, storage: Storage, workspace_id: str) -> str:
    return order_training(database, workspace_id, make_brand(database, storage, workspace_id), sample_prompts=())


@pytest.fixture
def start(tmp_path: Path, database_url: str) -> Iterator[Start]:
    with ExitStack() as stack:

        def start(how: str, *, times: int = 1) -> Livery:
            (tmp_path / "marks").mkdir()
            arguments = ("--how", how, "--at", "6", "--times", str(times), "--marks", str(tmp_path / "marks"))
            worker = Livery(
                tmp_path,
                module="tests.broken_worker",
                arguments=arguments,
                DATABASE_URL=database_url,
                HANG_MINUTES="0.03",
                DISK_FLOOR_MB="0",
            )
            stack.callback(worker.stop)
            return worker

        yield start


def job_of(database: Database, training_id: str) -> Job:
    with database.read() as session:
        return session.scalars(select(Job).where(Job.subject_id == training_id)).one()


@pytest.mark.parametrize("how", BREAKS)
def test_the_next_worker_goes_on_from_what_was_kept(
    database: Database, training_id: str, start: Start, how: str
) -> None:
    worker = start(how)
    supervisor = psutil.Process(worker.process.pid)
    wait_until(lambda: job_of(database, training_id).state == "done", seconds=180, what=f"it to go on\n{worker.tail()}")
    job = job_of(database, training_id)
    # Sooner than its lease ran out, and from the checkpoint: two attempts, and only the one was lost.
    assert (job.attempt, job.held_back) == (2, None)
    with database.read() as session:
        lost = session.scalars(select(LeaseExpiry)).one()
    assert (lost.attempt, lost.outcome) == (1, "queued")
    assert supervisor.is_running() and len(worker.workers()) == 1


def test_what_breaks_every_worker_is_set_aside_with_the_reason(
    database: Database, storage: Storage, workspace_id: str, start: Start
) -> None:
    brand = make_brand(database, storage, workspace_id)
    training_id = order_training(database, workspace_id, brand, sample_prompts=(), checkpoint_every=50)
    worker = start("hangs", times=99)
    wait_until(lambda: job_of(database, training_id).state == "failed", seconds=180, what=f"its end\n{worker.tail()}")
    job, failure = job_of(database, training_id), outcomes.FAILURES["hung"]
    assert (job.error_code, job.error_sentence, job.attempt) == (failure.code, failure.in_the_end, 3)


def test_no_worker_outlives_its_supervisor(start: Start, tmp_path: Path) -> None:
    worker = start("hangs")
    wait_until(lambda: len(worker.workers()) == 1, seconds=60, what="the worker to start")
    wait_until((tmp_path / "alive").exists, seconds=60, what="a sign of life")
    (working,) = worker.workers()
    worker.process.kill()
    worker.process.wait()
    wait_until(lambda: not working.is_running() or working.status() == psutil.STATUS_ZOMBIE, seconds=60, what="its end")


def test_the_supervisor_is_small() -> None:
    script = "import sys, worker.__main__; print(sorted({name.split('.')[0] for name in sys.modules}))"
    loaded = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True).stdout
    assert "worker" in loaded and not {"sqlalchemy", "pydantic", "celery", "torch"} & set(eval(loaded))
