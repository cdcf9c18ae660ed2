"""What a training will take, and where each number comes from. Pure arithmetic: where nothing is known, it says so."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import ROUND_HALF_UP, Decimal
from typing import Any, Literal, Protocol, TypeVar

from pydantic import BaseModel, ConfigDict

from app.trainings.plans import Plan, Shortage


class Measurement(Protocol):
    """What an earlier training on the same base took, as far as both kinds measure it alike."""

    @property
    def measured_at(self) -> datetime: ...
    @property
    def device(self) -> str: ...
    @property
    def recipe(self) -> Any: ...
    @property
    def peak_memory_bytes(self) -> int | None: ...
    @property
    def precision(self) -> str | None:
        """That its plan said; None where there was none."""


Measured = TypeVar("Measured", bound=Measurement)


class FirstSteps(BaseModel, defer_build=True):
    """What the first steps of a training measured, once the device was warm."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    steps: int
    """How many were measured."""
    seconds_per_step: float
    seconds_left: float
    """From then on, with samples and checkpoints."""
    seconds: float | None = None
    """In all: those since the training's first start and those left."""
    memory_bytes: int | None
    """Largest while they were taken."""


class Estimate(BaseModel, defer_build=True):
    """Kept with the training, so that the promise can be compared with what came."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    seconds: float | None
    """None where nothing has been measured: then no time is promised."""
    time_basis: Literal["measured", "calculated", "none"]
    measured_at: datetime | None = None
    device: str | None = None
    memory_bytes: int
    memory_basis: Literal["measured", "calculated", "catalogue"]
    file_bytes: int | None
    cost: Decimal | None
    """None without a price or without a time."""
    cost_range: tuple[Decimal, Decimal] | None = None
    """Of ``seconds_range`` at the same price; None without one of the two."""
    currency: str = "EUR"
    seconds_range: tuple[float, float] | None = None
    """From the device's speed, where nothing alike has been measured but the base's cost is known."""
    memory_range: tuple[int, int] | None = None
    """Round ``memory_bytes`` where it is the plan's prediction."""
    moved_from: Plan | None = None
    """What was planned for the device that was there at the start, where one with less memory took the training."""
    fell_back_from: Plan | None = None
    """What was planned first, where the device's memory ran out and the base had to be quantised further."""
    shortage: Shortage | None = None
    """How it went on where the memory ran out in a step, to the same result."""
    first_steps: FirstSteps | None = None
    """None before they were taken, and where there are too few steps to measure some first."""
    plan: Plan | None = None
    """How the device's memory is used, and why so; None where the catalogue does not know the base's cost."""


@dataclass(frozen=True)
class Circumstances:
    """What an estimate depends on besides the training itself."""

    devices: Sequence[str]
    """Those that would do it now; empty while no worker is there."""
    price_per_hour: Decimal | None
    currency: str


def estimate_of(
    known: Measurement | None,
    plan: Plan | None,
    now: Circumstances,
    *,
    seconds: float | None,
    seconds_range: tuple[float, float] | None = None,
    memory_bytes: int,
    file_bytes: int | None,
) -> Estimate:
    """``seconds``: by what is ``known`` of a training alike. ``memory_bytes``: by the catalogue, for where nothing
    alike was measured and nothing is planned."""
    measured = known.peak_memory_bytes if known is not None else None
    return Estimate(
        seconds=seconds,
        time_basis="measured" if known is not None else "calculated" if seconds_range else "none",
        measured_at=known.measured_at if known else None,
        device=known.device if known else None,
        memory_bytes=measured or (plan.memory_bytes if plan is not None else memory_bytes),
        memory_basis="measured" if measured else "calculated" if plan is not None else "catalogue",
        file_bytes=file_bytes,
        cost=cost_of(seconds, now.price_per_hour),
        currency=now.currency,
        seconds_range=seconds_range,
        cost_range=cost_range_of(seconds_range, now.price_per_hour),
        memory_range=(plan.memory_low, plan.memory_high) if plan is not None and not measured else None,
        plan=plan,
    )


def on_devices(measurements: Sequence[Measured], devices: Sequence[str], plan: Plan | None) -> list[Measured]:
    """Those of a device that is there, computed in the plan's precision: another card's pace says nothing about this
    one's. All devices count where none is there now."""
    return [
        one for one in measurements if (not devices or one.device in devices) and is_computed_alike(one.precision, plan)
    ]


def is_computed_alike(precision: str | None, plan: Plan | None) -> bool:
    """Whether a measurement's precision is the plan's, as far as both are known: the same card may have trained in
    another one before."""
    return precision is None or plan is None or precision == plan.precision


def cost_of(seconds: float | None, price_per_hour: Decimal | None) -> Decimal | None:
    """Price of so much device time, in whole cents."""
    if seconds is None or price_per_hour is None:
        return None
    return (price_per_hour * Decimal(seconds) / 3600).quantize(Decimal("0.01"), ROUND_HALF_UP)


def cost_range_of(
    seconds: tuple[float, float] | None, price_per_hour: Decimal | None
) -> tuple[Decimal, Decimal] | None:
    """The same for the least and the most time."""
    if seconds is None:
        return None
    low, high = (cost_of(one, price_per_hour) for one in seconds)
    return None if low is None or high is None else (low, high)
