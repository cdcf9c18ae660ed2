"""Which pictures, cuts and captions a step is fed, as a pure function of the step and the training's generator.

Shared by the image families.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import torch

from app.trainings.look.recipe import TrainingRecipe
from worker.engines.image.training import class_images, dataset, latents
from worker.engines.training_state import TrainingState


@dataclass(frozen=True)
class Drawn:
    """Pictures of one size."""

    clean: torch.Tensor
    """Latents (batch, channels, height, width)."""
    captions: Sequence[str]
    """Empty where the caption was dropped."""
    conditions: torch.Tensor
    """(batch, 6), see ``dataset.size_conditions``."""
    weight: float
    """In the step's loss."""
    number: int
    """Number of the batch, from the training's beginning."""


def of_step(
    pictures: list[latents.Cached], class_latents: torch.Tensor | None, recipe: TrainingRecipe, state: TrainingState
) -> Iterator[Drawn]:
    """The batches of the next step: for each that is accumulated the brand's pictures, and with prior preservation
    those of their class beside them."""
    sizes = [picture.size for picture in pictures]
    parts = recipe.gradient_accumulation_steps
    for number in range(parts):
        at = state.step * parts + number
        batch = [pictures[i] for i in dataset.batch_at(sizes, recipe.batch_size, recipe.seed, at)]
        variants = latents.chosen(batch, state.generator, recipe.flip)
        dropped = torch.rand(len(batch), generator=state.generator) < recipe.caption_dropout
        yield Drawn(
            clean=torch.cat([variant.latents for variant in variants]),
            captions=["" if dropped[n] else _caption(one, recipe, at, n) for n, one in enumerate(batch)],
            conditions=torch.tensor([variant.conditions for variant in variants]),
            weight=1 / parts,
            number=at,
        )
        if class_latents is not None:
            others = class_images.batch_at(len(class_latents), recipe, at)
            yield Drawn(
                clean=class_latents[others],
                captions=[recipe.class_prompt] * len(others),
                conditions=torch.tensor([class_images.conditions(recipe)] * len(others)),
                weight=recipe.prior_loss_weight / parts,
                number=at,
            )


def _caption(picture: latents.Cached, recipe: TrainingRecipe, number: int, place: int) -> str:
    return picture.captions[dataset.order_at(len(picture.captions), recipe.seed, number, place)]
