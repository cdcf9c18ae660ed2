"""How a generation is drawn on the card that is there: the fastest and finest way that fits, and what to fall back to.

Pure arithmetic over what the catalogue knows of a base (``drawing_cost`` and the numbers of its parts, counted from its
configuration) and what a worker says of its card. First fewer pictures at once, then the autoencoder in tiles, then
text encoders, denoiser and autoencoder on the card by turns, then the base in 8 and in 4 bits, and at last its blocks
one by one. Only tiles and fewer bits change the pictures, and those a little.

What it does not know: the allocator's waste, kernels that need room of their own, other programs on the card, and how
much memory the machine beside it has. What ran out all the same is told with the generation (``Change``).
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal, NamedTuple

from pydantic import BaseModel, ConfigDict

from app.base_models.catalogue import BaseModelEntry, DrawingCost, Quantization
from app.errors import N_
from app.generations.recipe import TILE_SIDE, GenerationRecipe
from app.machine.devices import BYTES, CLEARLY_LESS, WORKING_BYTES, Device, gigabytes, room_of

Offload = Literal["none", "models", "blocks"]
"""What leaves the card while it is not needed: nothing, whole models, or the denoiser's blocks too."""
MOST_AT_ONCE = 8
ENCODER_SHARE = 0.7
"""Share of a card's memory that text encoders may take; larger ones work on the processor."""
FLOAT32 = 4


class Change(BaseModel, defer_build=True):
    """How it went on when the memory ran out all the same."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    reason: str
    """A sentence with places for ``facts``."""
    facts: dict[str, str]


class DrawingPlan(BaseModel, defer_build=True):
    """What was chosen and why. Kept with the generation."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    device: str
    device_bytes: int
    quantization: Quantization
    offload: Offload
    at_once: int
    """Pictures drawn together."""
    tiled: bool
    """Whether the autoencoder works in tiles."""
    memory_bytes: int
    """Predicted peak."""
    fits: bool
    reason: str
    """A sentence with places for ``facts``."""
    facts: dict[str, str]
    changes: tuple[Change, ...] = ()

    @property
    def given_up(self) -> tuple[tuple[str, dict[str, str]], ...]:
        """Sentences with their facts about what was given up for want of memory; empty where nothing was."""
        first = () if self.reason in (AS_IT_IS, CHOSEN_8_BITS, CHOSEN_4_BITS) else ((self.reason, self.facts),)
        return (*first, *((change.reason, change.facts) for change in self.changes))

    @property
    def sentences(self) -> tuple[tuple[str, dict[str, str]], ...]:
        """All that is told of it, each sentence with its facts."""
        return ((self.reason, self.facts), *((change.reason, change.facts) for change in self.changes))


class _Stage(NamedTuple):
    quantization: Quantization
    offload: Offload
    tiled: bool


@dataclass(frozen=True)
class _Need:
    """Bytes of the parts of a generation on a card."""

    recipe: GenerationRecipe
    base: BaseModelEntry
    device: Device

    def peak(self, stage: _Stage, at_once: int) -> int:
        denoiser = _weights(self.base, stage.quantization)
        encoders = (self.base.encoder_parameters or 0) * BYTES["bfloat16"]
        autoencoder = (self.base.autoencoder_parameters or 0) * FLOAT32
        area = self.recipe.width * self.recipe.height
        # The U-Nets draw with the words and against them in one pass, the flow models one after the other.
        passes = 2 if not self.base.is_flow and self.recipe.guidance_scale > 1 else 1
        denoising = _at(self.base.drawing_cost, area).denoising_mb * 1e6 * at_once * passes
        decoding = _at(self.base.drawing_cost, min(area, TILE_SIDE**2) if stage.tiled else area).decoding_mb * 1e6
        if stage.offload == "none":
            return round(denoiser + encoders + autoencoder + max(denoising, decoding) + WORKING_BYTES)
        if stage.offload == "blocks":
            denoiser = (self.base.block_parameters or 0) * BYTES["bfloat16"]
        if encoders > self.device.memory_bytes * ENCODER_SHARE:
            encoders = 0
        return round(max(denoiser + denoising, encoders, autoencoder + decoding) + WORKING_BYTES)


