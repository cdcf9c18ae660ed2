"""What the training of a voice will take, and where each number comes from. Pure arithmetic; what is not known is said.

Time is measured per character: how many tokens a text is, only the base's tokenizer in the worker knows.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from app.base_models.catalogue import TextModelEntry
from app.trainings.estimate import Estimate, cost_of
from app.trainings.voice_recipe import VoiceRecipe
from app.trainings.voice_texts import FrozenVoice

WORKING_SHARE = 0.5
"""Of the base's bytes, for what training keeps beside them: a rule of thumb for rows of 512 tokens, until measured."""
WORKING_BYTES = 1_000_000_000
"""Libraries and the state of the smallest training."""
DECIDES = (
    "kind",
    "quantization",
    "rank",
    "target_modules",
    "batch_size",
    "max_length",
    "packing",
    "gradient_checkpointing",
    "evaluations_per_epoch",
)
"""What memory and time follow from, beside the texts: a measurement speaks for trainings alike in all of it."""


@dataclass(frozen=True)
class VoicePace:
    """What an earlier training of a voice on the same base took."""

    measured_at: datetime
    device: str
    recipe: VoiceRecipe
    seconds_per_character: float
    """Of learned text, orders included, read once."""
    other_seconds: float
    """Loading, measuring, sample texts and saving."""
    peak_memory_bytes: int | None


def voice_estimate(
    recipe: VoiceRecipe,
    base: TextModelEntry,
    voice: FrozenVoice,
    paces: Sequence[VoicePace],
    *,
    devices: Sequence[str],
    price_per_hour: Decimal | None,
    currency: str,
) -> Estimate:
    """``paces``: the newest first. ``devices``: those that would do it now; empty when no worker is there."""
    alike = [
        one
        for one in paces
        if all(getattr(one.recipe, name) == getattr(recipe, name) for name in DECIDES)
        and (not devices or one.device in devices)
    ]
    known = alike[0] if alike else None
    seconds = None
    if known is not None:
        seconds = known.seconds_per_character * voice.characters * recipe.epochs + known.other_seconds
    memory = known.peak_memory_bytes if known is not None else None
    on_card = any(not device.startswith("CPU") for device in devices)
    weights = base.weight_bytes(recipe.quantization, on_card=on_card)
    working = WORKING_SHARE * max(1.0, recipe.max_length / 512)
    return Estimate(
        seconds=seconds,
        time_basis="none" if known is None else "measured",
        measured_at=known.measured_at if known else None,
        device=known.device if known else None,
        memory_bytes=memory or round(weights * (1 + working)) + WORKING_BYTES,
        memory_basis="measured" if memory else "catalogue",
        file_bytes=base.adapter_bytes(recipe.rank, recipe.target_modules),
        cost=cost_of(seconds, price_per_hour),
        currency=currency,
    )
