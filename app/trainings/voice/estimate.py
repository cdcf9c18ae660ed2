"""What the training of a voice will take, and where each number comes from. Pure arithmetic; what is not known is said.

Time is measured per character: how many tokens a text is, only the base's tokenizer in the worker knows.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from app.base_models.catalogue import TextModelEntry
from app.trainings.estimates import Circumstances, Estimate, estimate_of, on_devices
from app.trainings.plans import Plan
from app.trainings.voice.freeze import FrozenVoice
from app.trainings.voice.planner import memory_of, row_tokens
from app.trainings.voice.recipe import VoiceRecipe

DECIDES = (
    "kind",
    "quantization",
    "rank",
    "target_modules",
    "batch_size",
    "gradient_accumulation_steps",
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
    """Of learned text, the messages before it included, read once."""
    other_seconds: float
    """Loading, measuring, sample texts and saving."""
    peak_memory_bytes: int | None
    precision: str | None = None
    """That its plan said; None where there was none."""


def voice_estimate(
    recipe: VoiceRecipe,
    base: TextModelEntry,
    voice: FrozenVoice,
    paces: Sequence[VoicePace],
    now: Circumstances,
    plan: Plan | None = None,
) -> Estimate:
    """``paces``: the newest first. Without a device there is no ``plan`` either, and the memory is that of a card."""
    alike = [
        one
        for one in on_devices(paces, now.devices, plan)
        if all(getattr(one.recipe, name) == getattr(recipe, name) for name in DECIDES)
    ]
    known, seconds = alike[0] if alike else None, None
    if known is not None:
        seconds = known.seconds_per_character * voice.characters * recipe.epochs + known.other_seconds
    return estimate_of(
        known,
        plan,
        now,
        seconds=seconds,
        memory_bytes=_on_a_card(recipe, base, voice),
        file_bytes=base.adapter_bytes(recipe.rank, recipe.target_modules),
    )


def _on_a_card(recipe: VoiceRecipe, base: TextModelEntry, voice: FrozenVoice) -> int:
    return memory_of(
        recipe,
        base,
        row_tokens(recipe, voice),
        precision="bfloat16",
        quantization=recipe.quantization,
        gradient_checkpointing=recipe.gradient_checkpointing,
        micro_batch_size=recipe.batch_size,
    )
