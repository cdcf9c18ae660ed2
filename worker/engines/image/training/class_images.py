"""Class images, drawn by the base itself and trained on beside the brand's pictures, so that the base keeps its idea of
the class. Prior preservation, Ruiz et al. 2023 (DreamBooth), section 4.2.
"""

from collections.abc import Callable

import torch

from app.trainings.look.recipe import TrainingRecipe
from worker.engines.image.training import dataset
from worker.engines.training_state import TrainingState

BATCH_SIZE = 4
CACHE = "class_latents"


def cached(
    recipe: TrainingRecipe, state: TrainingState, draw: Callable[[list[torch.Generator]], torch.Tensor]
) -> torch.Tensor | None:
    """Latents of the class pictures, (``num_class_images``, …), on the CPU; None where none are wanted.

    ``draw`` gives one for each generator from the base alone. They are part of every checkpoint. When the memory runs
    out, fewer are drawn at once; raises ``torch.OutOfMemoryError`` where it is not enough for one.
    """
    if not recipe.with_prior_preservation:
        return None
    if CACHE not in state.caches:
        drawn: list[torch.Tensor] = []
        batch_size = BATCH_SIZE
        while len(drawn) < recipe.num_class_images:
            numbers = range(len(drawn), min(len(drawn) + batch_size, recipe.num_class_images))
            seeds = [(recipe.seed + 1 + number) % 2**32 for number in numbers]
            try:
                drawn += draw([torch.Generator("cpu").manual_seed(seed) for seed in seeds]).float().cpu()
            except torch.OutOfMemoryError:
                if batch_size == 1:
                    raise
                batch_size //= 2
        state.caches[CACHE] = torch.stack(drawn)
    return state.caches[CACHE]


def batch_at(count: int, recipe: TrainingRecipe, at: int) -> list[int]:
    """Indexes of the class pictures that go with batch ``at``."""
    return dataset.batch_at([(0, 0)] * count, recipe.batch_size, (recipe.seed + 1) % 2**32, at)


def conditions(recipe: TrainingRecipe) -> tuple[int, ...]:
    """``dataset.size_conditions`` of a class picture: whole and square."""
    return recipe.resolution, recipe.resolution, 0, 0, recipe.resolution, recipe.resolution
