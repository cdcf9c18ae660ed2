"""The fastest way to train on pictures that fits a device.

Pure arithmetic over what the catalogue knows of a base (``step_cost``, counted from its configuration) and what a
worker says of its device. What it needs is counted in ``needs``, which says what it does not know.
"""

from collections.abc import Iterator

from app.base_models.catalogue import BaseModelEntry
from app.errors import N_
from app.machine.devices import Device, precision_on
from app.trainings import plans
from app.trainings.look.needs import Way, memory_of, step_seconds
from app.trainings.look.recipe import TrainingRecipe
from app.trainings.plans import Plan, Sentences, Stage, micro_batch_sizes

COMPILED_FROM = 1800.0
"""Seconds of steps from which compiling is tried: a tenth saved of them repays three minutes of compiling."""
NEEDS_BFLOAT16 = N_(
    "This base model needs a card that computes in bfloat16 (NVIDIA RTX 30 or newer), and this card does not. "
    "Choose Stable Diffusion, or a newer card."
)
SENTENCES = Sentences(
    smaller_batches=N_(
        "%(batch)s pictures at once would need %(before)s. Livery trains %(at_a_time)s at a time, using "
        "%(needed)s of %(memory)s."
    ),
    in_8_bits=N_(
        "The full base model would need at least %(before)s, and only %(room)s of %(memory)s is reliably "
        "available. The 8-bit version needs %(needed)s; pictures may lose a little fine detail."
    ),
    in_4_bits=N_(
        "The 8-bit base model would still need at least %(before)s, and only %(room)s of %(memory)s is "
        "reliably available. The 4-bit version (NF4) needs %(needed)s; pictures may lose a little fine detail."
    ),
    too_large=N_(
        "This training needs at least %(needed)s, and only %(room)s of the device's %(memory)s is reliably "
        "available. Choose a smaller base model, a smaller picture size, or a device with more memory."
    ),
    fell_back_to_8_bits=N_(
        "The device ran out of memory even with one picture at a time, so training continues with the base "
        "model in 8 bits, which needs about %(needed)s; pictures may lose a little fine detail."
    ),
    fell_back_to_4_bits=N_(
        "The device ran out of memory even with one picture at a time, so training continues with the base "
        "model in 4 bits (NF4), which needs about %(needed)s; pictures may lose a little fine detail."
    ),
    ran_out=N_(
        "The device ran out of memory with %(batch)s pictures at a time, so training continues with "
        "%(at_a_time)s at a time. The result is the same."
    ),
    ran_out_at_one=N_(
        "The device ran out of memory with one picture at a time, so training continues in memory-saving mode: "
        "each step takes about one and a half times as long; the result is the same."
    ),
)


def plan_for(
    recipe: TrainingRecipe, base: BaseModelEntry, device: Device, decided: frozenset[str] = frozenset()
) -> Plan | None:
    """The fastest plan that fits, else the smallest there is; None where the catalogue does not know the base's cost.

    ``decided``: the recipe's fields that a person has chosen; of those the planner changes none.
    """
    if not base.step_cost or base.denoiser_parameters is None:
        return None
    # What flow models compute is more than float16 can hold, so the family's engine refuses such a card.
    beyond = base.is_flow and device.kind == "cuda" and device.precision != "bfloat16"
    return plans.chosen_from(
        _plans(recipe, base, device, decided),
        recipe,
        device,
        decided,
        SENTENCES,
        refused=NEEDS_BFLOAT16 if beyond else None,
    )


def fallback_for(recipe: TrainingRecipe, base: BaseModelEntry, device: Device, plan: Plan) -> Plan | None:
    """What to go on with when a step does not fit the memory as ``plan`` says (``plans.fallback_from``), or None.

    ``recipe`` is the one before any plan.
    """
    if not base.step_cost or base.denoiser_parameters is None:
        return None
    return plans.fallback_from(_plans(recipe, base, device), plan, SENTENCES)


def stages(recipe: TrainingRecipe, decided: frozenset[str] = frozenset()) -> Iterator[Stage]:
    """As ``plans.stages`` gives them; last those whose blocks are offloaded to the machine's memory."""
    last = recipe.quantization if "quantization" in decided else plans.QUANTIZATIONS[-1]
    yield from plans.stages(recipe, decided)
    if "gradient_checkpointing" not in decided or recipe.gradient_checkpointing:
        # Without it the way back would need a block that has left.
        for micro_batch_size in micro_batch_sizes(recipe, decided):
            yield Stage(last, True, micro_batch_size, block_offload=True)


def _plans(
    recipe: TrainingRecipe, base: BaseModelEntry, device: Device, decided: frozenset[str] = frozenset()
) -> list[Plan]:
    can_offload = device.kind == "cuda" and base.offloadable_share > 0
    return [
        _plan(recipe, base, device, stage)
        for stage in stages(recipe, decided)
        if can_offload or not stage.block_offload
    ]


def _plan(recipe: TrainingRecipe, base: BaseModelEntry, device: Device, stage: Stage) -> Plan:
    way = Way(precision=precision_on(device, base), **stage._asdict())
    seconds = None
    if device.tera_operations:
        seconds = step_seconds(recipe, base, way, device.tera_operations)
    return plans.plan_of(
        recipe,
        base,
        device,
        stage,
        memory_of(recipe, base, way),
        step_seconds=seconds,
        compile=_repays_compiling(recipe, device, stage, seconds),
    )


def _repays_compiling(
    recipe: TrainingRecipe, device: Device, stage: Stage, seconds: tuple[float, float] | None
) -> bool:
    """On cards alone, and with a plain base: what is quantised is computed by kernels of its own."""
    is_plain = stage.quantization == "none" and not stage.block_offload
    return device.kind == "cuda" and is_plain and seconds is not None and seconds[0] * recipe.steps >= COMPILED_FROM
