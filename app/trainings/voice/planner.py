"""The fastest way to train a voice that fits a device: as ``planner`` does for pictures, and with its words.

Pure arithmetic over a language model's widths. What a step keeps was counted where autograd keeps it, on blocks of
Llama's and Qwen3's layout (``tests/worker/text/test_step_memory.py`` counts again). Not known: the allocator's waste,
other programs on the card, kernels that need room of their own. So it predicts a range, which is graded afterwards.
"""

from collections.abc import Iterator

from app.base_models.catalogue import TextModelEntry
from app.errors import N_
from app.trainings.look import planner
from app.trainings.look.needs import Precision
from app.trainings.look.planner import CLEARLY_LESS, PLANNED, SPREAD, Device, Plan, Shortage
from app.trainings.voice.lengths import tokens_at_most
from app.trainings.voice.presets import voice_recipe_for
from app.trainings.voice.recipe import Quantization, VoiceRecipe
from app.trainings.voice.texts import FrozenVoice

ADAPTER_BYTES = 16
"""Of one number of the adapter: itself, its gradient and two moments, in float32."""
WORKING_BYTES = 900_000_000
"""A card's own context and the libraries' working memory."""
PACKED = 512
"""Tokens up to which texts share a row."""
COUNTED = 0.5
"""Share of a row's tokens that are learned, and weighed over the whole vocabulary: 0.43 to 0.51 in the rows of
``tests/data/voice``."""
WEIGHED_BYTES = 12
"""For each word of the vocabulary at such a place: its score in two precisions, its logarithm, its gradient."""
FINEST_AND_COARSEST: tuple[Quantization, Quantization] = ("none", "nf4")


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
    row = row_tokens(recipe, voice)
    plans = [_plan(recipe, base, row, device, *stage) for stage in stages(recipe, decided)]
    chosen = next((plan for plan in plans if plan.fits), None) or min(plans, key=lambda plan: plan.memory_bytes)
    reason, facts = _reason(chosen, plans, device)
    left = tuple(name for name in PLANNED if name in decided)
    return chosen.model_copy(update={"reason": reason, "facts": facts, "decided": left})


def decided_in(recipe: VoiceRecipe, base: TextModelEntry, voice: FrozenVoice) -> frozenset[str]:
    """Of the fields that a plan may change, those in which an order without a plan differs from the preset's."""
    usual = voice_recipe_for(base, len(voice.texts))
    return frozenset(name for name in PLANNED if getattr(recipe, name) != getattr(usual, name))


def next_coarser(
    recipe: VoiceRecipe, base: TextModelEntry, voice: FrozenVoice, device: Device, plan: Plan
) -> Plan | None:
    """What to fall back to when the memory is not enough for one row at a time with the base held as ``plan`` says:
    the fastest stage with a coarser base that needs clearly less than that, or None.

    ``recipe`` is the one before any plan. A person's own choices give way here: the alternative is no voice at all.
    """
    row = row_tokens(recipe, voice)
    plans = [_plan(recipe, base, row, device, *stage) for stage in stages(recipe)]
    tried = min(one.memory_bytes for one in plans if one.quantization == plan.quantization)
    coarser = ("int8", "nf4") if plan.quantization == "none" else ("nf4",) if plan.quantization == "int8" else ()
    for one in plans:
        if one.quantization in coarser and one.memory_bytes < CLEARLY_LESS * tried:
            reason = FELL_BACK_TO_8_BITS if one.quantization == "int8" else FELL_BACK_TO_4_BITS
            return one.model_copy(update={"reason": reason, "facts": {"needed": planner.gigabytes(one.memory_bytes)}})
    return None


def as_ordered(recipe: VoiceRecipe, base: TextModelEntry, voice: FrozenVoice, device: Device) -> Plan:
    """The recipe itself as a plan, for an order that was given when no device was known."""
    stage = (recipe.quantization, recipe.gradient_checkpointing, recipe.batch_size)
    return _plan(recipe, base, row_tokens(recipe, voice), device, *stage)


def planned(recipe: VoiceRecipe, plan: Plan) -> VoiceRecipe:
    """The recipe with what the plan chose; as many rows go into a step as before."""
    times = recipe.batch_size // plan.micro_batch_size
    return recipe.model_copy(
        update={
            "quantization": plan.quantization,
            "gradient_checkpointing": plan.gradient_checkpointing,
            "batch_size": plan.micro_batch_size,
            "gradient_accumulation_steps": recipe.gradient_accumulation_steps * times,
        }
    )


def unplanned(recipe: VoiceRecipe, plan: Plan) -> VoiceRecipe:
    """The recipe before ``planned``, as far as a later plan needs it: all rows of a step at once."""
    times = plan.whole_batch_size // plan.micro_batch_size
    return recipe.model_copy(
        update={
            "batch_size": plan.whole_batch_size,
            "gradient_accumulation_steps": recipe.gradient_accumulation_steps // times,
        }
    )


