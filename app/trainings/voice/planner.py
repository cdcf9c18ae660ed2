"""The fastest way to train a voice that fits a device.

Pure arithmetic over a language model's widths. What a step keeps was counted where autograd keeps it, on blocks of
Llama's and Qwen3's layout (``tests/worker/text/test_step_memory.py`` counts again). Not known: the allocator's waste,
other programs on the card, kernels that need room of their own.
"""

from app.base_models.catalogue import TextModelEntry
from app.errors import N_
from app.machine.devices import WORKING_BYTES, Device, Precision, precision_on
from app.trainings import plans
from app.trainings.plans import PLANNED, Plan, Sentences, Stage
from app.trainings.voice.freeze import FrozenVoice
from app.trainings.voice.lengths import tokens_at_most
from app.trainings.voice.presets import voice_recipe_for
from app.trainings.voice.recipe import Quantization, VoiceRecipe

ADAPTER_BYTES = 16
"""Of one number of the adapter: itself, its gradient and two moments, in float32."""
MOST_AND_FEWEST_BITS: tuple[Quantization, Quantization] = ("none", "nf4")
PACKED = 512
"""Tokens up to which texts share a row."""
COUNTED = 0.5
"""Share of a row's tokens that are learned, and weighed over the whole vocabulary: 0.43 to 0.51 in the rows of
``tests/data/voice``."""
WEIGHED_BYTES = 12
"""For each word of the vocabulary at such a place: its score in two precisions, its logarithm, its gradient."""
SENTENCES = Sentences(
    smaller_batches=N_(
        "%(batch)s rows at once would need %(before)s. Livery trains %(at_a_time)s at a time, using %(needed)s "
        "of %(memory)s."
    ),
    in_8_bits=N_(
        "The full base model would need at least %(before)s, and only %(room)s of %(memory)s is reliably "
        "available. The 8-bit version needs %(needed)s; its writing may be slightly less refined."
    ),
    in_4_bits=N_(
        "The 8-bit base model would still need at least %(before)s, and only %(room)s of %(memory)s is "
        "reliably available. The 4-bit version (NF4) needs %(needed)s; its writing may be slightly less "
        "refined."
    ),
    too_large=N_(
        "This training needs at least %(needed)s, and only %(room)s of the device's %(memory)s is reliably "
        "available. Choose a smaller base model, shorter rows, or a device with more memory."
    ),
    fell_back_to_8_bits=N_(
        "The device ran out of memory even with one row at a time, so training continues with the base model "
        "in 8 bits, which needs about %(needed)s; its writing may be slightly less refined."
    ),
    fell_back_to_4_bits=N_(
        "The device ran out of memory even with one row at a time, so training continues with the base model "
        "in 4 bits (NF4), which needs about %(needed)s; its writing may be slightly less refined."
    ),
    ran_out=N_(
        "The device ran out of memory with %(batch)s rows at a time, so training continues with %(at_a_time)s "
        "at a time. The result is the same."
    ),
    ran_out_at_one=N_(
        "The device ran out of memory with one row at a time, so training continues by recomputing what it "
        "would have kept. Each step takes about a third longer; the result is the same."
    ),
)


def plan_for(
    recipe: VoiceRecipe,
    base: TextModelEntry,
    voice: FrozenVoice,
    device: Device,
    decided: frozenset[str] = frozenset(),
) -> Plan:
    """The fastest plan that fits, else the smallest there is.

    ``decided``: the recipe's fields that a person has chosen; of those the planner changes none.
    """
    return plans.chosen_from(_plans(recipe, base, voice, device, decided), recipe, device, decided, SENTENCES)


def decided_in(recipe: VoiceRecipe, base: TextModelEntry, voice: FrozenVoice) -> frozenset[str]:
    """Of the fields that a plan may change, those in which a recipe without a plan differs from the preset's."""
    usual = voice_recipe_for(base, len(voice.texts))
    return frozenset(name for name in PLANNED if getattr(recipe, name) != getattr(usual, name))


