"""Denoising with a U-Net from a start picture, decoding, and how much fits: shared by SD 1.x and SDXL.

From noise alone the families call their diffusers pipeline. Its image-to-image and inpainting classes take neither our
noise nor several seeds in one batch, so that is done here.
"""

import inspect
from collections.abc import Callable
from typing import Any

import torch
from PIL import Image

from worker.engines.image.base import autoencoder
from worker.engines.image.base.model_cache import Loaded
from worker.engines.image.base.prompts import PromptEmbeds
from worker.engines.image.drawing import start_picture
from worker.engines.image.drawing.start_picture import StartPicture


@torch.no_grad()
def from_picture(
    loaded: Loaded,
    scheduler: Any,
    given: StartPicture,
    clean: torch.Tensor,
    noise: torch.Tensor,
    generators: list[torch.Generator],
    *,
    steps: int,
    taken: int,
    guidance_scale: float,
    embeds: PromptEmbeds,
    time_ids: torch.Tensor | None,
    on_step: Callable[[], None],
) -> torch.Tensor:
    """Clean latents (batch, channels, height, width) from ``clean`` (1, …) and ``noise`` of that shape; ``time_ids``
    are SDXL's sizes of one picture, (1, 6)."""
    unet, batch = loaded.pipeline.unet, len(noise)
    device, dtype = loaded.device, unet.dtype
    guided = guidance_scale > 1

    def pair(negative: torch.Tensor, positive: torch.Tensor) -> torch.Tensor:
        both = [negative, positive] if guided else [positive]
        return torch.cat([one.expand(batch, *one.shape[1:]) for one in both]).to(device, dtype)

    embeddings = pair(embeds.negative, embeds.prompt)
    added = None
    if time_ids is not None:
        added = {"text_embeds": pair(embeds.negative_pooled, embeds.pooled), "time_ids": pair(time_ids, time_ids)}
    own = {"generator": generators} if "generator" in inspect.signature(scheduler.step).parameters else {}

    def step(latents: torch.Tensor, timestep: torch.Tensor) -> torch.Tensor:
        entering = scheduler.scale_model_input(torch.cat([latents, latents]) if guided else latents, timestep)
        prediction = unet(
            entering, timestep, encoder_hidden_states=embeddings, added_cond_kwargs=added, return_dict=False
        )[0]
        if guided:
            negative, positive = prediction.chunk(2)
            prediction = negative + guidance_scale * (positive - negative)
        following: torch.Tensor = scheduler.step(prediction, timestep, latents, **own, return_dict=False)[0]
        return following.to(dtype)

    clean = clean.to(device, dtype).expand(batch, -1, -1, -1)
    noise = noise.to(device, dtype)
    start, timesteps = start_picture.noised(scheduler, steps, taken, clean, noise)
    mask = given.inpaint_mask(clean.shape[2], clean.shape[3])
    return start_picture.denoised(
        scheduler, clean, noise, None if mask is None else mask.to(device, dtype), start, timesteps, step, on_step
    )


def encoded(loaded: Loaded, pixels: torch.Tensor) -> torch.Tensor:
    """Latents (1, channels, height, width) of pixels (1, 3, height, width), scaled for the U-Net."""
    mean, factor = _normal(loaded.pipeline.vae.config, loaded.device)
    latents = autoencoder.encode(loaded, pixels)
    return latents * factor if mean is None else (latents - mean) * factor


def decoded(loaded: Loaded, latents: torch.Tensor) -> Image.Image:
    """One picture from latents (1, channels, height, width); in overlapping tiles when the memory is short."""
    mean, factor = _normal(loaded.pipeline.vae.config, loaded.device)
    own = latents.float() / factor
    pixels = autoencoder.decode(loaded, own if mean is None else own + mean)
    picture: Image.Image = loaded.pipeline.image_processor.postprocess(pixels.float(), output_type="pil")[0]
    return picture


def _normal(config: Any, device: torch.device) -> tuple[torch.Tensor | None, Any]:
    """Mean to take from the autoencoder's latents, None for none, and what the rest is multiplied with.

    Some relatives of SDXL name mean and spread of each channel beside the one factor, as diffusers' pipeline reads
    them.
    """
    factor: float = config.scaling_factor
    mean, spread = config.get("latents_mean"), config.get("latents_std")
    if mean is None or spread is None:
        return None, factor
    of_channels = [torch.tensor(values, device=device).view(1, -1, 1, 1) for values in (mean, spread)]
    return of_channels[0], factor / of_channels[1]


def latent_shape(loaded: Loaded, width: int, height: int) -> tuple[int, int, int, int]:
    """Shape of the latents of one picture of these pixels."""
    factor = loaded.pipeline.vae_scale_factor
    return 1, loaded.pipeline.unet.config.in_channels, height // factor, width // factor
