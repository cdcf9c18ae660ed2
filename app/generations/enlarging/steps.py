"""What is told of each time that a picture was enlarged. Pure."""

from dataclasses import dataclass
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

Times = Literal[2, 4]
TIMES: tuple[Times, ...] = (2, 4)
MOST_SIDE, MOST_PIXELS = 8192, 40_000_000
"""Of what comes out: more is beyond what programs open with ease, and a worker's memory."""
METHOD = "Real-ESRGAN"


class EnlargementStep(BaseModel, defer_build=True):
    """One enlargement, from the size that the picture had before."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    times: Times
    width: int = Field(description="Before it, in pixels, as is the height.")
    height: int
    network: str | None = Field(None, description="Its makers' name for its weights; null until it is done.")

    @property
    def size(self) -> tuple[int, int]:
        """Width and height afterwards."""
        return self.width * self.times, self.height * self.times

    @property
    def told(self) -> str:
        """For files, in the words of programs: ``enlarged 4× by Real-ESRGAN (realesrgan-x4plus)``."""
        return f"enlarged {self.times}× by {METHOD} ({self.network})"


def is_possible(width: int, height: int, times: int) -> bool:
    """Whether a picture of this size can be enlarged so many times."""
    return max(width, height) * times <= MOST_SIDE and width * height * times**2 <= MOST_PIXELS


@dataclass(frozen=True)
class Choice:
    """How many times, and the size that would come out."""

    times: Times
    width: int
    height: int


def choices(width: int, height: int) -> list[Choice]:
    """What a picture of this size can be enlarged to."""
    return [Choice(times, width * times, height * times) for times in TIMES if is_possible(width, height, times)]


def read_kept(kept: list[dict[str, Any]] | None) -> tuple[EnlargementStep, ...]:
    """Of a generation's column, the first one first."""
    return tuple(EnlargementStep.model_validate(one) for one in kept or ())