def plan_for(
    recipe: GenerationRecipe, base: BaseModelEntry, device: Device, ran_out: DrawingPlan | None = None
) -> DrawingPlan | None:
    """The fastest and finest plan that fits, else the smallest there is. A quantisation that the recipe names stays.

    ``ran_out`` is how a generation on this base went on a short while ago, when the memory of this card ran out:
    nothing larger is tried, as every try loads the base anew. None without a card, where nothing could be moved
    aside, and where the catalogue does not know the base's cost.
    """
    if device.kind != "cuda" or not base.drawing_cost or base.denoiser_parameters is None:
        return None
    need = _Need(recipe, base, device)
    stages = [one for one in _stages(need) if recipe.quantization in (None, one.quantization)]
    room = room_of(device)
    found = next((one for one in stages if need.peak(one, 1) <= room), None)
    chosen = found or min(stages, key=lambda one: need.peak(one, 1))
    count = 1 if recipe.strengths else min(recipe.count, MOST_AT_ONCE)
    at_once = next((n for n in range(count, 1, -1) if need.peak(chosen, n) <= room), 1)
    plan = _plan(need, chosen, at_once, _reason(recipe, chosen, fits=found is not None))
    if ran_out is None or ran_out.device_bytes != device.memory_bytes:
        return plan
    known = _Stage(ran_out.quantization, ran_out.offload, ran_out.tiled)
    if known not in stages or need.peak(known, 1) >= need.peak(chosen, 1):
        return plan.model_copy(update={"at_once": min(at_once, ran_out.at_once)})
    return _plan(need, known, min(at_once, ran_out.at_once), AS_BEFORE)


def next_smaller(
    recipe: GenerationRecipe, base: BaseModelEntry, device: Device, plan: DrawingPlan
) -> DrawingPlan | None:
    """What to go over to when the memory is not enough for one picture in the way of ``plan``, or None: the next stage
    that needs clearly less. A person's own choice of quantisation gives way here: the alternative is no picture.
    """
    need = _Need(recipe, base, device)
    stages = list(_stages(need))
    now = _Stage(plan.quantization, plan.offload, plan.tiled)
    after = stages[stages.index(now) + 1 :] if now in stages else stages
    most = need.peak(now, 1) * CLEARLY_LESS
    for stage in after:
        if need.peak(stage, 1) < most:
            smaller = _plan(need, stage, 1, plan.reason)
            changes = (*plan.changes, _fell_back(now, stage))
            return smaller.model_copy(update={"facts": plan.facts, "changes": changes})
    return None


def with_fewer(plan: DrawingPlan, at_once: int) -> DrawingPlan:
    """The plan after the memory ran out with more pictures at once."""
    change = Change(reason=FEWER, facts={"before": str(plan.at_once), "at_once": str(at_once)})
    return plan.model_copy(update={"at_once": at_once, "changes": (*plan.changes, change)})


def with_tiles(plan: DrawingPlan) -> DrawingPlan:
    """The plan after the memory ran out in the autoencoder."""
    return plan.model_copy(update={"tiled": True, "changes": (*plan.changes, Change(reason=THEN_TILED, facts={}))})


def _stages(need: _Need) -> Iterator[_Stage]:
    """The fastest and finest first."""
    tilings = (False, True) if max(need.recipe.width, need.recipe.height) > TILE_SIDE else (False,)
    quantizations: tuple[Quantization, ...] = ("none", "int8", "nf4") if need.base.quantizable_share else ("none",)
    whole: tuple[Offload, ...] = ("none", "models")
    for quantization in quantizations:
        for offload in whole:
            for tiled in tilings:
                yield _Stage(quantization, offload, tiled)
    yield _Stage("none", "blocks", tilings[-1])


def _plan(need: _Need, stage: _Stage, at_once: int, reason: str) -> DrawingPlan:
    peak = need.peak(stage, at_once)
    whole = need.peak(_Stage("none", "none", False), 1)
    return DrawingPlan(
        device=need.device.name,
        device_bytes=need.device.memory_bytes,
        quantization=stage.quantization,
        offload=stage.offload,
        at_once=at_once,
        tiled=stage.tiled,
        memory_bytes=peak,
        fits=peak <= room_of(need.device),
        reason=reason,
        facts={
            "device": need.device.name,
            "memory": gigabytes(need.device.memory_bytes),
            "needed": gigabytes(peak),
            "whole": gigabytes(whole),
        },
    )