def fallback_for(
    recipe: VoiceRecipe, base: TextModelEntry, voice: FrozenVoice, device: Device, plan: Plan
) -> Plan | None:
    """What to go on with when a step does not fit the memory as ``plan`` says (``plans.fallback_from``), or None.

    ``recipe`` is the one before any plan.
    """
    return plans.fallback_from(_plans(recipe, base, voice, device), plan, SENTENCES)


def as_plan(recipe: VoiceRecipe, base: TextModelEntry, voice: FrozenVoice, device: Device) -> Plan:
    """The recipe itself as a plan, for a training that was started when no device was known."""
    stage = Stage(recipe.quantization, recipe.gradient_checkpointing, recipe.batch_size)
    return _plan(recipe, base, row_tokens(recipe, voice), device, stage)


def row_tokens(recipe: VoiceRecipe, voice: FrozenVoice) -> int:
    """Tokens of the longest row, by a bound: texts share rows of ``PACKED``, and a longer one has its own."""
    return min(recipe.max_length, max(longest(voice), PACKED if recipe.packing else 0))


def longest(voice: FrozenVoice) -> int:
    """Tokens of the longest text with the messages before it, at most."""
    return max((tokens_at_most([*(said for _, said in text.order), text.text]) for text in voice.texts), default=0)


def memory_of(
    recipe: VoiceRecipe,
    base: TextModelEntry,
    row: int,
    *,
    precision: Precision,
    quantization: Quantization,
    gradient_checkpointing: bool,
    micro_batch_size: int,
) -> int:
    """Predicted peak in bytes of a step over ``micro_batch_size`` rows of ``row`` tokens."""
    layout, plain = base.layout, 4 if precision == "float32" else 2
    weights = base.weight_bytes(quantization, on_card=precision != "float32")
    adapter = base.parameters_per_rank[recipe.target_modules] * recipe.rank * ADAPTER_BYTES
    block = _kept_of_a_block(base, recipe.rank, precision)
    kept = layout.layers * plain * layout.width + block if gradient_checkpointing else layout.layers * block
    weighed = COUNTED * layout.vocabulary * WEIGHED_BYTES
    # A layer of a base in fewer bits is made whole again while it computes.
    whole_again = 0 if quantization == "none" else layout.width * layout.feed_forward * plain
    return round(weights + adapter + (kept + weighed) * row * micro_batch_size + whole_again + WORKING_BYTES)


def usual_needs(base: TextModelEntry) -> tuple[int, int]:
    """Bytes that a usual training takes on a card: as fast as it can be, and in its smallest form."""
    recipe = voice_recipe_for(base, 100)
    fast, small = (
        memory_of(
            recipe,
            base,
            PACKED,
            precision="bfloat16",
            quantization=quantization,
            gradient_checkpointing=quantization != "none",
            micro_batch_size=1,
        )
        for quantization in MOST_AND_FEWEST_BITS
    )
    return fast, small


def _kept_of_a_block(base: TextModelEntry, rank: int, precision: Precision) -> int:
    """Bytes for each token: what norms, attention, feed-forward and the adapter keep for the way back.

    In 16 bits every layer of the adapter keeps a copy of what goes in. Norms of queries and keys, which not all
    models have, are counted.
    """
    layout = base.layout
    wide, narrow = layout.width, layout.query
    norms = 4 * (layout.query + layout.key_value)
    if precision == "float32":
        return 16 * wide + 16 * narrow + 16 * layout.feed_forward + norms + 28 * rank
    return 18 * wide + 10 * narrow + 8 * layout.feed_forward + norms + 28 * rank


def _plans(
    recipe: VoiceRecipe,
    base: TextModelEntry,
    voice: FrozenVoice,
    device: Device,
    decided: frozenset[str] = frozenset(),
) -> list[Plan]:
    row = row_tokens(recipe, voice)
    return [_plan(recipe, base, row, device, stage) for stage in plans.stages(recipe, decided)]


def _plan(recipe: VoiceRecipe, base: TextModelEntry, row: int, device: Device, stage: Stage) -> Plan:
    memory = memory_of(
        recipe,
        base,
        row,
        precision=precision_on(device, base),
        quantization=stage.quantization,
        gradient_checkpointing=stage.gradient_checkpointing,
        micro_batch_size=stage.micro_batch_size,
    )
    return plans.plan_of(recipe, base, device, stage, memory)
