"""What the loops of all families know of an order without looking at a model: its identity, rates and due dates."""

import hashlib
import json
import math

from app.trainings.look.recipe import TrainingRecipe
from worker.engines import checkpoints
from worker.engines.contracts import EngineError, TrainingInputs

CHECKPOINTS_KEPT = 2
TRAIN_SMALLER = "Choose a smaller resolution, a smaller batch or a lower rank, or a machine with more memory."
HOW_NOT_WHAT = {
    "quantization",
    "gradient_checkpointing",
    "block_offload",
    "compile",
    "batch_size",
    "gradient_accumulation_steps",
}
"""Fields of a recipe that a training may change on its way."""
YOUNGER = ("shuffle_caption", "keep_tokens", "clip_skip")
"""Fields that came after checkpoints which may still be gone on from: as they are by default, trainings were before."""
DRAW_SMALLER = "Choose smaller pictures, or a machine with more memory."


def check(recipe: TrainingRecipe, *, can_offload: bool = False) -> None:
    """Raises ``EngineError`` (``bad_order``) for what does not go together."""
    if recipe.network == "lokr" and recipe.train_text_encoder:
        raise EngineError(
            "bad_order", "A LoKr adapter cannot include the text encoder: no program would load it. Choose one of both."
        )
    if recipe.network == "dora" and recipe.train_text_encoder:
        # diffusers hands them to transformers, whose loader has no place for DoRA's lengths and says nothing.
        raise EngineError(
            "bad_order",
            "A DoRA adapter cannot include the text encoder: diffusers would leave out the lengths that it learned "
            "there. Choose one of both.",
        )

    if recipe.block_offload and not (can_offload and recipe.gradient_checkpointing):
        raise EngineError(
            "bad_order",
            "Blocks of the base can wait in the machine's memory only in FLUX's families, and where what they keep is "
            "computed again. Switch that off and start again.",
        )


def identity(recipe: TrainingRecipe, inputs: TrainingInputs) -> str:
    """What a checkpoint must have been made for, as text: recipe, base, and each picture's bytes, caption and crop.

    How the base is held and how many pictures are computed at a time is left out: a training whose memory ran out goes
    on from its checkpoint in another way, with as many pictures in a step.
    Raises ``EngineError``: ``no_pictures``, ``bad_picture``.
    """
    if not inputs.pictures:
        raise EngineError("no_pictures", "There are no pictures to train on.")
    pictures = []
    for p in inputs.pictures:
        try:
            content = hashlib.sha256(p.path.read_bytes()).hexdigest()
        except OSError as error:
            raise EngineError("bad_picture", f"The training picture {p.path.name} cannot be read.") from error
        pictures.append([content, p.caption, p.left, p.top, p.width, p.height, p.target_width, p.target_height])
    fields = TrainingRecipe.model_fields
    as_before = {name for name in YOUNGER if getattr(recipe, name) == fields[name].default}
    asked = recipe.model_dump(mode="json", exclude=HOW_NOT_WHAT | as_before)
    at_once = recipe.batch_size * recipe.gradient_accumulation_steps
    facts = [asked, at_once, inputs.base.key, inputs.base.revision, pictures]
    return hashlib.sha256(json.dumps(facts, sort_keys=True).encode()).hexdigest()


def resumed(inputs: TrainingInputs, order: str) -> checkpoints.Checkpoint | None:
    """The checkpoint to go on from. Raises ``EngineError`` (``bad_checkpoint``)."""
    if inputs.resume_from is None:
        return None
    checkpoint = checkpoints.read(inputs.resume_from)
    if checkpoint.order != order:
        raise EngineError(
            "bad_checkpoint",
            "The checkpoint was made with other pictures, another base model or another recipe. Start anew.",
        )
    return checkpoint


def learning_rate_at(recipe: TrainingRecipe, step: int) -> float:
    """Learning rate of the step with index ``step`` (from 0): a linear rise over ``warmup_steps``, then constant, or
    half a cosine down to zero at the last step."""
    if step < recipe.warmup_steps:
        return recipe.learning_rate * (step + 1) / recipe.warmup_steps
    if recipe.lr_scheduler == "constant":
        return recipe.learning_rate
    share = (step - recipe.warmup_steps) / max(1, recipe.steps - recipe.warmup_steps)
    return recipe.learning_rate * 0.5 * (1 + math.cos(math.pi * min(share, 1.0)))


def checkpoint_is_due(recipe: TrainingRecipe, step: int) -> bool:
    return step % recipe.checkpoint_every == 0 or step == recipe.steps


def final_loss(losses: list[float]) -> float | None:
    """Mean over the last tenth of the steps; None without any."""
    last = losses[-math.ceil(len(losses) / 10) :] if losses else []
    return sum(last) / len(last) if last else None


def diverged(step: int, learning_rate: float) -> EngineError:
    return EngineError(
        "diverged",
        f"The training diverged at step {step}: its loss is no longer a number. The last checkpoint is kept. "
        f"Start again with a lower learning rate than {learning_rate:g}.",
    )
