"""The fastest way to train that fits a device: how the base is held, what is kept for the way back, how many at once.

Pure arithmetic over what the catalogue knows of a base (``step_cost``, counted from its configuration) and what a
worker says of its device. A base is not made coarser where it fits as it is: quantisation comes after everything else.

What it needs is counted in ``needs``, which says what it does not know. So it predicts a range, and what really
happened is recorded beside it.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal, NamedTuple

from pydantic import BaseModel, ConfigDict

from app.base_models.catalogue import BaseModelEntry, TextModelEntry
from app.errors import N_
from app.trainings.look.needs import Precision, Way, memory_of, step_seconds
from app.trainings.look.recipe import Quantization, TrainingRecipe

SPREAD = 0.15
"""Half of the range round a predicted memory."""
CLEARLY_LESS = 0.92
"""Share of what ran out that a coarser plan may need at most."""
COMPILED_FROM = 1800.0
"""Seconds of steps from which compiling is tried: a tenth saved of them repays three minutes of compiling."""
ROOM = 0.95
"""Share of a device's memory that a plan may fill."""
GIGA = 1_000_000_000


@dataclass(frozen=True)
class Device:
    """As a worker measured it."""

    name: str
    kind: Literal["cpu", "cuda"]
    memory_bytes: int
    tera_operations: float | None = None
    """A second, in the precision that it trains in; None where it was not measured."""
    computes_in: Precision | None = None
    """None: bfloat16 on a card, float32 on a processor."""

    @property
    def precision(self) -> Precision:
        return self.computes_in or ("bfloat16" if self.kind == "cuda" else "float32")


class Stage(NamedTuple):
    """What a plan may choose."""

    quantization: Quantization
    gradient_checkpointing: bool
    micro_batch_size: int
    block_offload: bool = False


class Plan(BaseModel, defer_build=True):
    """What was chosen and why. Kept with the order, so that it can be compared with what came."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    device: str
    precision: Precision
    quantization: Quantization
    gradient_checkpointing: bool
    micro_batch_size: int
    """Pictures at a time; a step is made up of several where it takes more."""
    block_offload: bool = False
    compile: bool = False
    """Whether the steps are enough to try compiled blocks and to be repaid."""
    whole_batch_size: int
    """Pictures that could be computed at once for a step."""
    memory_bytes: int
    memory_low: int
    memory_high: int
    step_seconds: tuple[float, float] | None
    """From, to; None for a device whose speed was not measured."""
    fits: bool
    reason: str
    """A sentence with places for ``facts``."""
    facts: dict[str, str]
    decided: tuple[str, ...] = ()
    """The recipe's fields that a person had chosen, of those that a plan may change."""


PLANNED = ("batch_size", "gradient_checkpointing", "quantization")
"""The recipe's fields that a plan may change, besides the batches of a step."""


def plan_for(
    recipe: TrainingRecipe, base: BaseModelEntry, device: Device, decided: frozenset[str] = frozenset()
) -> Plan | None:
    """The fastest plan that fits, else the smallest there is; None where the catalogue does not know the base's cost.

    ``decided``: the recipe's fields that a person has chosen; of those the planner changes none.
    """
    if not base.step_cost or base.denoiser_parameters is None:
        return None
    plans = [_plan(recipe, base, device, stage) for stage in stages(recipe, decided) if _can(base, device, stage)]
    fitting = [plan for plan in plans if plan.fits and not _is_beyond(base, device)]
    chosen = fitting[0] if fitting else min(plans, key=lambda plan: plan.memory_bytes)
    reason, facts = _reason(chosen, plans, device, base)
    if _is_beyond(base, device):
        chosen, reason = chosen.model_copy(update={"fits": False}), NEEDS_BFLOAT16
    left = tuple(name for name in PLANNED if name in decided)
    whole = _at_once(recipe, decided)
    return chosen.model_copy(update={"reason": reason, "facts": facts, "decided": left, "whole_batch_size": whole})