def _weights(base: BaseModelEntry, quantization: Quantization) -> float:
    plain = BYTES["bfloat16"]
    held = plain if quantization == "none" else BYTES[quantization]
    return (base.denoiser_parameters or 0) * (base.quantizable_share * held + (1 - base.quantizable_share) * plain)


def _at(costs: tuple[DrawingCost, ...], area: int) -> DrawingCost:
    """In proportion to the area of the next larger picture that was counted, else of the largest."""
    known = sorted(costs, key=lambda cost: cost.side)
    nearest = next((cost for cost in known if cost.side**2 >= area), known[-1])
    share = area / nearest.side**2
    return DrawingCost(
        side=nearest.side, denoising_mb=nearest.denoising_mb * share, decoding_mb=nearest.decoding_mb * share
    )


AS_IT_IS = N_("Drawn with the full base model, which needs about %(needed)s of this card's %(memory)s.")
IN_TILES = N_(
    "The conversion to pixels was done in tiles: this card has %(memory)s, and everything at once needs %(whole)s."
)
BY_TURNS = N_(
    "Text encoder, base model and autoencoder took turns on the card: it has %(memory)s, and all together need "
    "%(whole)s. Drawing takes a little longer; the picture is the same."
)
IN_8_BITS = N_(
    "Drawn with the base model in 8 bits: this card has %(memory)s, and the full base model needs %(whole)s. "
    "Pictures may lose a little fine detail."
)
IN_4_BITS = N_(
    "Drawn with the base model in 4 bits (NF4): this card has %(memory)s, and the full base model needs "
    "%(whole)s. Pictures may lose a little fine detail."
)
BLOCK_BY_BLOCK = N_(
    "The base model was loaded onto the card block by block: the card has %(memory)s, and everything at once "
    "needs %(whole)s. Drawing takes longer; the picture is the same."
)
CHOSEN_8_BITS = N_("Drawn with the base model in 8 bits, as chosen: about %(needed)s of this card's %(memory)s.")
CHOSEN_4_BITS = N_("Drawn with the base model in 4 bits (NF4), as chosen: about %(needed)s of this card's %(memory)s.")
AS_BEFORE = N_("This card recently ran out of memory, so Livery started with the smaller setup that worked then.")
TOO_LARGE = N_("This request needs at least about %(needed)s, and the card has %(memory)s. Livery tried anyway.")
FEWER = N_(
    "Memory ran out with %(before)s pictures at once, so Livery continued with %(at_once)s at once. The "
    "pictures are the same."
)
THEN_TILED = N_("Memory ran out during the conversion to pixels, so Livery continued in tiles.")
THEN_BY_TURNS = N_(
    "Memory ran out, so Livery continued with the models taking turns on the card. The pictures are the same."
)
THEN_8_BITS = N_(
    "Memory ran out, so Livery continued with the base model in 8 bits. Pictures may lose a little fine detail."
)
THEN_4_BITS = N_(
    "Memory ran out, so Livery continued with the base model in 4 bits (NF4). Pictures may lose a little fine detail."
)
THEN_BLOCK_BY_BLOCK = N_(
    "Memory ran out, so Livery loaded the base model onto the card block by block. Drawing takes longer."
)


def _reason(recipe: GenerationRecipe, stage: _Stage, *, fits: bool) -> str:
    """About what was given up last, which weighs most."""
    if not fits:
        return TOO_LARGE
    if stage.offload == "blocks":
        return BLOCK_BY_BLOCK
    if stage.quantization != "none":
        chosen = recipe.quantization == stage.quantization
        if stage.quantization == "int8":
            return CHOSEN_8_BITS if chosen else IN_8_BITS
        return CHOSEN_4_BITS if chosen else IN_4_BITS
    if stage.offload == "models":
        return BY_TURNS
    return IN_TILES if stage.tiled else AS_IT_IS


def _fell_back(before: _Stage, after: _Stage) -> Change:
    reason = THEN_TILED
    if after.offload == "blocks":
        reason = THEN_BLOCK_BY_BLOCK
    elif after.quantization != before.quantization:
        reason = THEN_8_BITS if after.quantization == "int8" else THEN_4_BITS
    elif after.offload != before.offload:
        reason = THEN_BY_TURNS
    return Change(reason=reason, facts={})
