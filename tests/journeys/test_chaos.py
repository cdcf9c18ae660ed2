"""Nothing is lost and nothing is doubled, whatever is away or killed. The long form is ``python -m tests.chaos``.

On PostgreSQL, Redis and S3, which all tests here share, with two web processes and two workers.
"""

import time
from collections.abc import Iterator

import pytest

from tests.chaos import Plan, World, has_ended, job_of, report, run_chaos, violations, world
from tests.servers import wait_until

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    with world(tmp_path_factory.mktemp("scaled"), Plan()) as made:
        yield made


def test_jobs_run_while_the_broker_is_down_or_hangs(made: World) -> None:
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
    wait_until(lambda: has_ended(made, while_down), seconds=60, what="a job without a wake-up")
    redis.start()
    redis.wait_until_ready()
    redis.pause()
    while_hanging = ordered()
    wait_until(lambda: has_ended(made, while_hanging), seconds=60, what="a job beside a broker that hangs")
    redis.resume()
    afterwards = ordered()
    wait_until(lambda: has_ended(made, afterwards), seconds=60, what="a job after that")
    assert violations(made) == []


def _has_reported(made: World) -> bool:
    from app.jobs import queries

    with made.database.read() as session:
        return bool(queries.workers(session))


def test_without_the_database_an_answer_says_so_and_a_training_waits(made: World) -> None:
    training_id = made.order_training(1)
    wait_until(lambda: job_of(made, training_id).progress_done >= 5, seconds=120, what="five steps")
    made.services["postgres"].kill()
    answer = made.call("GET", f"/trainings/{training_id}")
    assert answer is not None and (answer.status_code, answer.headers["retry-after"]) == (503, "5")
    time.sleep(made.plan.lease * 1.5)
    made.services["postgres"].start()
    made.services["postgres"].wait_until_ready()
    wait_until(lambda: has_ended(made, training_id), seconds=120, what="the training to go on")
    assert violations(made) == []


def test_without_the_storage_a_job_waits(made: World) -> None:
    made.services["storage"].pause()
    generation_id = made.order("/generations", {"prompt": "a red apple", "count": 1, "steps": 2, "adapters": []})
    assert generation_id is not None
    wait_until(lambda: job_of(made, generation_id).state == "running", seconds=120, what="the job to begin")
    time.sleep(3)
    made.services["storage"].resume()
    wait_until(lambda: has_ended(made, generation_id), seconds=180, what="the job to go on")
    assert violations(made) == []


def test_chaos_on_postgresql_redis_and_s3(made: World) -> None:
    run_chaos(made)
    print(report(made))
    assert violations(made) == []
    assert made.done_to.total() >= 8