def precision_on(device: Device, base: BaseModelEntry | TextModelEntry) -> Precision:
    """As the device computes; what float16 cannot hold takes float32 on a card without bfloat16."""
    return "float32" if device.precision == "float16" and base.is_beyond_float16 else device.precision


def suits(plan: Plan, base: BaseModelEntry | TextModelEntry, device: Device) -> bool:
    """Whether a plan that was made for a device that has room can be followed on this one too."""
    return (
        plan.memory_bytes <= room_of(device)
        and plan.precision == precision_on(device, base)
        and (device.kind == "cuda" or not plan.block_offload)
    )


def next_coarser(recipe: TrainingRecipe, base: BaseModelEntry, device: Device, plan: Plan) -> Plan | None:
    """What to fall back to when the memory is not enough for one picture at a time with the base held as ``plan`` says:
    the fastest stage with a coarser base, or at last with one whose blocks wait elsewhere, that needs clearly less than
    that, or None.

    Smaller batches and gradient checkpointing are not among the stages left: an engine goes over to them by itself, in
    the step that runs out of memory, as they do not change what is learned. ``recipe`` is the one before any plan. A
    person's own choices give way here: the alternative is no adapter at all.
    """
    if not base.step_cost or base.denoiser_parameters is None:
        return None
    plans = [_plan(recipe, base, device, stage) for stage in stages(recipe) if _can(base, device, stage)]
    held = [(one.block_offload, one.quantization) for one in plans]
    now = (plan.block_offload, plan.quantization)
    least = min(
        (one.memory_bytes for one, way in zip(plans, held, strict=True) if way == now), default=plan.memory_bytes
    )
    # A person's own choice may be none of the stages; then any of them that needs clearly less will do.
    last = max((place for place, way in enumerate(held) if way == now), default=-1)
    for one in plans[last + 1 :]:
        if one.memory_bytes < CLEARLY_LESS * least:
            reason = FELL_BACK_TO_8_BITS if one.quantization == "int8" else FELL_BACK_TO_4_BITS
            if one.quantization == plan.quantization:
                reason = FELL_BACK_TO_OFFLOAD
            return one.model_copy(update={"reason": reason, "facts": {"needed": gigabytes(one.memory_bytes)}})
    return None


class Shortage(BaseModel, defer_build=True):
    """How a training goes on after its memory ran out in a step."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    reason: str
    """A sentence with places for ``facts``."""
    facts: dict[str, str]


def shortage(recipe: TrainingRecipe, micro_batch_size: int, gradient_checkpointing: bool) -> Shortage:
    """In words, for a training that began as ``recipe`` says."""
    if gradient_checkpointing and not recipe.gradient_checkpointing:
        return Shortage(reason=RAN_OUT_AT_ONE, facts={})
    return Shortage(reason=RAN_OUT, facts={"batch": str(recipe.batch_size), "at_a_time": str(micro_batch_size)})


def stages(recipe: TrainingRecipe, decided: frozenset[str] = frozenset()) -> Iterator[Stage]:
    """The fastest and finest first; last those whose blocks wait in the machine's memory."""
    finest: tuple[Quantization, ...] = ("none", "int8", "nf4")
    quantizations = (recipe.quantization,) if "quantization" in decided else finest
    checkpointings = (recipe.gradient_checkpointing,) if "gradient_checkpointing" in decided else (False, True)
    whole = _at_once(recipe, decided)
    micro_batches = [n for n in range(whole, 0, -1) if whole % n == 0 and (n == whole or "batch_size" not in decided)]
    for quantization in quantizations:
        for checkpointing in checkpointings:
            for micro_batch in micro_batches:
                yield Stage(quantization, checkpointing, micro_batch)
    if True in checkpointings:  # else the way back would need a block that has left
        for micro_batch in micro_batches:
            yield Stage(quantizations[-1], True, micro_batch, block_offload=True)


