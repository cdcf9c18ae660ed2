"""The fastest way to train that fits a device: how the base is held, what is kept for the way back, how many at once.

Pure arithmetic over what the catalogue knows of a base (``step_cost``, counted from its configuration) and what a
worker says of its device. A base is not made coarser where it fits as it is: quantisation comes after everything else.

Memory is the sum of the base's numbers, the adapter with its gradients and AdamW's two moments in float32, what the
step keeps, and a fixed working share. What it does not know: the allocator's waste, other programs on the card, kernels
that need room of their own. So it predicts a range, and what really happened is recorded beside it.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from typing import Literal

from pydantic import BaseModel, ConfigDict

from app.base_models.catalogue import BaseModelEntry, StepCost
from app.errors import N_
from app.trainings.recipe import Quantization, TrainingRecipe

BYTES = {"float32": 4.0, "bfloat16": 2.0, "int8": 1.0, "nf4": 0.53}
"""Of one number of the base; NF4 with the constants of its blocks of 64."""
SLOWER = {"none": 1.0, "int8": 1.3, "nf4": 1.25}
"""Time of a step with a base that must be made whole again layer by layer."""
ADAPTER_BYTES = 16
"""Of one number of the adapter: itself, its gradient and two moments, in float32."""
WORKING_BYTES = 900_000_000
"""A card's own context and the libraries' working memory."""
SPREAD = 0.15
"""Half of the range round a predicted memory."""
CLEARLY_LESS = 0.92
"""Share of what ran out that a coarser plan may need at most."""
ROOM = 0.95
"""Share of a device's memory that a plan may fill."""
UTILISATION = (0.3, 0.65)
"""Share of what a device does in one large matrix product that a training step reaches."""
GIGA = 1_000_000_000


@dataclass(frozen=True)
class Device:
    """As a worker measured it."""

    name: str
    kind: Literal["cpu", "cuda"]
    memory_bytes: int
    tera_operations: float | None = None
    """A second, in the precision that it trains in; None where it was not measured."""


class Plan(BaseModel):
    """What was chosen and why. Kept with the order, so that it can be compared with what came."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    device: str
    precision: Literal["float32", "bfloat16"]
    quantization: Quantization
    gradient_checkpointing: bool
    micro_batch_size: int
    """Pictures at a time; the recipe's batch is made up of several where it is larger."""
    whole_batch_size: int
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
    plans = [_plan(recipe, base, device, *stage) for stage in stages(recipe, decided)]
    chosen = next((plan for plan in plans if plan.fits), None) or min(plans, key=lambda plan: plan.memory_bytes)
    reason, facts = _reason(chosen, plans, device, base)
    left = tuple(name for name in PLANNED if name in decided)
    return chosen.model_copy(update={"reason": reason, "facts": facts, "decided": left})


def next_coarser(recipe: TrainingRecipe, base: BaseModelEntry, device: Device, plan: Plan) -> Plan | None:
    """What to fall back to when the memory is not enough for one picture at a time with the base held as ``plan`` says:
    the fastest stage with a coarser base that needs clearly less than that, or None.

    Smaller batches and gradient checkpointing are not among the stages left: an engine goes over to them by itself, in
    the step that runs out of memory, as they do not change what is learned. ``recipe`` is the one before any plan. A
    person's own choices give way here: the alternative is no adapter at all.
    """
    if not base.step_cost or base.denoiser_parameters is None:
        return None
    plans = [_plan(recipe, base, device, *stage) for stage in stages(recipe)]
    tried = [one.memory_bytes for one in plans if one.quantization == plan.quantization]
    coarser = ("int8", "nf4") if plan.quantization == "none" else ("nf4",) if plan.quantization == "int8" else ()
    for one in plans:
        if one.quantization in coarser and one.memory_bytes < CLEARLY_LESS * min(tried):
            reason = FELL_BACK_TO_8_BITS if one.quantization == "int8" else FELL_BACK_TO_4_BITS
            return one.model_copy(update={"reason": reason, "facts": {"needed": gigabytes(one.memory_bytes)}})
    return None


class Shortage(BaseModel):
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


