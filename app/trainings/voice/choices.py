"""What a person may decide about the training of a voice: the base, and any number of the recipe. All else follows.

Pure. The browser's form and the API send the same fields under the recipe's own names; None means "what fits".
"""

from typing import Annotated, Any, Literal

from pydantic import BaseModel, Field

from app.trainings.voice.recipe import Quantization, VoiceKind, VoiceRecipe, VoiceTargets


class VoiceChoices(BaseModel, defer_build=True):
    """Nothing has to be said. The recipe's own bounds apply."""

    base_model: Annotated[str, Field(min_length=1, max_length=80)] | None = None
    kind: VoiceKind | None = None
    rank: Annotated[int, Field(ge=1, le=256)] | None = None
    alpha: Annotated[float, Field(gt=0, le=512)] | None = None
    target_modules: VoiceTargets | None = None
    learning_rate: Annotated[float, Field(gt=0, le=1)] | None = None
    lr_scheduler: Literal["constant", "cosine"] | None = None
    warmup_share: Annotated[float, Field(ge=0, le=0.5)] | None = None
    epochs: Annotated[int, Field(ge=1, le=50)] | None = None
    batch_size: Annotated[int, Field(ge=1, le=64)] | None = None
    max_length: Annotated[int, Field(ge=64, le=8192)] | None = None
    packing: bool | None = None
    gradient_checkpointing: bool | None = None
    quantization: Quantization | None = None
    held_out_share: Annotated[float, Field(ge=0.02, le=0.5)] | None = None
    evaluations_per_epoch: Annotated[int, Field(ge=1, le=20)] | None = None
    early_stop_patience: Annotated[int, Field(ge=0, le=100)] | None = None
    weight_decay: Annotated[float, Field(ge=0, le=1)] | None = None
    seed: Annotated[int, Field(ge=0, lt=2**32)] | None = None

    def changes(self) -> dict[str, Any]:
        """The recipe's fields that were decided, by name; without the base."""
        decided = self.model_dump(exclude={"base_model"}, exclude_none=True)
        return {name: value for name, value in decided.items() if name in VoiceRecipe.model_fields}