def _at_once(recipe: TrainingRecipe, decided: frozenset[str]) -> int:
    """Pictures of a step that may be computed at once: all of them, unless a person has said how many."""
    return recipe.batch_size if "batch_size" in decided else recipe.batch_size * recipe.gradient_accumulation_steps


def _is_beyond(base: BaseModelEntry, device: Device) -> bool:
    """Whether the family's engine refuses this card: what flow models compute is more than float16 can hold."""
    return base.is_flow and device.kind == "cuda" and device.precision != "bfloat16"


def _can(base: BaseModelEntry, device: Device, stage: Stage) -> bool:
    return not stage.block_offload or (device.kind == "cuda" and base.offloadable_share > 0)


def planned(recipe: TrainingRecipe, plan: Plan) -> TrainingRecipe:
    """The recipe with what the plan chose; as many pictures go into a step as before."""
    at_once = recipe.batch_size * recipe.gradient_accumulation_steps
    return recipe.model_copy(
        update={
            "block_offload": plan.block_offload,
            "compile": plan.compile,
            "quantization": plan.quantization,
            "gradient_checkpointing": plan.gradient_checkpointing,
            "batch_size": plan.micro_batch_size,
            "gradient_accumulation_steps": at_once // plan.micro_batch_size,
        }
    )


def unplanned(recipe: TrainingRecipe, plan: Plan) -> TrainingRecipe:
    """The recipe before ``planned``, as far as a later plan needs it: all pictures of a step at once."""
    at_once = recipe.batch_size * recipe.gradient_accumulation_steps
    return recipe.model_copy(
        update={
            "batch_size": plan.whole_batch_size,
            "gradient_accumulation_steps": at_once // plan.whole_batch_size,
        }
    )


def room_of(device: Device) -> float:
    """Bytes that a plan may be predicted to need there, so that it fits also where the prediction is a little low."""
    return device.memory_bytes * ROOM / (1 + SPREAD / 2)


def _plan(recipe: TrainingRecipe, base: BaseModelEntry, device: Device, stage: Stage) -> Plan:
    precision = precision_on(device, base)
    way = Way(precision=precision, **stage._asdict())
    memory = memory_of(recipe, base, way)
    seconds = None
    if device.tera_operations:
        seconds = step_seconds(recipe, base, way, device.tera_operations)
    return Plan(
        device=device.name,
        precision=precision,
        **stage._asdict(),
        compile=_repays_compiling(recipe, device, stage, seconds),
        whole_batch_size=_at_once(recipe, frozenset()),
        memory_bytes=memory,
        memory_low=round(memory * (1 - SPREAD)),
        memory_high=round(memory * (1 + SPREAD)),
        step_seconds=seconds,
        fits=memory <= room_of(device),
        reason="",
        facts={},
    )


def _repays_compiling(
    recipe: TrainingRecipe, device: Device, stage: Stage, seconds: tuple[float, float] | None
) -> bool:
    """On cards alone, and with a plain base: what stands in 4 or 8 bits is computed by kernels of its own."""
    is_plain = stage.quantization == "none" and not stage.block_offload
    return device.kind == "cuda" and is_plain and seconds is not None and seconds[0] * recipe.steps >= COMPILED_FROM