def stages(recipe: TrainingRecipe, decided: frozenset[str] = frozenset()) -> Iterator[tuple[Quantization, bool, int]]:
    """Quantisation, checkpointing and pictures at a time, the fastest and finest first."""
    finest: tuple[Quantization, ...] = ("none", "int8", "nf4")
    quantizations = (recipe.quantization,) if "quantization" in decided else finest
    checkpointings = (recipe.gradient_checkpointing,) if "gradient_checkpointing" in decided else (False, True)
    whole = recipe.batch_size
    micro_batches = [n for n in range(whole, 0, -1) if whole % n == 0 and (n == whole or "batch_size" not in decided)]
    for quantization in quantizations:
        for checkpointing in checkpointings:
            for micro_batch in micro_batches:
                yield quantization, checkpointing, micro_batch


def planned(recipe: TrainingRecipe, plan: Plan) -> TrainingRecipe:
    """The recipe with what the plan chose; as many pictures go into a step as before."""
    times = recipe.batch_size // plan.micro_batch_size
    return recipe.model_copy(
        update={
            "quantization": plan.quantization,
            "gradient_checkpointing": plan.gradient_checkpointing,
            "batch_size": plan.micro_batch_size,
            "gradient_accumulation_steps": recipe.gradient_accumulation_steps * times,
        }
    )


def unplanned(recipe: TrainingRecipe, plan: Plan) -> TrainingRecipe:
    """The recipe before ``planned``, as far as a later plan needs it: all pictures of a step at once."""
    times = plan.whole_batch_size // plan.micro_batch_size
    return recipe.model_copy(
        update={
            "batch_size": plan.whole_batch_size,
            "gradient_accumulation_steps": recipe.gradient_accumulation_steps // times,
        }
    )


def memory_of(
    recipe: TrainingRecipe,
    base: BaseModelEntry,
    *,
    precision: Literal["float32", "bfloat16"],
    quantization: Quantization,
    gradient_checkpointing: bool,
    micro_batch_size: int,
) -> int:
    """Predicted peak in bytes while training; text encoders and autoencoder have left the device by then."""
    parameters = base.denoiser_parameters or 0
    plain = BYTES[precision]
    held = BYTES[quantization] if quantization != "none" else plain
    weights = parameters * (base.quantizable_share * held + (1 - base.quantizable_share) * plain)
    adapter = base.parameters_per_rank.get(recipe.target_modules, 0) * recipe.rank * ADAPTER_BYTES
    cost = cost_at(base.step_cost, recipe.resolution)
    wide = 2 if precision == "float32" else 1
    kept = cost.kept_mb
    if gradient_checkpointing:
        kept = cost.kept_mb_checkpointed + cost.kept_mb_of_a_block
    return round(weights + adapter + kept * 1_000_000 * wide * micro_batch_size + WORKING_BYTES)


def cost_at(costs: tuple[StepCost, ...], side: int) -> StepCost:
    """Interpolated in the area of the picture; beyond the largest side, and below the smallest, in proportion to it."""
    known = sorted(costs, key=lambda cost: cost.side)
    area = side * side
    if area <= known[0].side ** 2:
        return _scaled(known[0], side)
    if area >= known[-1].side ** 2:
        return _scaled(known[-1], side)
    for lower, upper in pairwise(known):
        if area <= upper.side**2:
            share = (area - lower.side**2) / (upper.side**2 - lower.side**2)
            mixed = {
                name: getattr(lower, name) * (1 - share) + getattr(upper, name) * share
                for name in ("kept_mb", "kept_mb_checkpointed", "kept_mb_of_a_block", "tera_operations")
            }
            return StepCost(side=side, **mixed)
    raise AssertionError("unreachable: the area lies between two known ones")


def _scaled(cost: StepCost, side: int) -> StepCost:
    share = side * side / cost.side**2
    return StepCost(
        side=side,
        kept_mb=cost.kept_mb * share,
        kept_mb_checkpointed=cost.kept_mb_checkpointed * share,
        kept_mb_of_a_block=cost.kept_mb_of_a_block * share,
        tera_operations=cost.tera_operations * share,
    )


def room_of(device: Device) -> float:
    """Bytes that a plan may be predicted to need there, so that it fits also where the prediction is a little low."""
    return device.memory_bytes * ROOM / (1 + SPREAD / 2)


