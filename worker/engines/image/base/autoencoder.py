"""The autoencoder's way from pixels and back: whole, or in overlapping tiles where the memory is short.

Tiles take longer and leave seams that can hardly be seen. How much kernels need beside the tensors it does not know.
"""

import contextlib
from collections.abc import Iterator
from typing import Any

import torch

from app.generations.recipe import TILE_SIDE
from worker.engines.image.base.model_cache import Loaded

BYTES_PER_PIXEL = 4096
"""At its widest in float32: 3072 by the count of ``drawing_cost``, and some room for the kernels."""


@torch.no_grad()
def decode(loaded: Loaded, latents: torch.Tensor) -> torch.Tensor:
    """Pixels (1, 3, height, width) of latents that are scaled as the autoencoder wants them.

    When the memory runs out it goes on in tiles, and says so in ``loaded.tiled``.
    """
    vae = loaded.pipeline.vae
    latents = latents.to(loaded.device, torch.float32)
    pixels: torch.Tensor
    if not _in_tiles(loaded, latents.shape[-1] * latents.shape[-2] * loaded.pipeline.vae_scale_factor**2):
        try:
            pixels = vae.decode(latents, return_dict=False)[0]
            return pixels
        except torch.OutOfMemoryError:
            if not can_tile(vae):
                raise
            loaded.tiled = True
    with tiles(vae):
        pixels = vae.decode(latents, return_dict=False)[0]
    return pixels


@torch.no_grad()
def encode(loaded: Loaded, pixels: torch.Tensor) -> torch.Tensor:
    """Latents of pixels (1, 3, height, width), as the autoencoder gives them.

    The mean, not a draw: its own spread is far below the noise that is added. When the memory runs out it goes on in
    tiles, as ``decode`` does.
    """
    vae = loaded.pipeline.vae
    pixels = pixels.to(loaded.device, torch.float32)
    latents: torch.Tensor
    if not _in_tiles(loaded, pixels.shape[-1] * pixels.shape[-2]):
        try:
            latents = vae.encode(pixels).latent_dist.mode()
            return latents
        except torch.OutOfMemoryError:
            if not can_tile(vae):
                raise
            loaded.tiled = True
    with tiles(vae):
        latents = vae.encode(pixels).latent_dist.mode()
    return latents


def can_tile(vae: Any) -> bool:
    return hasattr(vae, "use_tiling")


@contextlib.contextmanager
def tiles(vae: Any) -> Iterator[None]:
    """Work in tiles of ``TILE_SIDE`` pixels meanwhile. The autoencoder's own are as large as the pictures that many
    bases were trained at, where they save nothing."""
    own = vae.tile_sample_min_size, vae.tile_latent_min_size
    shrunk = min(own[0], TILE_SIDE)
    vae.tile_sample_min_size, vae.tile_latent_min_size = shrunk, own[1] * shrunk // own[0]
    vae.enable_tiling()
    try:
        yield
    finally:
        vae.disable_tiling()
        vae.tile_sample_min_size, vae.tile_latent_min_size = own


def _in_tiles(loaded: Loaded, pixels: int) -> bool:
    """As the order's plan says; without a plan where the card has no room for the whole picture now."""
    if not can_tile(loaded.pipeline.vae):
        return False
    if loaded.tiled is not None or loaded.device.type != "cuda":
        return bool(loaded.tiled)
    free, _ = torch.cuda.mem_get_info(loaded.device)
    return pixels * BYTES_PER_PIXEL > free
