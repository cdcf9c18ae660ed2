"""Training pictures as the autoencoder sees them, encoded once: every size, cut and mirror image that will be asked
for.

Afterwards the autoencoder is not needed until a picture is drawn. Shared by the image families.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass

import torch

from app.trainings.look.recipe import TrainingRecipe
from worker.engines.contracts import Progress, TrainingInputs, TrainingPicture
from worker.engines.image.base import model_cache
from worker.engines.image.base.model_cache import Loaded
from worker.engines.image.training import dataset


@dataclass(frozen=True)
class Variant:
    latents: torch.Tensor
    """(1, channels, height, width), scaled as the denoiser wants them, on the CPU."""
    conditions: tuple[int, ...]
    """``dataset.size_conditions``."""


@dataclass(frozen=True)
class Cached:
    """One picture at one size."""

    captions: tuple[str, ...]
    """With the trigger word; several orders of it where captions are shuffled."""
    size: tuple[int, int]
    """Width and height in pixels."""
    variants: tuple[tuple[Variant, ...], ...]
    """For each cut the plain one, and with ``flip`` its mirror image."""


def cached(
    loaded: Loaded,
    recipe: TrainingRecipe,
    inputs: TrainingInputs,
    progress: Progress,
    encode: Callable[[torch.Tensor], torch.Tensor],
) -> list[Cached]:
    """Encode every picture at the recipe's resolution and at each of its ``extra_resolutions``.

    ``encode`` turns pixels (1, 3, height, width) in -1..1 into latents. Raises ``EngineError``: ``bad_size``,
    ``bad_picture``.
    """
    found = []
    for side in dict.fromkeys((recipe.resolution, *recipe.extra_resolutions)):
        for picture in inputs.pictures:
            progress.phase("caching")
            model_cache.check_size(loaded, picture.target_width, picture.target_height)
            sized = picture
            if side != recipe.resolution:
                sized = dataset.at_side(picture, recipe.resolution, side, loaded.multiple)
            found.append(
                Cached(
                    captions=_captions(picture, recipe),
                    size=(sized.target_width, sized.target_height),
                    variants=tuple(
                        _variants(cut, recipe.flip, encode) for cut in dataset.cuts_of(sized, recipe.crops, recipe.seed)
                    ),
                )
            )
    return found


def texts_of(pictures: Iterable[Cached]) -> list[str]:
    """Every caption that will be read."""
    return [caption for picture in pictures for caption in picture.captions]


def _captions(picture: TrainingPicture, recipe: TrainingRecipe) -> tuple[str, ...]:
    caption = dataset.caption_with_trigger(picture.caption, recipe.trigger_word)
    return dataset.caption_orders(caption, recipe.keep_tokens, recipe.seed) if recipe.shuffle_caption else (caption,)


def _variants(cut: TrainingPicture, flip: bool, encode: Callable[[torch.Tensor], torch.Tensor]) -> tuple[Variant, ...]:
    pixels = dataset.load_pixels(cut)
    plain = Variant(encode(pixels).cpu(), dataset.size_conditions(cut))
    if not flip:
        return (plain,)
    return plain, Variant(encode(pixels.flip(-1)).cpu(), dataset.size_conditions(cut, mirrored=True))


def chosen(pictures: list[Cached], generator: torch.Generator, flip: bool) -> list[Variant]:
    """One variant of each picture, drawn from ``generator``: a cut, and mirrored half the time where that is asked."""
    cuts = torch.rand(len(pictures), generator=generator)
    mirrored = torch.rand(len(pictures), generator=generator) < 0.5
    return [
        picture.variants[int(cuts[n] * len(picture.variants))][int(flip and bool(mirrored[n]))]
        for n, picture in enumerate(pictures)
    ]
