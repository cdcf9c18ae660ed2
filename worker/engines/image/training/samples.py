"""Sample pictures of a training: always the same prompts from the same seed. Shared by the image families."""

from collections.abc import Callable
from pathlib import Path

import torch
from PIL import Image

from app.trainings.look.recipe import TrainingRecipe
from worker.engines.contracts import Progress, SamplePicture
from worker.engines.image.base import model_cache
from worker.engines.image.base.model_cache import Loaded
from worker.engines.image.training import dataset
from worker.engines.training_state import TrainingState


def prompts_of(recipe: TrainingRecipe) -> list[str]:
    return [dataset.with_trigger_filled_in(asked, recipe.trigger_word) for asked in recipe.sample_prompts]


def side_of(recipe: TrainingRecipe, loaded: Loaded) -> int:
    """Side of the square pictures that the model draws while it is trained, in pixels."""
    return max(recipe.resolution // loaded.multiple, 1) * loaded.multiple


def draw(
    loaded: Loaded,
    recipe: TrainingRecipe,
    state: TrainingState,
    out: Path,
    progress: Progress,
    denoise: Callable[[str, list[torch.Generator]], torch.Tensor],
    decode: Callable[[torch.Tensor], Image.Image],
) -> None:
    """Draw each sample prompt from ``sample_seed`` with the adapter as it would be in the file now; takes no number
    from the training's generator. ``denoise`` gives one picture's latents for each generator."""
    folder = out / "samples"
    folder.mkdir(exist_ok=True)
    with state.averaged():
        for index, prompt in enumerate(prompts_of(recipe)):
            progress.phase("sampling")
            drawn = denoise(prompt, [torch.Generator("cpu").manual_seed(recipe.sample_seed)])
            path = folder / f"step-{state.step:06d}-{index}.png"
            model_cache.to_device(loaded, "vae")
            dataset.save_picture(decode(drawn), path)
            if state.has_begun:
                model_cache.offload(loaded, "vae")
            progress.sample(SamplePicture(state.step, index, prompt, recipe.sample_seed, path))
    state.sampled = True