def stages(recipe: VoiceRecipe, decided: frozenset[str] = frozenset()) -> Iterator[tuple[Quantization, bool, int]]:
    """Quantisation, checkpointing and rows at a time, the fastest and finest first."""
    finest: tuple[Quantization, ...] = ("none", "int8", "nf4")
    quantizations = (recipe.quantization,) if "quantization" in decided else finest
    checkpointings = (recipe.gradient_checkpointing,) if "gradient_checkpointing" in decided else (False, True)
    whole = recipe.batch_size
    micro_batches = [n for n in range(whole, 0, -1) if whole % n == 0 and (n == whole or "batch_size" not in decided)]
    for quantization in quantizations:
        for checkpointing in checkpointings:
            for micro_batch in micro_batches:
                yield quantization, checkpointing, micro_batch


def row_tokens(recipe: VoiceRecipe, voice: FrozenVoice) -> int:
    """Tokens of the longest row, by a bound: texts share rows of ``PACKED``, and a longer one has its own."""
    return min(recipe.max_length, max(longest(voice), PACKED if recipe.packing else 0))


def longest(voice: FrozenVoice) -> int:
    """Tokens of the longest text with its order, at most."""
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
        for quantization in FINEST_AND_COARSEST
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


def _plan(
    recipe: VoiceRecipe,
    base: TextModelEntry,
    row: int,
    device: Device,
    quantization: Quantization,
    gradient_checkpointing: bool,
    micro_batch_size: int,
) -> Plan:
    precision = planner.precision_on(device, base)
    memory = memory_of(
        recipe,
        base,
        row,
        precision=precision,
        quantization=quantization,
        gradient_checkpointing=gradient_checkpointing,
        micro_batch_size=micro_batch_size,
    )
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
        step_seconds=None,
        fits=memory <= planner.room_of(device),
        reason="",
        facts={},
    )


SMALLER_BATCHES = N_(
    "%(batch)s rows at once would need %(before)s; %(at_a_time)s at a time need %(needed)s of %(memory)s."
)
IN_8_BITS = N_(
    "Held as it is the base would need %(before)s at least, and of %(memory)s only %(room)s can be counted on. In 8 "
    "bits it needs %(needed)s; it may write a little less finely."
)
IN_4_BITS = N_(
    "Even in 8 bits the base would need %(before)s at least, and of %(memory)s only %(room)s can be counted on. In 4 "
    "bits (NF4) it needs %(needed)s; it may write a little less finely."
)
FELL_BACK_TO_8_BITS = N_(
    "The device's memory ran out even with one row at a time, so it goes on with the base in 8 bits, which needs about "
    "%(needed)s; it may write a little less finely."
)
FELL_BACK_TO_4_BITS = N_(
    "The device's memory ran out even with one row at a time, so it goes on with the base in 4 bits (NF4), which needs "
    "about %(needed)s; it may write a little less finely."
)
RAN_OUT = N_(
    "The device's memory ran out with %(batch)s rows at a time, so it goes on with %(at_a_time)s at a time. What it "
    "learns is the same."
)
RAN_OUT_AT_ONE = N_(
    "The device's memory ran out with one row at a time, so it goes on by computing again what it would have kept. A "
    "step takes about a third longer; what it learns is the same."
)
TOO_LARGE = N_(
    "Even in its smallest form this training needs %(needed)s, and of the device's %(memory)s only %(room)s can be "
    "counted on. Choose a smaller base model, shorter rows, or a device with more memory."
)


def shortage(recipe: VoiceRecipe, micro_batch_size: int, gradient_checkpointing: bool) -> Shortage:
    """How it goes on after its memory ran out in a step, in words, for a training that began as ``recipe`` says."""
    if gradient_checkpointing and not recipe.gradient_checkpointing:
        return Shortage(reason=RAN_OUT_AT_ONE, facts={})
    return Shortage(reason=RAN_OUT, facts={"batch": str(recipe.batch_size), "at_a_time": str(micro_batch_size)})


def _reason(chosen: Plan, plans: list[Plan], device: Device) -> tuple[str, dict[str, str]]:
    first = plans[0]
    facts = {
        "needed": planner.gigabytes(chosen.memory_bytes),
        "memory": planner.gigabytes(device.memory_bytes),
        "room": planner.gigabytes(round(planner.room_of(device))),
        "before": planner.gigabytes(planner.least_given_up(chosen, plans)),
        "batch": str(first.micro_batch_size),
        "at_a_time": str(chosen.micro_batch_size),
    }
    if not chosen.fits:
        return TOO_LARGE, facts
    if chosen.quantization != first.quantization:
        return (IN_8_BITS if chosen.quantization == "int8" else IN_4_BITS), facts
    if chosen.gradient_checkpointing != first.gradient_checkpointing:
        return planner.COMPUTED_AGAIN, facts
    if chosen.micro_batch_size != first.micro_batch_size:
        return SMALLER_BATCHES, facts
    return planner.AS_IT_IS, facts
