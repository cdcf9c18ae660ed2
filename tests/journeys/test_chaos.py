"""Nothing is lost and nothing is doubled, whatever is killed. The long form is ``python -m tests.chaos``."""

from pathlib import Path

import pytest

from tests.chaos import Plan, report, run_chaos, violations, wake_a_sleeper, world

pytestmark = pytest.mark.slow


def test_chaos_on_postgresql_redis_and_s3(tmp_path: Path) -> None:
    with world(tmp_path, Plan()) as made:
        run_chaos(made)
        print(report(made))
        assert violations(made) == []
        assert made.done_to.total() >= 8


def test_chaos_on_sqlite_with_one_worker(tmp_path: Path) -> None:
    with world(tmp_path, Plan(scaled=False, workers=1, generations=10, kills=3, seconds=25, steps=16)) as made:
        run_chaos(made)
        print(report(made))
        assert violations(made) == []


def test_a_worker_that_slept_past_its_lease_changes_nothing(tmp_path: Path) -> None:
    with world(tmp_path, Plan(scaled=False)) as made:
        wake_a_sleeper(made)
        assert violations(made) == []


def test_without_the_fence_the_sleeper_would_be_caught(tmp_path: Path) -> None:
    with world(tmp_path, Plan(scaled=False, without_fence=True)) as made:
        wake_a_sleeper(made)
        assert any("ended twice" in one for one in violations(made))
