"""What a training takes of a device: bytes at its peak, seconds a step. Pure arithmetic over the catalogue's counts.

Memory is the sum of the base's numbers, the adapter with its gradients and the optimizer's numbers in float32, what the
step keeps, and a fixed working share. What it does not know: the allocator's waste, other programs on the card, kernels
that need room of their own.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import pairwise

from app.base_models.catalogue import BaseModelEntry, Kept, StepCost
from app.machine.devices import BYTES, WORKING_BYTES, Precision
from app.trainings.look.recipe import Quantization, TrainingRecipe

SLOWER = {"none": 1.0, "int8": 1.3, "nf4": 1.25}
"""Time of a step with a base that must be made whole again layer by layer."""
OPTIMIZER_BYTES = {"adamw": 8, "adamw_8bit": 2, "prodigy": 16}
"""Of one number of the adapter, what the optimizer keeps of it: AdamW two moments in float32 or in 8 bits, Prodigy
where the number began and a sum of gradients as well."""
ADAPTER_BYTES = 8
"""Of one number of the adapter: itself and its gradient, in float32."""
AVERAGE_BYTES = 4
"""Of its moving average."""
UTILISATION = (0.3, 0.65)
"""Share of what a device does in one large matrix product that a training step reaches."""
BUS_BYTES = (6e9, 25e9)
"""A second, from the machine's memory to a card: four fifths of what PCI Express carries, 3.0 on 8 lanes and 4.0 on
16."""
COUNTED_RANK = 16
"""Of the adapters that ``Kept`` was counted with."""


@dataclass(frozen=True)
class Way:
    """One way to compute a training's step."""

    precision: Precision
    quantization: Quantization
    gradient_checkpointing: bool
    micro_batch_size: int
    block_offload: bool = False


def memory_of(recipe: TrainingRecipe, base: BaseModelEntry, way: Way) -> int:
    """Predicted peak in bytes while it takes steps; encoders that are not trained, and the autoencoder, have left the
    device by then."""
    plain = BYTES[way.precision]
    held = BYTES[way.quantization] if way.quantization != "none" else plain
    parameters = base.denoiser_parameters or 0
    if way.block_offload:
        weights = parameters * (1 - base.offloadable_share) * plain + base.largest_block_parameters * held
    else:
        weights = parameters * (base.quantizable_share * held + (1 - base.quantizable_share) * plain)
    each = ADAPTER_BYTES + OPTIMIZER_BYTES[recipe.optimizer] + (AVERAGE_BYTES if recipe.ema_decay else 0)
    kept = max(_kept_bytes(recipe, base, way, side) for side in sides_of(recipe))
    return round(weights + _words_bytes(recipe, base, way) + trained(recipe, base) * each + kept + WORKING_BYTES)


def step_seconds(recipe: TrainingRecipe, base: BaseModelEntry, way: Way, tera_operations: float) -> tuple[float, float]:
    """From, to, for one optimizer step on a device that does so many operations a second in one large product."""
    sides, samples = sides_of(recipe), samples_per_step(recipe)
    # There, and back through what is frozen; with checkpointing there once more. Every picture comes at every side.
    ways = 3 if way.gradient_checkpointing else 2
    operations = ways * sum(cost_at(base.step_cost, side).tera_operations for side in sides) / len(sides)
    if recipe.train_text_encoder:
        operations += 2 * base.text_encoder_tera_operations
    ideal = samples * operations / tera_operations * SLOWER[way.quantization]
    quickest, slowest = ideal / UTILISATION[1], ideal / UTILISATION[0]
    if way.block_offload:
        held = BYTES[way.quantization] if way.quantization != "none" else BYTES[way.precision]
        copied = 2 * (base.denoiser_parameters or 0) * base.offloadable_share * held
        passes = -(-samples // way.micro_batch_size)
        quickest, slowest = quickest + passes * copied / BUS_BYTES[1], slowest + passes * copied / BUS_BYTES[0]
    return quickest, slowest


def trained(recipe: TrainingRecipe, base: BaseModelEntry) -> int:
    """Numbers that the adapter learns."""
    counted = _counted(recipe, base)
    if counted:
        own = counted[0].trained_parameters * recipe.rank / COUNTED_RANK
    else:
        own = base.parameters_per_rank.get(recipe.target_modules, 0) * recipe.rank
    words = base.text_encoder_parameters_per_rank * recipe.rank if recipe.train_text_encoder else 0
    return round(own + words)


def samples_per_step(recipe: TrainingRecipe) -> int:
    """How many pictures are computed for one step, those of the class included."""
    own = recipe.batch_size * recipe.gradient_accumulation_steps
    return own * 2 if recipe.with_prior_preservation else own


def sides_of(recipe: TrainingRecipe) -> tuple[int, ...]:
    """All that every picture is learned at, in pixels."""
    return tuple(dict.fromkeys((recipe.resolution, *recipe.extra_resolutions)))


def cost_at(costs: tuple[StepCost, ...], side: int) -> StepCost:
    """Interpolated in the area of the picture; beyond the largest side, and below the smallest, in proportion to it."""
    names = ("kept_mb", "kept_mb_checkpointed", "kept_mb_of_a_block", "tera_operations")
    rows = {cost.side: tuple(float(getattr(cost, name)) for name in names) for cost in costs}
    return StepCost(side=side, **dict(zip(names, _at(rows, side), strict=True)))


def _kept_bytes(recipe: TrainingRecipe, base: BaseModelEntry, way: Way, side: int) -> float:
    rows = {one.side: (one.mb, one.mb_checkpointed, one.mb_of_a_block) for one in _counted(recipe, base)}
    if not rows:
        rows = {
            cost.side: (cost.kept_mb, cost.kept_mb_checkpointed, cost.kept_mb_of_a_block) for cost in base.step_cost
        }
    whole, checkpointed, of_a_block = _at(rows, side)
    wide = 2 if way.precision == "float32" else 1
    kept = checkpointed + of_a_block if way.gradient_checkpointing else whole
    return kept * 1_000_000 * wide * way.micro_batch_size


def _counted(recipe: TrainingRecipe, base: BaseModelEntry) -> tuple[Kept, ...]:
    network = "lora" if recipe.network == "rslora" else recipe.network
    return tuple(one for one in base.kept if (one.network, one.target_modules) == (network, recipe.target_modules))


def _words_bytes(recipe: TrainingRecipe, base: BaseModelEntry, way: Way) -> float:
    """Of text encoders in training, which stay on the device and keep what their way back needs."""
    if not recipe.train_text_encoder:
        return 0.0
    wide = 2 if way.precision == "float32" else 1
    kept = base.text_encoder_kept_mb * 1_000_000 * wide * way.micro_batch_size
    return base.text_encoder_parameters * BYTES[way.precision] + kept


def _at(rows: Mapping[int, tuple[float, ...]], side: int) -> tuple[float, ...]:
    known, area = sorted(rows), side * side
    nearest = known[0] if area <= known[0] ** 2 else known[-1]
    for lower, upper in pairwise(known):
        if lower**2 < area < upper**2:
            share = (area - lower**2) / (upper**2 - lower**2)
            return tuple(a * (1 - share) + b * share for a, b in zip(rows[lower], rows[upper], strict=True))
    if side in rows:
        return rows[side]
    return tuple(value * area / nearest**2 for value in rows[nearest])
