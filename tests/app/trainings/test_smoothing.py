"""The line of losses shows what was measured, averaged over a tenth of the way."""

from app.trainings.models import LossPoint
from app.trainings.queries import smoothed


def points(losses: list[float]) -> list[LossPoint]:
    return [LossPoint(training_id="t", step=step, loss=loss, learning_rate=1e-4) for step, loss in enumerate(losses, 1)]


def test_few_points_stay_as_they_are() -> None:
    assert smoothed(points([0.5, 0.25])) == [(1, 0.5), (2, 0.25)]


def test_many_points_are_averaged_over_the_last_tenth() -> None:
    line = smoothed(points([1.0, 0.0] * 10))
    assert line[0] == (2, 0.5)
    assert {loss for _step, loss in line} == {0.5}
    assert line[-1][0] == 20


def test_nothing_gives_nothing() -> None:
    assert smoothed([]) == []
