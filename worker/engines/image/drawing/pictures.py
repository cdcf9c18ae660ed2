"""The pictures of a request in batches, each handed over when its file is complete. Shared by the image families."""

import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Protocol

import torch
from PIL import Image

from app.generations.recipe import GenerationRecipe
from worker.engines.contracts import EngineError, GeneratedPicture, GenerationInputs, Progress
from worker.engines.image.base import fusing, hot_swap
from worker.engines.image.base.model_cache import Loaded
from worker.engines.image.drawing import noise
from worker.engines.image.training import dataset


class Denoise(Protocol):
    """From noise (batch, …) to clean latents of that shape; calls ``on_step``, which may raise, after every step."""

    def __call__(
        self, noise: torch.Tensor, generators: list[torch.Generator], on_step: Callable[[], None]
    ) -> torch.Tensor: ...


def check_request(recipe: GenerationRecipe) -> None:
    """Raises ``EngineError`` (``bad_order``)."""
    if recipe.strengths and len(recipe.strengths) != recipe.count:
        raise EngineError("bad_order", f"{recipe.count} pictures were asked for at {len(recipe.strengths)} strengths.")


def batch_size(loaded: Loaded, width: int, height: int, bytes_per_pixel: int) -> int:
    """How many pictures to draw at once, 1 to 8, where one takes so much beside the weights. An estimate: it does not
    know what attention needs on other cards."""
    pixels = width * height
    if loaded.device.type == "cuda":
        free, _ = torch.cuda.mem_get_info(loaded.device)
        return max(1, min(8, int(free * 0.8 / (pixels * bytes_per_pixel))))
    # On a CPU a batch saves time only while its tensors stay small.
    return max(1, min(8, 8 * 256 * 256 // pixels))


def draw(
    loaded: Loaded,
    recipe: GenerationRecipe,
    inputs: GenerationInputs,
    names: list[str],
    out: Path,
    progress: Progress,
    *,
    shape: Sequence[int],
    steps: int,
    batch_size: int,
    denoise: Denoise,
    decode: Callable[[torch.Tensor], Image.Image],
) -> Iterator[GeneratedPicture]:
    """Draw ``recipe.count`` pictures as ``picture-<i>.png`` under ``out``.

    ``names`` are those of ``inputs.adapters`` in the model; ``shape`` is that of one picture's noise (1, …), ``steps``
    how many denoising steps one takes, ``batch_size`` how many are drawn at once. Runs out of memory only when one
    picture alone is too much. For a long run at one strength the adapters are fused, see ``fusing``; the base is as it
    was when the iterator ends, whatever ends it.
    """
    progress.phase("drawing")
    done, total = 0, recipe.count * steps
    if recipe.strengths:
        batch_size = 1
    first = 0
    try:
        if not recipe.strengths:
            _act(loaded, names, inputs, 1.0)
            fusing.fuse(loaded, passes=-(-recipe.count // batch_size) * steps)
        while first < recipe.count:
            began = time.perf_counter()
            indexes = range(first, min(first + batch_size, recipe.count))
            multiplier = recipe.strengths[first] if recipe.strengths else 1.0
            if recipe.strengths:
                _act(loaded, names, inputs, multiplier)
            starts = [noise.start(recipe, shape, index) for index in indexes]

            def stepped(count: int = len(indexes)) -> None:
                nonlocal done
                done += count
                progress.drawn(min(done, total), total)

            try:
                latents = denoise(
                    torch.cat([start for start, _, _ in starts]), [generator for _, generator, _ in starts], stepped
                )
            except torch.OutOfMemoryError:
                if len(indexes) == 1:
                    raise
                batch_size, done = len(indexes) // 2, first * steps
                progress.drawing_smaller(batch_size=batch_size, tiled=bool(loaded.tiled))
                continue
            first += len(indexes)
            denoised = (time.perf_counter() - began) / len(indexes)
            for n, index in enumerate(indexes):
                began = time.perf_counter()
                path = out / f"picture-{index:02d}.png"
                was_tiled = loaded.tiled
                picture = decode(latents[n : n + 1])
                dataset.save_picture(picture, path)
                if loaded.tiled and not was_tiled:
                    progress.drawing_smaller(batch_size=batch_size, tiled=True)
                yield GeneratedPicture(
                    index=index,
                    path=path,
                    seed=starts[n][2],
                    width=picture.width,
                    height=picture.height,
                    strength=multiplier,
                    seconds=denoised + time.perf_counter() - began,
                )
    finally:
        fusing.restore(loaded)


def _act(loaded: Loaded, names: list[str], inputs: GenerationInputs, multiplier: float) -> None:
    hot_swap.set_strengths(loaded, names, [adapter.strength * multiplier for adapter in inputs.adapters])
