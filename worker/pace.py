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
BETWEEN = ("sampling", "saving")
"""Phases that come again with every checkpoint."""


@dataclass(frozen=True)
class Measured:
    """What the first steps said."""

    steps: int
    seconds_per_step: float
    seconds_left: float
    """Of the training's steps, and the samples and checkpoints between them."""
    memory_bytes: int | None


class Pace:
    """Of one attempt at a training of ``steps`` steps with a checkpoint every ``checkpoint_every``.

    Does not know what comes before the steps and after them, nor what a checkpoint costs that has not come yet: until
    then it takes the base's own samples for it, which are drawn at the start.
    """

    def __init__(self, steps: int, checkpoint_every: int, clock: Callable[[], float] = time.monotonic) -> None:
        self._total, self._every, self._clock = steps, checkpoint_every, clock
        self._done = 0
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
        self._done = step.step
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
        return fmean(self._seconds) * (self._total - self._done) + self._between * self._checkpoints_left()

    def _checkpoints_left(self) -> int:
        whole = self._total // self._every - self._done // self._every
        return whole + (self._total % self._every != 0)
