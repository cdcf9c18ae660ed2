"""The time left of a training comes from its own steps, once the first few have warmed the device up."""

import pytest

from worker.engines.contracts import Step
from worker.pace import MEASURED_STEPS, WARM_STEPS, Pace, evaluations, every


class Clock:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def take(pace: Pace, first: int, last: int, seconds: float, total: int = 100) -> None:
    for number in range(first, last + 1):
        pace.step(Step(number, total, 0.1, 1e-4, seconds, 1000 + number))


def test_nothing_is_promised_before_some_steps_were_measured_and_warm_ones_do_not_count() -> None:
    pace = Pace(every(1000))
    take(pace, 1, WARM_STEPS, seconds=60.0)
    take(pace, WARM_STEPS + 1, WARM_STEPS + MEASURED_STEPS - 1, seconds=2.0)
    assert pace.seconds_left is None and pace.measured is None
    take(pace, 8, 8, seconds=2.0)
    assert pace.seconds_left == pytest.approx(92 * 2.0)
    assert pace.measured is not None and pace.measured.seconds_per_step == pytest.approx(2.0)
    assert (pace.measured.steps, pace.measured.memory_bytes) == (MEASURED_STEPS, 1008)


def test_samples_and_checkpoints_that_are_still_to_come_take_as_long_as_the_last() -> None:
    clock = Clock()
    pace = Pace(every(40), clock)
    pace.phase("sampling")
    clock.now += 30.0
    pace.phase("training")
    take(pace, 1, 8, seconds=1.0)
    # At 40, at 80 and after the last step.
    assert pace.seconds_left == pytest.approx(92 + 3 * 30)
    take(pace, 9, 40, seconds=1.0)
    pace.phase("sampling")
    clock.now += 10.0
    pace.phase("saving")
    clock.now += 2.0
    pace.phase("training")
    take(pace, 41, 41, seconds=1.0)
    assert pace.seconds_left == pytest.approx(59 + 2 * 12)


def test_steps_that_are_computed_in_another_way_are_measured_anew() -> None:
    pace = Pace(every(1000))
    take(pace, 1, 20, seconds=1.0)
    first = pace.measured
    pace.begin_anew()
    assert pace.seconds_left is None
    take(pace, 21, 28, seconds=3.0)
    assert pace.measured is not None and pace.measured != first
    assert pace.seconds_left == pytest.approx(72 * 3.0)


def test_too_few_steps_leave_nothing_to_promise() -> None:
    pace = Pace(every(4))
    take(pace, 1, 8, seconds=1.0, total=8)
    assert pace.measured is None


def test_a_voice_is_measured_as_often_as_its_recipe_says_whatever_the_number_of_steps() -> None:
    left = evaluations(6)
    assert [left(done, 90) for done in (0, 14, 15, 89, 90)] == [6, 6, 5, 1, 0]
    assert left(1, 3) == 2, "a step measures once"
    clock = Clock()
    pace = Pace(evaluations(2), clock)
    pace.phase("measuring")
    clock.now += 20.0
    pace.phase("sampling")
    clock.now += 4.0
    pace.phase("training")
    take(pace, 1, 8, seconds=1.0)
    assert pace.seconds_left == pytest.approx(92 + 2 * 24)
