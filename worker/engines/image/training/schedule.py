"""A recipe's identity, learning rates and due checkpoints, whatever the model."""

import hashlib
import json

from app.trainings.look.recipe import TrainingRecipe
from worker.engines.contracts import EngineError, TrainingInputs
from worker.engines.training_state import learning_rate_at

TRAIN_SMALLER = "Choose a smaller resolution, a smaller batch or a lower rank, or a machine with more memory."
RUNTIME_ONLY_FIELDS = {
    "quantization",
    "gradient_checkpointing",
    "block_offload",
    "compile",
    "batch_size",
    "gradient_accumulation_steps",
}
"""Fields of a recipe that a training may change on its way."""
FIELDS_ADDED_LATER = ("shuffle_caption", "keep_tokens", "clip_skip")
"""Fields that came after checkpoints which may still be gone on from: as they are by default, trainings were before."""


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
    as_before = {name for name in FIELDS_ADDED_LATER if getattr(recipe, name) == fields[name].default}
    asked = recipe.model_dump(mode="json", exclude=RUNTIME_ONLY_FIELDS | as_before)
    samples_per_step = recipe.batch_size * recipe.gradient_accumulation_steps
    facts = [asked, samples_per_step, inputs.base.key, inputs.base.revision, pictures]
    return hashlib.sha256(json.dumps(facts, sort_keys=True).encode()).hexdigest()


def learning_rates_at(recipe: TrainingRecipe, step: int) -> tuple[float, float]:
    """Learning rates of the denoiser and of the text encoders in the step with index ``step`` (from 0); equal
    where nothing else is asked. DoRA, which trains no text encoder, has its magnitudes in the second group."""
    rate = learning_rate_at(recipe.learning_rate, step, recipe.warmup_steps, recipe.steps, recipe.lr_scheduler)
    has_own = recipe.train_text_encoder and recipe.optimizer != "prodigy"
    return rate, rate * (recipe.text_encoder_lr / recipe.learning_rate if has_own else 1.0)


def checkpoint_is_due(recipe: TrainingRecipe, step: int) -> bool:
    return step % recipe.checkpoint_every == 0 or step == recipe.steps
