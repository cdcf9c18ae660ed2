"""A training survives the end of its worker; broker, database and storage may be away for a while. Real processes."""

import signal
import time
from pathlib import Path

import numpy as np
import pytest
from sqlalchemy import select

from app.jobs.models import Job
from tests.chaos import Plan, World, tensors_of, violations, world
from tests.servers import wait_until

ONE_WORKER = Plan(scaled=False, workers=1, generations=0, steps=24)


def job_of(made: World, subject_id: str) -> Job:
    with made.database.read() as session:
        return session.scalars(select(Job).where(Job.subject_id == subject_id)).one()


def done(made: World, subject_id: str) -> bool:
    state = job_of(made, subject_id).state
    assert state in ("queued", "running", "done"), job_of(made, subject_id).error_sentence
    return state == "done"


@pytest.mark.slow
def test_a_training_survives_a_deploy_and_a_kill_with_the_same_result(tmp_path: Path) -> None:
    with world(tmp_path, ONE_WORKER) as made:
        undisturbed = made.order_training(3)
        wait_until(lambda: done(made, undisturbed), seconds=180, what="the undisturbed training")

        deployed = made.order_training(3)
        wait_until(lambda: job_of(made, deployed).progress_done >= 6, seconds=60, what="six steps")
        worker = made.workers[0]
        worker.process.send_signal(signal.SIGTERM)
        assert worker.process.wait(timeout=60) == 0, "it ended by itself"
        job = job_of(made, deployed)
        assert (job.state, job.owner, job.attempts_without_progress) == ("queued", None, 0)
        assert job.checkpoint is not None and job.checkpoint["step"] >= 6, "nothing of its work is done again"
        made.workers[0] = made.start_worker()
        wait_until(lambda: done(made, deployed), seconds=180, what="the next worker to finish it")

        killed = made.order_training(3)
        wait_until(lambda: (job_of(made, killed).checkpoint or {}).get("step", 0) >= 8, seconds=60, what="a checkpoint")
        made.workers[0].process.kill()
        made.workers[0].process.wait()
        made.workers[0] = made.start_worker()
        wait_until(lambda: done(made, killed), seconds=180, what="the next worker to finish it")
        assert job_of(made, killed).attempt == 2

        expected = tensors_of(made, undisturbed)
        for training_id in (deployed, killed):
            tensors = tensors_of(made, training_id)
            assert tensors.keys() == expected.keys()
            assert all(np.array_equal(tensors[name], expected[name]) for name in expected)
        assert violations(made) == []


@pytest.mark.slow
def test_jobs_run_while_the_broker_is_down_or_hangs(tmp_path: Path) -> None:
    with world(tmp_path, Plan(workers=1)) as made:
        redis = made.services["redis"]
        wait_until(lambda: "[queues]" in made.workers[0].tail() or _has_reported(made), seconds=120, what="the worker")
        request = {"prompt": "a red apple", "count": 1, "steps": 2, "adapters": []}

        def ordered() -> str:
            began = time.monotonic()
            generation_id = made.order("/generations", request)
            assert generation_id is not None
            # Not a measure of speed: a request that waited for the broker would need all of its timeouts.
            assert time.monotonic() - began < 10
            return generation_id

        redis.kill()
        while_down = ordered()
        wait_until(lambda: done(made, while_down), seconds=60, what="a job without a wake-up")
        redis.start()
        redis.wait_until_ready()
        redis.pause()
        while_hanging = ordered()
        wait_until(lambda: done(made, while_hanging), seconds=60, what="a job beside a broker that hangs")
        redis.resume()
        afterwards = ordered()
        wait_until(lambda: done(made, afterwards), seconds=60, what="a job after that")
        assert violations(made) == []


def _has_reported(made: World) -> bool:
    from app.jobs import queries

    with made.database.read() as session:
        return bool(queries.workers(session))


@pytest.mark.slow
def test_without_the_database_an_answer_says_so_and_a_training_waits(tmp_path: Path) -> None:
    with world(tmp_path, Plan(workers=1, steps=16)) as made:
        training_id = made.order_training(1)
        wait_until(lambda: job_of(made, training_id).progress_done >= 5, seconds=120, what="five steps")
        made.services["postgres"].kill()
        answer = made.call("GET", f"/trainings/{training_id}")
        assert answer is not None and (answer.status_code, answer.headers["retry-after"]) == (503, "5")
        time.sleep(made.plan.lease * 1.5)
        made.services["postgres"].start()
        made.services["postgres"].wait_until_ready()
        wait_until(lambda: done(made, training_id), seconds=120, what="the training to go on")
        assert violations(made) == []


@pytest.mark.slow
def test_without_the_storage_a_job_waits(tmp_path: Path) -> None:
    with world(tmp_path, Plan(workers=1)) as made:
        made.services["storage"].pause()
        generation_id = made.order("/generations", {"prompt": "a red apple", "count": 1, "steps": 2, "adapters": []})
        assert generation_id is not None
        wait_until(lambda: job_of(made, generation_id).state == "running", seconds=120, what="the job to begin")
        time.sleep(3)
        made.services["storage"].resume()
        wait_until(lambda: done(made, generation_id), seconds=180, what="the job to go on")
        assert violations(made) == []
