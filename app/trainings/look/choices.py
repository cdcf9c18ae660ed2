"""What a person may decide about a training: the purpose, the base, and any number of the recipe. All else follows.

Pure. The browser's form and the API send the same fields under the recipe's own names; None means "what fits".
"""

from typing import Annotated, Any, Literal

from pydantic import BaseModel, Field

from app.trainings.look.recipe import (
    Network,
    Optimizer,
    Purpose,
    Quantization,
    TargetModules,
    TimestepSampling,
    TrainingRecipe,
)

LONGEST_PROMPT = 300
Prompt = Annotated[str, Field(max_length=LONGEST_PROMPT)]

ONLY_ON = ("flip", "shuffle_caption", "train_text_encoder")
"""A browser sends nothing for a switch that is off, so off means "what fits" here."""


class TrainingChoices(BaseModel, defer_build=True):
    """Only ``purpose`` has to be said. The recipe's own bounds apply."""

    purpose: Purpose = "style"
    base_model: Annotated[str, Field(min_length=1, max_length=80)] | None = None
    trigger_word: Annotated[str, Field(min_length=1, max_length=60)] | None = None
    """None: the brand's own."""
    rank: Annotated[int, Field(ge=1, le=256)] | None = None
    alpha: Annotated[float, Field(gt=0, le=512)] | None = None
    target_modules: TargetModules | None = None
    network: Network | None = None
    optimizer: Optimizer | None = None
    train_text_encoder: bool = False
    text_encoder_lr: Annotated[float, Field(gt=0, le=1)] | None = None
    learning_rate: Annotated[float, Field(gt=0, le=1)] | None = None
    lr_scheduler: Literal["constant", "cosine"] | None = None
    warmup_steps: Annotated[int, Field(ge=0, le=10_000)] | None = None
    steps: Annotated[int, Field(ge=1, le=100_000)] | None = None
    batch_size: Annotated[int, Field(ge=1, le=64)] | None = None
    gradient_accumulation_steps: Annotated[int, Field(ge=1, le=64)] | None = None
    resolution: Annotated[int, Field(ge=64, le=2048)] | None = None
    extra_resolutions: Annotated[tuple[Annotated[int, Field(ge=64, le=2048)], ...], Field(max_length=3)] | None = None
    crops: Annotated[int, Field(ge=1, le=8)] | None = None
    caption_dropout: Annotated[float, Field(ge=0, le=1)] | None = None
    shuffle_caption: bool = False
    keep_tokens: Annotated[int, Field(ge=0, le=20)] | None = None
    clip_skip: Annotated[int, Field(ge=1, le=2)] | None = None
    min_snr_gamma: Annotated[float, Field(ge=0, le=100)] | None = None
    """0 switches it off."""
    noise_offset: Annotated[float, Field(ge=0, le=0.5)] | None = None
    timestep_sampling: TimestepSampling | None = None
    timestep_shift: Annotated[float, Field(ge=0.1, le=20)] | None = None
    """None: the base's own shift."""
    quantization: Quantization | None = None
    gradient_checkpointing: bool | None = None
    flip: bool = False
    class_prompt: Annotated[str, Field(max_length=300)] | None = None
    """None or empty: no pictures of the class are learned along."""
    num_class_images: Annotated[int, Field(ge=1, le=500)] | None = None
    prior_loss_weight: Annotated[float, Field(ge=0, le=10)] | None = None
    ema_decay: Annotated[float, Field(ge=0, lt=1)] | None = None
    max_grad_norm: Annotated[float, Field(gt=0, le=100)] | None = None
    weight_decay: Annotated[float, Field(ge=0, le=1)] | None = None
    seed: Annotated[int, Field(ge=0, lt=2**32)] | None = None
    sample_prompts: Annotated[tuple[Prompt, ...], Field(max_length=4)] | None = None
    checkpoint_every: Annotated[int, Field(ge=1, le=10_000)] | None = None

    def changes(self) -> dict[str, Any]:
        """The recipe's fields that were decided, by name; without purpose and base."""
        decided = self.model_dump(exclude={"purpose", "base_model"}, exclude_none=True)
        for name in ONLY_ON:
            if not decided.get(name):
                decided.pop(name, None)
        return {name: value for name, value in decided.items() if name in TrainingRecipe.model_fields}
