"""How good a training's promises were: what was said before it and by its first steps, beside what came."""

from dataclasses import dataclass
from typing import Literal

from app.adapters.models import Adapter
from app.trainings.estimates import Estimate
from app.trainings.models import Training

CLOSE = 0.25
"""Share by which a prediction may be off and still be called close."""


@dataclass(frozen=True)
class Grade:
    """What was said of a training, before it and by its first steps, beside what came."""

    of: Literal["time", "memory", "file"]
    """Seconds, or bytes."""
    said: float | tuple[float, float] | None
    """Before the start: one number, from and to, or nothing."""
    first: float | None
    """By its first steps."""
    came: float

    @property
    def off(self) -> float:
        """How much too much was said, as a share of what came; below zero: too little. Of a range what lies outside;
        where nothing was said before the start, what the first steps said."""
        if isinstance(self.said, tuple):
            nearest = min(max(self.came, self.said[0]), self.said[1])
            return nearest / self.came - 1
        said = self.first if self.said is None else self.said
        return 0.0 if said is None else said / self.came - 1

    @property
    def times(self) -> float:
        """What came as a multiple of what was said."""
        return 1 / (1 + self.off)

    @property
    def is_close(self) -> bool:
        return abs(self.off) <= CLOSE


def graded(estimate: Estimate, training: Training, took_seconds: float | None, adapter: Adapter | None) -> list[Grade]:
    """Those alone that there is a measure of."""
    first, fell_back = estimate.first_steps, estimate.plan if estimate.fell_back_from or estimate.moved_from else None
    promised = fell_back.memory_bytes if fell_back else estimate.memory_bytes
    seconds, memory = (first.seconds, first.memory_bytes) if first else (None, None)
    grades = [
        Grade("time", estimate.seconds or estimate.seconds_range, seconds, took_seconds or 0),
        Grade("memory", promised, memory, training.peak_memory_bytes or 0),
        Grade("file", estimate.file_bytes, None, adapter.byte_count if adapter else 0),
    ]
    return [one for one in grades if one.came and (one.said or one.first)]
