"""How pictures are drawn, whatever the family of their base: what is loaded, where its models are, and the batches."""

import contextlib
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from PIL import Image

from app.generations.recipe import GenerationRecipe
from worker.engines import memory
from worker.engines.contracts import AdapterFile, Base, Cancelled, GeneratedPicture, GenerationInputs, Progress
from worker.engines.image.base import cpu_offload, hot_swap, model_cache
from worker.engines.image.base.model_cache import Loaded
from worker.engines.image.drawing import pictures
from worker.engines.image.drawing.pictures import Denoise
from worker.engines.image.drawing.start_picture import StartPicture, start_picture, steps_taken
from worker.engines.image.enlarging.network import enlarged

DRAW_SMALLER = "Choose smaller pictures, or a machine with more memory."


@dataclass(frozen=True)
class Family:
    """The functions that a family of base models gives to the frame."""

    check_scheduler: Callable[[str], None]
    """Raises ``EngineError`` (``unknown_scheduler``)."""
    load: Callable[[Base, str, str | None], Loaded]
    """The base with this quantization, for this way of offloading."""
    load_adapter: Callable[[Any, AdapterFile, str], bool]
    """As for ``hot_swap.name_of``."""
    placed: Callable[[Loaded], AbstractContextManager[None]]
    """The models are where drawing needs them meanwhile."""
    latent_shape: Callable[[Loaded, int, int], tuple[int, int, int, int]]
    """Shape of the noise of one picture of this width and height."""
    batch_size: Callable[[Loaded, int, int], int]
    """How many pictures of this width and height to draw at once."""
    denoiser: Callable[[Loaded, GenerationRecipe, StartPicture | None], Denoise]
    decode: Callable[[Loaded, torch.Tensor], Image.Image]
    """One picture from its clean latents (1, …)."""


def generate(
    family: Family, recipe: GenerationRecipe, inputs: GenerationInputs, out: Path, progress: Progress
) -> Iterator[GeneratedPicture]:
    """``contracts.Engine.generate`` for a family."""
    with memory.out_of_memory_in_words(model_cache.device(), DRAW_SMALLER), contextlib.suppress(Cancelled):
        pictures.check_request(recipe)
        out.mkdir(parents=True, exist_ok=True)
        progress.phase("loading")
        family.check_scheduler(recipe.scheduler)
        start = start_picture(inputs, recipe.width, recipe.height)
        kept = start  # in the size that comes out
        if inputs.enlargement != 1:
            kept = start_picture(inputs, recipe.width * inputs.enlargement, recipe.height * inputs.enlargement)
        loaded = family.load(inputs.base, recipe.quantization or "none", inputs.offload)
        model_cache.check_size(loaded, recipe.width, recipe.height)
        names = [hot_swap.name_of(loaded, one, inputs.adapters, family.load_adapter) for one in inputs.adapters]

        def decode(latents: torch.Tensor) -> Image.Image:
            image = enlarged(family.decode(loaded, latents), inputs.enlargement, loaded.device)
            return image if kept is None else kept.put_back(image)

        with cpu_offload.planned(loaded, inputs), family.placed(loaded):
            yield from pictures.draw(
                loaded,
                recipe,
                inputs,
                names,
                out,
                progress,
                shape=family.latent_shape(loaded, recipe.width, recipe.height),
                steps=steps_taken(recipe, start is not None),
                batch_size=inputs.batch_size or family.batch_size(loaded, recipe.width, recipe.height),
                denoise=family.denoiser(loaded, recipe, start),
                decode=decode,
            )
