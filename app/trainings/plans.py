"""How a training uses a device: what a plan may choose, and what both kinds of training plan alike. Pure.

The fastest plan that fits is chosen. A base is not quantised where it fits as it is: that comes after everything else.
What a plan needs is predicted by each kind's planner, which says what it does not know. So a plan tells a range, and
what really happened is recorded beside it.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple, TypeVar

from pydantic import BaseModel, ConfigDict

from app.base_models.catalogue import Quantization
from app.errors import N_
from app.machine.devices import CLEARLY_LESS, SPREAD, Device, Precision, Weights, gigabytes, precision_on, room_of
from app.trainings.look.recipe import TrainingRecipe
from app.trainings.voice.recipe import VoiceRecipe

Recipe = TypeVar("Recipe", TrainingRecipe, VoiceRecipe)
PLANNED = ("batch_size", "gradient_checkpointing", "quantization")
"""The recipe's fields that a plan may change, besides the batches of a step."""
QUANTIZATIONS: tuple[Quantization, ...] = ("none", "int8", "nf4")
"""From the most bits to the fewest."""


class Stage(NamedTuple):
    """What a plan may choose."""

    quantization: Quantization
    gradient_checkpointing: bool
    micro_batch_size: int
    block_offload: bool = False


class Plan(BaseModel, defer_build=True):
    """What was chosen and why. Kept with the training, so that it can be compared with what came."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    device: str
    precision: Precision
    quantization: Quantization
    gradient_checkpointing: bool
    micro_batch_size: int
    """Pictures or rows at a time; a step is made up of several where it takes more."""
    block_offload: bool = False
    compile: bool = False
    """Whether the steps are enough to try compiled blocks and to be repaid."""
    whole_batch_size: int
    """Pictures or rows that could be computed at once for a step: the largest micro-batch size."""
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


class Shortage(BaseModel, defer_build=True):
    """How a training goes on after its memory ran out in a step."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    reason: str
    """A sentence with places for ``facts``."""
    facts: dict[str, str]


@dataclass(frozen=True)
class Sentences:
    """What one kind says of its plans, each with places for a plan's facts."""

    smaller_batches: str
    in_8_bits: str
    in_4_bits: str
    too_large: str
    fell_back_to_8_bits: str
    fell_back_to_4_bits: str
    ran_out: str
    ran_out_at_one: str


AS_IT_IS = N_("The full base model fits: %(needed)s of %(memory)s. This is the fastest option.")
COMPUTED_AGAIN = N_("Memory-saving mode: %(needed)s instead of %(before)s, about 50 %% slower.")
WAITING_BLOCKS = N_(
    "The whole base model would need at least %(before)s on the card, and only %(room)s of %(memory)s is "
    "reliably available. Keeping its blocks in the machine's memory and moving them to the card one at a time "
    "needs %(needed)s; each step takes longer, as the base model is copied twice for it."
)
FELL_BACK_TO_OFFLOAD = N_(
    "The device ran out of memory even with one picture at a time, so training continues with the base model's "
    "blocks kept in the machine's memory, which needs about %(needed)s on the card. Each step takes longer; "
    "the result is the same."
)


def stages(recipe: TrainingRecipe | VoiceRecipe, decided: frozenset[str] = frozenset()) -> Iterator[Stage]:
    """The fastest first, and of those the ones with the most bits, without what ``decided`` rules out."""
    quantizations = (recipe.quantization,) if "quantization" in decided else QUANTIZATIONS
    checkpointings = (recipe.gradient_checkpointing,) if "gradient_checkpointing" in decided else (False, True)
    for quantization in quantizations:
        for checkpointing in checkpointings:
            for micro_batch_size in micro_batch_sizes(recipe, decided):
                yield Stage(quantization, checkpointing, micro_batch_size)


def micro_batch_sizes(recipe: TrainingRecipe | VoiceRecipe, decided: frozenset[str]) -> list[int]:
    """The largest first; each divides the largest, and that one alone is left where a person has chosen it."""
    largest = largest_micro_batch(recipe, decided)
    return [n for n in range(largest, 0, -1) if largest % n == 0 and (n == largest or "batch_size" not in decided)]


def largest_micro_batch(recipe: TrainingRecipe | VoiceRecipe, decided: frozenset[str] = frozenset()) -> int:
    """All of a step's pictures or rows, unless a person has said how many are computed at once."""
    return recipe.batch_size if "batch_size" in decided else recipe.batch_size * recipe.gradient_accumulation_steps


def plan_of(
    recipe: TrainingRecipe | VoiceRecipe,
    base: Weights,
    device: Device,
    stage: Stage,
    memory_bytes: int,
    *,
    step_seconds: tuple[float, float] | None = None,
    compile: bool = False,
) -> Plan:
    """One stage on a device, of which the peak has been predicted; without a reason yet."""
    return Plan(
        device=device.name,
        precision=precision_on(device, base),
        **stage._asdict(),
        compile=compile,
        whole_batch_size=largest_micro_batch(recipe),
        memory_bytes=memory_bytes,
        memory_low=round(memory_bytes * (1 - SPREAD)),
        memory_high=round(memory_bytes * (1 + SPREAD)),
        step_seconds=step_seconds,
        fits=memory_bytes <= room_of(device),
        reason="",
        facts={},
    )


