"""Denoising with a U-Net from a start picture, decoding, and how much fits: shared by SD 1.x and SDXL.

From noise alone the families call their diffusers pipeline; this is for what the pipelines do only in classes of their
own, which know neither our noise nor several seeds in one batch.
"""

import inspect
from collections.abc import Callable
from typing import Any

import torch
from PIL import Image

from worker.engines.image.base import autoencoder
from worker.engines.image.base.model_cache import Loaded
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
    words: torch.Tensor,
    no_words: torch.Tensor,
    conditions: dict[str, torch.Tensor] | None,
    no_conditions: dict[str, torch.Tensor] | None,
    on_step: Callable[[], None],
) -> torch.Tensor:
    """Clean latents (batch, channels, height, width) from ``clean`` (1, …) and ``noise`` of that shape.

    ``words`` and ``no_words`` are (1, length, width), the conditions SDXL's for one picture.
    """
    unet, batch = loaded.pipeline.unet, len(noise)
    device, dtype = loaded.device, unet.dtype
    guided = guidance_scale > 1
    embeddings = torch.cat(
        [no_words.expand(batch, -1, -1), words.expand(batch, -1, -1)] if guided else [words.expand(batch, -1, -1)]
    ).to(device, dtype)
    added = None
    if conditions is not None and no_conditions is not None:
        pairs = {name: [no_conditions[name], conditions[name]] if guided else [conditions[name]] for name in conditions}
        added = {
            name: torch.cat([one.expand(batch, -1) for one in pair]).to(device, dtype) for name, pair in pairs.items()
        }
    own = {"generator": generators} if "generator" in inspect.signature(scheduler.step).parameters else {}

    def step(latents: torch.Tensor, timestep: torch.Tensor) -> torch.Tensor:
        entering = scheduler.scale_model_input(torch.cat([latents, latents]) if guided else latents, timestep)
        prediction = unet(
            entering, timestep, encoder_hidden_states=embeddings, added_cond_kwargs=added, return_dict=False
        )[0]
        if guided:
            without, with_words = prediction.chunk(2)
            prediction = without + guidance_scale * (with_words - without)
        following: torch.Tensor = scheduler.step(prediction, timestep, latents, **own, return_dict=False)[0]
        return following.to(dtype)

    clean = clean.to(device, dtype).expand(batch, -1, -1, -1)
    noise = noise.to(device, dtype)
    start, timesteps = start_picture.noised(scheduler, steps, taken, clean, noise)
    anew = given.anew(clean.shape[2], clean.shape[3])
    return start_picture.denoised(
        scheduler, clean, noise, None if anew is None else anew.to(device, dtype), start, timesteps, step, on_step
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
    """Of one picture of these pixels."""
    factor = loaded.pipeline.vae_scale_factor
    return 1, loaded.pipeline.unet.config.in_channels, height // factor, width // factor


def batch_size(loaded: Loaded, width: int, height: int, bytes_per_pixel: int) -> int:
    """How many pictures to draw at once, 1 to 8, where one takes so much beside the weights. An estimate: it does not
    know what attention needs on other cards."""
    pixels = width * height
    if loaded.device.type == "cuda":
        free, _ = torch.cuda.mem_get_info(loaded.device)
        return max(1, min(8, int(free * 0.8 / (pixels * bytes_per_pixel))))
    # On a CPU a batch saves time only while its tensors stay small.
    return max(1, min(8, 8 * 256 * 256 // pixels))