def _plan(
    recipe: TrainingRecipe,
    base: BaseModelEntry,
    device: Device,
    quantization: Quantization,
    gradient_checkpointing: bool,
    micro_batch_size: int,
) -> Plan:
    precision: Literal["float32", "bfloat16"] = "bfloat16" if device.kind == "cuda" else "float32"
    memory = memory_of(
        recipe,
        base,
        precision=precision,
        quantization=quantization,
        gradient_checkpointing=gradient_checkpointing,
        micro_batch_size=micro_batch_size,
    )
    seconds = None
    if device.tera_operations:  # steps that were asked for together count together
        # There, and back through what is frozen; with checkpointing there once more.
        ways = 3 if gradient_checkpointing else 2
        operations = cost_at(base.step_cost, recipe.resolution).tera_operations * ways
        operations *= recipe.batch_size * recipe.gradient_accumulation_steps
        ideal = operations / device.tera_operations * SLOWER[quantization]
        seconds = (ideal / UTILISATION[1], ideal / UTILISATION[0])
    return Plan(
        device=device.name,
        precision=precision,
        quantization=quantization,
        gradient_checkpointing=gradient_checkpointing,
        micro_batch_size=micro_batch_size,
        whole_batch_size=recipe.batch_size,
        memory_bytes=memory,
        memory_low=round(memory * (1 - SPREAD)),
        memory_high=round(memory * (1 + SPREAD)),
        step_seconds=seconds,
        fits=memory <= room_of(device),
        reason="",
        facts={},
    )


AS_IT_IS = N_("The base fits as it is: %(needed)s of %(memory)s. This is the fastest way.")
SMALLER_BATCHES = N_(
    "%(batch)s pictures at once would need %(before)s; %(at_a_time)s at a time need %(needed)s of %(memory)s."
)
COMPUTED_AGAIN = N_(
    "Keeping everything for the way back would need %(before)s, and of %(memory)s only %(room)s can be counted on. "
    "Computing it again needs %(needed)s and takes about half as long again."
)
IN_8_BITS = N_(
    "Even so the base as it is would need %(before)s, and of %(memory)s only %(room)s can be counted on. In 8 bits it "
    "needs %(needed)s; pictures may lose a little fineness."
)
IN_4_BITS = N_(
    "Even in 8 bits the base would need %(before)s, and of %(memory)s only %(room)s can be counted on. In 4 bits (NF4) "
    "it needs %(needed)s; pictures may lose a little fineness."
)
FELL_BACK_TO_8_BITS = N_(
    "The device's memory ran out even with one picture at a time, so it goes on with the base in 8 bits, which needs "
    "about %(needed)s; pictures may lose a little fineness."
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
TOO_LARGE = N_(
    "Even in its smallest form this training needs %(needed)s, and of the device's %(memory)s only %(room)s can be "
    "counted on. Choose a smaller base, a smaller size, or a device with more memory."
)


def _reason(chosen: Plan, plans: list[Plan], device: Device, base: BaseModelEntry) -> tuple[str, dict[str, str]]:
    place = next(n for n, plan in enumerate(plans) if plan == chosen)
    first, before = plans[0], plans[max(0, place - 1)]
    facts = {
        "needed": gigabytes(chosen.memory_bytes),
        "memory": gigabytes(device.memory_bytes),
        "room": gigabytes(round(room_of(device))),
        "before": gigabytes(before.memory_bytes),
        "batch": str(first.micro_batch_size),
        "at_a_time": str(chosen.micro_batch_size),
    }
    if not chosen.fits:
        return TOO_LARGE, facts
    if chosen.quantization != first.quantization:
        return (IN_8_BITS if chosen.quantization == "int8" else IN_4_BITS), facts
    if chosen.gradient_checkpointing != first.gradient_checkpointing:
        return COMPUTED_AGAIN, facts
    if chosen.micro_batch_size != first.micro_batch_size:
        return SMALLER_BATCHES, facts | {"before": gigabytes(first.memory_bytes)}
    return AS_IT_IS, facts


def gigabytes(count: int) -> str:
    """``14.2 GB``, in powers of ten."""
    return f"{count / GIGA:.1f} GB"
