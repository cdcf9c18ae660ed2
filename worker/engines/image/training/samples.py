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
from worker.engines.image.training.learning import Learning


def prompts_of(recipe: TrainingRecipe) -> list[str]:
    return [dataset.with_trigger_filled_in(asked, recipe.trigger_word) for asked in recipe.sample_prompts]


def side_of(recipe: TrainingRecipe, loaded: Loaded) -> int:
    """Of a square picture that the model draws while it is trained, in pixels."""
    return max(recipe.resolution // loaded.multiple, 1) * loaded.multiple


def draw(
    loaded: Loaded,
    recipe: TrainingRecipe,
    learning: Learning,
    out: Path,
    progress: Progress,
    denoise: Callable[[int, str, torch.Generator], torch.Tensor],
    decode: Callable[[torch.Tensor], Image.Image],
) -> None:
    """Draw each sample prompt from ``sample_seed`` with the adapter as it would be in the file now; takes no number
    from the training's generator. ``denoise`` gives latents from the prompt's place, the prompt and a generator."""
    folder = out / "samples"
    folder.mkdir(exist_ok=True)
    with learning.averaged():
        for index, prompt in enumerate(prompts_of(recipe)):
            progress.phase("sampling")
            drawn = denoise(index, prompt, torch.Generator("cpu").manual_seed(recipe.sample_seed))
            path = folder / f"step-{learning.step:06d}-{index}.png"
            model_cache.wake(loaded, "vae")
            dataset.save_picture(decode(drawn), path)
            if learning.has_begun:
                model_cache.rest(loaded, "vae")
            progress.sample(SamplePicture(learning.step, index, prompt, recipe.sample_seed, path))
    learning.sampled = True
