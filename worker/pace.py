"""How long a training still takes, from its own steps: a few warm the device up, the next few are measured."""

import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from statistics import fmean

from worker.engines.contracts import Step

WARM_STEPS = 3
"""Not counted: kernels are chosen, memory is asked for, caches are cold."""
MEASURED_STEPS = 5
LATEST_STEPS = 50
"""Of which the pace is taken later on."""
BETWEEN = ("measuring", "sampling", "saving")
"""Phases that come again with every checkpoint."""
CheckpointsLeft = Callable[[int, int], int]
"""How many checkpoints are still to come after so many steps of so many."""


def every(steps: int) -> CheckpointsLeft:
    """One checkpoint after so many steps each, and one at the end."""
    return lambda done, total: total // steps - done // steps + (total % steps != 0)


def evaluations(count: int) -> CheckpointsLeft:
    """So many checkpoints spread evenly over all steps, of which a training that gets no better may skip the last."""
    return lambda done, total: min(count - done * count // total, total - done)


@dataclass(frozen=True)
class Measured:
    """What the first steps said."""

    steps: int
    seconds_per_step: float
    seconds_left: float
    """Of the training's steps, and the samples and checkpoints between them."""
    memory_bytes: int | None


class Pace:
    """Of one attempt at a training.

    Does not know what comes before the steps and after them, nor what a checkpoint costs that has not come yet: until
    then it takes the base's own samples for it, which are made at the start. That a training may end early it does not
    know either.
    """

    def __init__(self, checkpoints_left: CheckpointsLeft, clock: Callable[[], float] = time.monotonic) -> None:
        self._checkpoints_left, self._clock = checkpoints_left, clock
        self._done = self._total = 0
        self._seconds: deque[float] = deque(maxlen=LATEST_STEPS)
        self._warm = 0
        self._between = 0.0
        self._between_since: float | None = None
        self.measured: Measured | None = None
        """Once, when the first steps have been measured."""

    def begin_anew(self) -> None:
        """Steps are computed in another way from now on."""
        self._seconds.clear()
        self._warm, self.measured = 0, None

    def phase(self, name: str) -> None:
        if name in BETWEEN:
            if self._between_since is None:
                self._between_since = self._clock()
        elif self._between_since is not None:
            self._between = self._clock() - self._between_since
            self._between_since = None

    def step(self, step: Step) -> None:
        self._done, self._total = step.step, step.total
        if self._warm < WARM_STEPS:
            self._warm += 1
            return
        self._seconds.append(step.seconds)
        left = self.seconds_left
        if self.measured is None and left is not None and step.step < self._total:
            self.measured = Measured(len(self._seconds), fmean(self._seconds), left, step.peak_memory_bytes)

    @property
    def seconds_left(self) -> float | None:
        """None before the first steps have been measured."""
        if len(self._seconds) < MEASURED_STEPS:
            return None
        left = self._checkpoints_left(self._done, self._total)
        return fmean(self._seconds) * (self._total - self._done) + self._between * left
