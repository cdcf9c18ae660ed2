"""The typed order of one piece of writing. Pure data: imports pydantic alone, as the worker's engines read it too."""

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

Seed = Annotated[int, Field(ge=0, lt=2**32)]
Arm = Literal["adapter", "prompted_base", "base"]
"""Who wrote: the brand's adapter, the base with a style guide in the prompt, or the base bare."""
ARMS: tuple[Arm, ...] = ("adapter", "prompted_base", "base")


class Message(BaseModel, defer_build=True):
    """One turn of a conversation; the model's own chat template joins them."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    role: Literal["system", "user"]
    content: Annotated[str, Field(min_length=1, max_length=40_000)]


class WritingRecipe(BaseModel, defer_build=True):
    """Everything that decides the text of one arm. The same recipe on the same machine gives the same texts."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    base_model: Annotated[str, Field(min_length=1, max_length=80)]
    quantization: Literal["none", "int8", "nf4"] = "none"
    """How the base's numbers are held: as when the voice was trained, which has learned to write over just these. The
    same for every arm, so that they differ in nothing else."""
    kind: Literal["instructions", "plain_text"] = "instructions"
    """``instructions``: the messages are an order, in the model's own template. ``plain_text``: the last message is how
    the text begins, those before it stand above it, and the model goes on; no template is used."""
    messages: Annotated[tuple[Message, ...], Field(min_length=1, max_length=8)]
    max_new_tokens: Annotated[int, Field(ge=1, le=4096)] = 256
    """Of each variant; it ends earlier where the model ends it."""
    temperature: Annotated[float, Field(ge=0, le=2)] = 0.8
    """0 takes the likeliest word always, so that every variant is the same."""
    top_p: Annotated[float, Field(gt=0, le=1)] = 0.95
    seed: Seed
    count: Annotated[int, Field(ge=1, le=8)] = 1
    """Number of variants. Variant i is written from seed + i, whatever the batch size."""


class ArmRecipe(BaseModel, defer_build=True):
    """What one arm writes."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    arm: Arm
    adapter_id: Annotated[str | None, Field(max_length=40)] = None
    recipe: WritingRecipe


class WritingOrder(BaseModel, defer_build=True):
    """The arms of one order: same brief, length, seed and count for each; they differ in adapter and style guide."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    arms: Annotated[tuple[ArmRecipe, ...], Field(min_length=1, max_length=3)]

    def of(self, arm: Arm) -> ArmRecipe | None:
        return next((one for one in self.arms if one.arm == arm), None)

    def with_seed(self, seed: int) -> "WritingOrder":
        """The same order, with another seed for every arm."""
        arms = (part.model_copy(update={"recipe": part.recipe.model_copy(update={"seed": seed})}) for part in self.arms)
        return WritingOrder(arms=tuple(arms))