def chosen_from(
    plans: Sequence[Plan],
    recipe: TrainingRecipe | VoiceRecipe,
    device: Device,
    decided: frozenset[str],
    sentences: Sentences,
    *,
    refused: str | None = None,
) -> Plan:
    """The first of ``plans`` that fits, else the smallest, with the reason for it.

    ``refused``: why none of them will do on this device, whatever its memory.
    """
    fitting = [plan for plan in plans if plan.fits and refused is None]
    chosen = fitting[0] if fitting else min(plans, key=lambda plan: plan.memory_bytes)
    facts = {
        "needed": gigabytes(chosen.memory_bytes),
        "memory": gigabytes(device.memory_bytes),
        "room": gigabytes(round(room_of(device))),
        "before": gigabytes(least_given_up(chosen, plans)),
        "batch": str(plans[0].micro_batch_size),
        "at_a_time": str(chosen.micro_batch_size),
    }
    return chosen.model_copy(
        update={
            "fits": chosen.fits and refused is None,
            "reason": refused or _reason(chosen, plans[0], sentences),
            "facts": facts,
            "decided": tuple(name for name in PLANNED if name in decided),
            "whole_batch_size": largest_micro_batch(recipe, decided),
        }
    )


def _reason(chosen: Plan, first: Plan, sentences: Sentences) -> str:
    if not chosen.fits:
        return sentences.too_large
    if chosen.block_offload:
        return WAITING_BLOCKS
    if chosen.quantization != first.quantization:
        return sentences.in_8_bits if chosen.quantization == "int8" else sentences.in_4_bits
    if chosen.gradient_checkpointing != first.gradient_checkpointing:
        return COMPUTED_AGAIN
    if chosen.micro_batch_size != first.micro_batch_size:
        return sentences.smaller_batches
    return AS_IT_IS


def least_given_up(chosen: Plan, plans: Sequence[Plan]) -> int:
    """Bytes that what was given up for ``chosen`` would have needed at least: the whole base on the card, the base in
    more bits, or keeping everything for the way back, whichever of them went last; else all samples at once.
    """
    more_bits = {"int8": "none", "nf4": "int8"}.get(chosen.quantization)
    given_up = [plan for plan in plans if chosen.block_offload and not plan.block_offload]
    given_up = given_up or [plan for plan in plans if plan.quantization == more_bits]
    same = [plan for plan in plans if plan.quantization == chosen.quantization and not plan.gradient_checkpointing]
    given_up = given_up or (same if chosen.gradient_checkpointing else [])
    return min((plan.memory_bytes for plan in given_up), default=plans[0].memory_bytes)


def suits(plan: Plan, base: Weights, device: Device) -> bool:
    """Whether a plan that was made for a device that has room can be followed on this one too."""
    return (
        plan.memory_bytes <= room_of(device)
        and plan.precision == precision_on(device, base)
        and (device.kind == "cuda" or not plan.block_offload)
    )


def fallback_from(plans: Sequence[Plan], plan: Plan, sentences: Sentences) -> Plan | None:
    """What to fall back to when the memory is not enough for one picture or row at a time with the base held as
    ``plan`` says: the first of ``plans`` with a base in fewer bits, or at last with one whose blocks are offloaded,
    that needs clearly less than that, or None.

    Smaller micro-batches and gradient checkpointing do not count as a way out: an engine goes over to them by itself,
    in the step that runs out of memory, as they do not change what is learned. ``plans`` are those without a person's
    own choices, which give way here: the alternative is no adapter at all.
    """
    held = [(one.block_offload, one.quantization) for one in plans]
    now = (plan.block_offload, plan.quantization)
    least = min(
        (one.memory_bytes for one, way in zip(plans, held, strict=True) if way == now), default=plan.memory_bytes
    )
    # A person's own choice may be none of the stages; then any of them that needs clearly less will do.
    last = max((place for place, way in enumerate(held) if way == now), default=-1)
    for one in plans[last + 1 :]:
        if one.memory_bytes < CLEARLY_LESS * least:
            reason = sentences.fell_back_to_8_bits if one.quantization == "int8" else sentences.fell_back_to_4_bits
            if one.quantization == plan.quantization:
                reason = FELL_BACK_TO_OFFLOAD
            return one.model_copy(update={"reason": reason, "facts": {"needed": gigabytes(one.memory_bytes)}})
    return None


def shortage(
    recipe: TrainingRecipe | VoiceRecipe, micro_batch_size: int, gradient_checkpointing: bool, sentences: Sentences
) -> Shortage:
    """How a training that began as ``recipe`` says goes on after its memory ran out in a step, in words."""
    if gradient_checkpointing and not recipe.gradient_checkpointing:
        return Shortage(reason=sentences.ran_out_at_one, facts={})
    facts = {"batch": str(recipe.batch_size), "at_a_time": str(micro_batch_size)}
    return Shortage(reason=sentences.ran_out, facts=facts)


def planned(recipe: Recipe, plan: Plan) -> Recipe:
    """The recipe with what the plan chose; as many pictures or rows go into a step as before."""
    of_a_step = recipe.batch_size * recipe.gradient_accumulation_steps
    chosen: dict[str, Any] = {
        "block_offload": plan.block_offload,
        "compile": plan.compile,
        "quantization": plan.quantization,
        "gradient_checkpointing": plan.gradient_checkpointing,
        "batch_size": plan.micro_batch_size,
        "gradient_accumulation_steps": of_a_step // plan.micro_batch_size,
    }
    return _changed(recipe, chosen)


def unplanned(recipe: Recipe, plan: Plan) -> Recipe:
    """The recipe before ``planned``, as far as a later plan needs it: all of a step at once."""
    of_a_step = recipe.batch_size * recipe.gradient_accumulation_steps
    times = of_a_step // plan.whole_batch_size
    return _changed(recipe, {"batch_size": plan.whole_batch_size, "gradient_accumulation_steps": times})


def _changed(recipe: Recipe, chosen: dict[str, Any]) -> Recipe:
    """With the fields that this kind of recipe has."""
    known = type(recipe).model_fields
    return recipe.model_copy(update={name: chosen[name] for name in chosen.keys() & known.keys()})
