"""Pictures that start from another one: prepared, noised as far as asked, and put back where the mask keeps it.

Image to image after SDEdit (Meng et al. 2022); with a mask the kept part is put back, noised, after every step, as in
RePaint (Lugmayr et al. 2022) without its jumps, and to the pixel at the end. Any base can do it; it does not know what
is in the kept part, so light and shadow across the edge are as good as the base's own sense of them.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from PIL import Image, ImageChops, ImageFilter

from app.generations.recipe import GenerationRecipe
from worker.engines.contracts import EngineError, GenerationInputs

FEATHER = 1 / 128
"""Width of the soft edge, as a share of the longer side; it lies wholly within what is drawn anew."""


@dataclass(frozen=True)
class StartPicture:
    picture: Image.Image
    """RGB, of the size asked for."""
    mask: Image.Image | None
    """Grey, of the same size: white is drawn anew."""

    @property
    def pixels(self) -> torch.Tensor:
        """(1, 3, height, width), float32, -1..1."""
        values = torch.from_numpy(np.array(self.picture, dtype=np.float32)) / 127.5 - 1
        return values.permute(2, 0, 1).unsqueeze(0).contiguous()

    def inpaint_mask(self, height: int, width: int) -> torch.Tensor | None:
        """1 where latents are drawn anew and 0 where they stay, (1, 1, height, width); None without a mask.

        A latent that reaches into the white part by as much as a pixel is drawn anew.
        """
        if self.mask is None:
            return None
        values = torch.from_numpy(np.array(self.mask, dtype=np.float32) / 255)[None, None]
        return (torch.nn.functional.adaptive_max_pool2d(values, (height, width)) > 0).float()

    def put_back(self, drawn: Image.Image) -> Image.Image:
        """The drawn picture with the kept part of this one: to the pixel where the mask is black."""
        if self.mask is None:
            return drawn
        soft = self.mask.filter(ImageFilter.GaussianBlur(max(self.mask.size) * FEATHER))
        # The darker of both: the blur may soften the edge inwards only.
        return Image.composite(drawn.convert("RGB"), self.picture, ImageChops.darker(self.mask, soft))


def start_picture(inputs: GenerationInputs, width: int, height: int) -> StartPicture | None:
    """The order's start picture in this size: cropped around its middle to that proportion, and scaled.

    Raises ``EngineError`` (``bad_picture``) for files that cannot be read, ``bad_order`` for a mask without a picture.
    """
    if inputs.image is None:
        if inputs.mask is not None:
            raise EngineError("bad_order", "There is a mask but no picture that it belongs to.")
        return None
    size = (width, height)
    picture = _fitted(_read(inputs.image).convert("RGB"), size, Image.Resampling.LANCZOS)
    mask = None
    if inputs.mask is not None:
        mask = _fitted(_read(inputs.mask).convert("L"), size, Image.Resampling.BILINEAR)
    return StartPicture(picture, mask)


def _fitted(image: Image.Image, size: tuple[int, int], resample: Image.Resampling) -> Image.Image:
    width = min(image.width, max(1, round(image.height * size[0] / size[1])))
    height = min(image.height, max(1, round(image.width * size[1] / size[0])))
    left, top = (image.width - width) // 2, (image.height - height) // 2
    # Cropped first: the filter would otherwise reach beyond the crop, into what was cut away.
    return image.crop((left, top, left + width, top + height)).resize(size, resample)


def _read(path: Any) -> Image.Image:
    try:
        with Image.open(path) as opened:
            opened.load()
            return opened.copy()
    except OSError as error:
        raise EngineError("bad_picture", "The picture to start from cannot be read.") from error


def steps_taken(recipe: GenerationRecipe, starts_from_picture: bool) -> int:
    """How many of the denoising steps a picture goes through."""
    if not starts_from_picture:
        return recipe.steps
    return max(1, min(int(recipe.steps * recipe.strength), recipe.steps))


def noised(
    scheduler: Any, steps: int, taken: int, clean: torch.Tensor, noise: torch.Tensor
) -> tuple[torch.Tensor, torch.Tensor]:
    """Prepare the scheduler for its last ``taken`` of ``steps`` steps; returns ``clean`` latents with the noise of
    there, and the timesteps that are left."""
    scheduler.set_timesteps(steps, device=clean.device)
    begin = (steps - taken) * scheduler.order
    if hasattr(scheduler, "set_begin_index"):
        scheduler.set_begin_index(begin)
    timesteps = scheduler.timesteps[begin:]
    return scheduler.add_noise(clean, noise, timesteps[:1].repeat(len(noise))), timesteps


def denoised(
    scheduler: Any,
    clean: torch.Tensor,
    noise: torch.Tensor,
    inpaint_mask: torch.Tensor | None,
    start: torch.Tensor,
    timesteps: torch.Tensor,
    step: Callable[[torch.Tensor, torch.Tensor], torch.Tensor],
    on_step: Callable[[], None],
) -> torch.Tensor:
    """From the two that ``noised`` gave to clean latents, (batch, channels, height, width) throughout.

    ``step`` takes one denoising step from latents and timestep; ``inpaint_mask`` is that of the start picture.
    """
    latents = start
    for index, timestep in enumerate(timesteps):
        latents = step(latents, timestep)
        if inpaint_mask is not None:
            there = clean
            if index + 1 < len(timesteps):
                following = timesteps[index + 1 : index + 2]
                there = scheduler.add_noise(clean, noise, following.repeat(len(noise)))
            latents = inpaint_mask * latents + (1 - inpaint_mask) * there
        on_step()
    return latents
