"""From "what should it learn?" to a whole recipe. The numbers are data (``presets.toml``); here is only how they meet.

Pure: knows the catalogue's entry, the number of pictures and their captions, and nothing of the database.
"""

import math
import tomllib
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field

from app.base_models.catalogue import BaseModelEntry
from app.images.captions import TRIGGER_PLACEHOLDER
from app.trainings.look.fields import TABLE
from app.trainings.look.overrides import LONGEST_PROMPT
from app.trainings.look.recipe import (
    MOST_SAMPLE_PROMPTS,
    Network,
    Optimizer,
    Purpose,
    TargetModules,
    TrainingRecipe,
)

PRESETS = Path(__file__).with_name("presets.toml")
PURPOSES: tuple[Purpose, ...] = ("style", "character", "product")
FROM_CAPTIONS = 2
"""How many of the sample prompts are taken from the captions; the others show things that were never there."""


class Preset(BaseModel, defer_build=True):
    """The starting values for one purpose on one base model."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    rank: int
    alpha: float
    learning_rate: float
    lr_scheduler: str
    target_modules: TargetModules
    samples_per_picture: Annotated[int, Field(ge=1)]
    min_steps: Annotated[int, Field(ge=1)]
    max_steps: Annotated[int, Field(ge=1)]
    checkpoints: Annotated[int, Field(ge=1)]
    caption_dropout: float
    min_snr_gamma: float | None
    batch_size: int = 1
    gradient_checkpointing: bool = False
    network: Network = "lora"
    optimizer: Optimizer = "adamw"
    text_encoder_lr: float = 1e-5
    ema_decay: float = 0.0
    noise_offset: float = 0.0
    sample_steps: int
    new_subjects: tuple[str, ...] = ()
    """Prompts of subjects that are surely not in the pictures; empty for what the base model suggests."""


@cache
def _tables() -> dict[str, Any]:
    with PRESETS.open("rb") as file:
        return tomllib.load(file)


def preset_for(purpose: Purpose, base: BaseModelEntry) -> Preset:
    """The purpose's values, as the base's family and then the base itself change them."""
    tables = _tables()
    layers = [tables["purpose"][purpose]]
    for table in (tables.get("family", {}).get(base.family, {}), tables.get("model", {}).get(base.key, {})):
        layers += [{name: value for name, value in table.items() if name not in PURPOSES}, table.get(purpose, {})]
    merged: dict[str, Any] = {}
    for layer in layers:
        merged |= layer
    return Preset.model_validate(merged)


def steps_for(preset: Preset, pictures: int, batch_size: int = 1) -> int:
    """Optimizer steps, in tens, so that every picture is seen as often as the preset says, within its bounds."""
    seen = min(max(pictures * preset.samples_per_picture, preset.min_steps), preset.max_steps)
    return max(10, math.ceil(seen / batch_size / 10) * 10)


def recipe_for(
    purpose: Purpose,
    base: BaseModelEntry,
    *,
    trigger_word: str,
    captions: Sequence[str],
    changes: Mapping[str, Any] | None = None,
) -> TrainingRecipe:
    """The recipe that the preset gives for these pictures' captions (one each), with ``changes`` on top.

    What follows from a changed number (alpha from rank, steps from the batch, checkpoints from the steps) follows it,
    unless it is changed itself; changes that the base knows nothing of are left out. Raises pydantic's
    ``ValidationError`` for changes out of bounds.
    """
    changes = known_to(base, changes or {})
    preset = preset_for(purpose, base)
    dropout = preset.caption_dropout if any(caption.strip() for caption in captions) else 0.0
    optimizer = changes.get("optimizer", preset.optimizer)
    at_once = changes.get("batch_size", preset.batch_size) * changes.get("gradient_accumulation_steps", 1)
    values: dict[str, Any] = {
        "base_model": base.key,
        "purpose": purpose,
        "trigger_word": trigger_word,
        "rank": preset.rank,
        "alpha": preset.alpha,
        "target_modules": preset.target_modules,
        # Prodigy finds its own rate; this is only a factor on it.
        "learning_rate": 1.0 if optimizer == "prodigy" else preset.learning_rate,
        "lr_scheduler": preset.lr_scheduler,
        "batch_size": preset.batch_size,
        "network": preset.network,
        "optimizer": optimizer,
        "text_encoder_lr": preset.text_encoder_lr,
        "ema_decay": preset.ema_decay,
        "noise_offset": preset.noise_offset,
        "steps": steps_for(preset, len(captions), max(1, at_once)),
        "resolution": base.resolution,
        # A caption of nothing but the trigger word is never dropped: then the adapter would act without it too.
        "caption_dropout": dropout,
        "min_snr_gamma": None if base.is_flow else preset.min_snr_gamma,
        "timestep_shift": base.timestep_shift,
        "quantization": base.quantization,
        "gradient_checkpointing": preset.gradient_checkpointing,
        "sample_prompts": sample_prompts_for(preset, base, captions),
        "sample_steps": preset.sample_steps,
        "sample_guidance_scale": base.guidance_scale,
    } | changes
    if values["min_snr_gamma"] == 0:
        values["min_snr_gamma"] = None
    if "alpha" not in changes:
        values["alpha"] = preset.alpha * values["rank"] / preset.rank
    if "checkpoint_every" not in changes:
        values["checkpoint_every"] = min(10_000, max(1, math.ceil(values["steps"] / preset.checkpoints / 10) * 10))
    return TrainingRecipe.model_validate(values)


def known_to(base: BaseModelEntry, changes: Mapping[str, Any]) -> dict[str, Any]:
    """The changes that ``recipe_for`` uses: those with a value, of fields that mean something on this base."""
    unknown = _unknown_to(base)
    return {name: value for name, value in changes.items() if value is not None and name not in unknown}


def _unknown_to(base: BaseModelEntry) -> set[str]:
    """Fields of the recipe that mean nothing on this base; the page does not show them either."""
    # Learning in a text encoder that is not there is refused rather than left out.
    return {name for name, field in TABLE.fields.items() if not field.offered_on(base)} - {"train_text_encoder"}


def unheard(changes: Mapping[str, Any], recipe: TrainingRecipe, base: BaseModelEntry) -> list[str]:
    """Names of the changes that ``recipe_for`` left out and that would have made a difference."""
    unknown = _unknown_to(base)
    # 0 is how one says that there shall be none of it.
    return sorted(
        name for name in unknown & changes.keys() if (changes[name] or None) != (getattr(recipe, name) or None)
    )


def sample_prompts_for(preset: Preset, base: BaseModelEntry, captions: Sequence[str]) -> tuple[str, ...]:
    """Two of the captions, far apart in the set, and then subjects that were never in it."""
    written = list(dict.fromkeys(caption.strip() for caption in captions if caption.strip()))
    chosen = [written[0], written[len(written) // 2]] if len(written) > 1 else written
    from_captions = [_with_trigger(caption[:LONGEST_PROMPT]) for caption in chosen[:FROM_CAPTIONS]]
    suggested = [_with_trigger(one[0].lower() + one[1:]) for one in base.suggestions.en]
    return tuple(dict.fromkeys([*from_captions, *(preset.new_subjects or suggested)]))[:MOST_SAMPLE_PROMPTS]


def _with_trigger(caption: str) -> str:
    return caption if TRIGGER_PLACEHOLDER in caption else f"{TRIGGER_PLACEHOLDER}, {caption}"
