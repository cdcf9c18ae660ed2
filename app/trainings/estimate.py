"""What a training will take, and where each number comes from. Pure arithmetic: where nothing is known, it says so."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import ROUND_HALF_UP, Decimal
from typing import Literal

from pydantic import BaseModel, ConfigDict

from app.base_models.catalogue import BaseModelEntry
from app.trainings.recipe import TrainingRecipe


@dataclass(frozen=True)
class Measurement:
    """What an earlier training on the same base took."""

    measured_at: datetime
    device: str
    resolution: int
    samples_per_step: int
    """See ``samples_per_step``."""
    seconds_per_step: float
    other_seconds: float
    """Loading, sample pictures and saving."""
    peak_memory_bytes: int | None
    bytes_per_rank: float | None
    """Of the adapter's file, by what was trained."""
    target_modules: str


class Estimate(BaseModel):
    """Kept with the order, so that the promise can be compared with what came."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    seconds: float | None
    """None where nothing has been measured: then no time is promised."""
    time_basis: Literal["measured", "none"]
    measured_at: datetime | None = None
    device: str | None = None
    memory_bytes: int
    memory_basis: Literal["measured", "catalogue"]
    file_bytes: int | None
    cost: Decimal | None
    """None without a price or without a time."""
    currency: str = "EUR"


def estimate_for(
    recipe: TrainingRecipe,
    base: BaseModelEntry,
    measurements: Sequence[Measurement],
    *,
    devices: Sequence[str],
    price_per_hour: Decimal | None,
    currency: str,
) -> Estimate:
    """``measurements``: the newest first. ``devices``: those that would do it now; empty when no worker is there.

    A measurement counts for the same size and number of pictures in a step only, and for a device that is there:
    another card's pace says nothing about this one's.
    """
    alike = [
        one
        for one in measurements
        if (one.resolution, one.samples_per_step) == (recipe.resolution, samples_per_step(recipe))
        and (not devices or one.device in devices)
    ]
    known = alike[0] if alike else None
    seconds = None if known is None else known.seconds_per_step * recipe.steps + known.other_seconds
    memory = known.peak_memory_bytes if known is not None else None
    return Estimate(
        seconds=seconds,
        time_basis="none" if known is None else "measured",
        measured_at=known.measured_at if known else None,
        device=known.device if known else None,
        memory_bytes=memory or base.training_memory(recipe.quantization),
        memory_basis="measured" if memory else "catalogue",
        file_bytes=_file_bytes(recipe, base, measurements),
        cost=cost_of(seconds, price_per_hour),
        currency=currency,
    )


def samples_per_step(recipe: TrainingRecipe) -> int:
    """How many pictures are computed for one step, those of the class included."""
    own = recipe.batch_size * recipe.gradient_accumulation_steps
    return own * 2 if recipe.with_prior_preservation else own


def cost_of(seconds: float | None, price_per_hour: Decimal | None) -> Decimal | None:
    """Price of so much device time, in whole cents."""
    if seconds is None or price_per_hour is None:
        return None
    return (price_per_hour * Decimal(seconds) / 3600).quantize(Decimal("0.01"), ROUND_HALF_UP)


def _file_bytes(recipe: TrainingRecipe, base: BaseModelEntry, measurements: Sequence[Measurement]) -> int | None:
    if recipe.network == "lokr" or recipe.train_text_encoder:
        return None  # the catalogue counts plain layers of the denoiser only
    known = base.adapter_bytes(recipe.rank, recipe.target_modules)
    if known is not None:
        return known
    for one in measurements:
        if one.bytes_per_rank is not None and one.target_modules == recipe.target_modules:
            return round(one.bytes_per_rank * recipe.rank)
    return None