AS_IT_IS = N_("The base fits as it is: %(needed)s of %(memory)s. This is the fastest way.")
SMALLER_BATCHES = N_(
    "%(batch)s pictures at once would need %(before)s; %(at_a_time)s at a time need %(needed)s of %(memory)s."
)
COMPUTED_AGAIN = N_(
    "Keeping everything for the way back would need %(before)s, and of %(memory)s only %(room)s can be counted on. "
    "Computing it again needs %(needed)s and takes about half as long again."
)
IN_8_BITS = N_(
    "Held as it is the base would need %(before)s at least, and of %(memory)s only %(room)s can be counted on. In 8 "
    "bits it needs %(needed)s; pictures may lose a little fineness."
)
IN_4_BITS = N_(
    "Even in 8 bits the base would need %(before)s at least, and of %(memory)s only %(room)s can be counted on. In 4 "
    "bits (NF4) it needs %(needed)s; pictures may lose a little fineness."
)
FELL_BACK_TO_8_BITS = N_(
    "The device's memory ran out even with one picture at a time, so it goes on with the base in 8 bits, which needs "
    "about %(needed)s; pictures may lose a little fineness."
)
WAITING_BLOCKS = N_(
    "Whole on the card the base would need %(before)s at least, and of %(memory)s only %(room)s can be counted on. "
    "With its blocks waiting in the machine's memory and coming to the card one at a time it needs %(needed)s; each "
    "step takes longer, as the base is copied twice for it."
)
FELL_BACK_TO_OFFLOAD = N_(
    "The device's memory ran out even with one picture at a time, so it goes on with the base's blocks waiting in the "
    "machine's memory, which needs about %(needed)s on the card. What it learns is the same; each step takes longer."
)
FELL_BACK_TO_4_BITS = N_(
    "The device's memory ran out even with one picture at a time, so it goes on with the base in 4 bits (NF4), which "
    "needs about %(needed)s; pictures may lose a little fineness."
)
RAN_OUT = N_(
    "The device's memory ran out with %(batch)s pictures at a time, so it goes on with %(at_a_time)s at a time. What "
    "it learns is the same."
)
RAN_OUT_AT_ONE = N_(
    "The device's memory ran out with one picture at a time, so it goes on by computing again what it would have kept. "
    "A step takes about half as long again; what it learns is the same."
)
NEEDS_BFLOAT16 = N_(
    "This base needs a card that computes in bfloat16 (NVIDIA RTX 30 or newer), which the one here does not. Choose "
    "Stable Diffusion, or a newer card."
)
TOO_LARGE = N_(
    "Even in its smallest form this training needs %(needed)s, and of the device's %(memory)s only %(room)s can be "
    "counted on. Choose a smaller base, a smaller size, or a device with more memory."
)


def _reason(chosen: Plan, plans: list[Plan], device: Device, base: BaseModelEntry) -> tuple[str, dict[str, str]]:
    first = plans[0]
    facts = {
        "needed": gigabytes(chosen.memory_bytes),
        "memory": gigabytes(device.memory_bytes),
        "room": gigabytes(round(room_of(device))),
        "before": gigabytes(least_given_up(chosen, plans)),
        "batch": str(first.micro_batch_size),
        "at_a_time": str(chosen.micro_batch_size),
    }
    if not chosen.fits:
        return TOO_LARGE, facts
    if chosen.block_offload:
        return WAITING_BLOCKS, facts
    if chosen.quantization != first.quantization:
        return (IN_8_BITS if chosen.quantization == "int8" else IN_4_BITS), facts
    if chosen.gradient_checkpointing != first.gradient_checkpointing:
        return COMPUTED_AGAIN, facts
    if chosen.micro_batch_size != first.micro_batch_size:
        return SMALLER_BATCHES, facts
    return AS_IT_IS, facts


def least_given_up(chosen: Plan, plans: Sequence[Plan]) -> int:
    """Bytes that what was given up for ``chosen`` would have needed at least: the whole base on the card, the next
    finer one, or keeping everything for the way back, whichever of them went last; else all samples at once.
    """
    finer = {"int8": "none", "nf4": "int8"}.get(chosen.quantization)
    given_up = [plan for plan in plans if chosen.block_offload and not plan.block_offload]
    given_up = given_up or [plan for plan in plans if plan.quantization == finer]
    same = [plan for plan in plans if plan.quantization == chosen.quantization and not plan.gradient_checkpointing]
    given_up = given_up or (same if chosen.gradient_checkpointing else [])
    return min((plan.memory_bytes for plan in given_up), default=plans[0].memory_bytes)


def gigabytes(count: int) -> str:
    """``14.2 GB``, in powers of ten."""
    return f"{count / GIGA:.1f} GB"
