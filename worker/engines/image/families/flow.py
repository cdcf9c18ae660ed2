"""Flow matching with pictures as tokens: patches, noise levels, and the way from noise to a picture.

A flow model is asked for the velocity of the straight path x_t = (1 - t)·x₀ + t·ε from a picture (t = 0) to noise
(t = 1), Lipman et al. 2023. Latents stand here in patches of 2 × 2: (batch, 4 · channels, height / 2, width / 2), the
order of channels, rows and columns that both FLUX generations use.
"""

import math
from collections.abc import Callable, Mapping
from typing import Any

import torch

from app.trainings.look.recipe import TrainingRecipe


def patches(latents: torch.Tensor) -> torch.Tensor:
    """(batch, channels, height, width) → (batch, 4 · channels, height / 2, width / 2)."""
    return torch.nn.functional.pixel_unshuffle(latents, 2)


def from_patches(latents: torch.Tensor) -> torch.Tensor:
    """The way back from ``patches``."""
    return torch.nn.functional.pixel_shuffle(latents, 2)


def tokens(latents: torch.Tensor) -> torch.Tensor:
    """(batch, width, rows, columns) → (batch, rows · columns, width), row by row."""
    return latents.flatten(2).transpose(1, 2)


def from_tokens(sequence: torch.Tensor, like: torch.Tensor) -> torch.Tensor:
    """The way back from ``tokens``, with the rows and columns of ``like``."""
    return sequence.transpose(1, 2).unflatten(2, tuple(like.shape[2:]))


def shift_of(scheduler: Any, token_count: int) -> float:
    """How far the base moves noise levels towards noise, for pictures of so many tokens.

    Esser et al. 2024, section 5.3.2: larger pictures need more noise to be as hidden. Where the base's scheduler says
    ``use_dynamic_shifting`` it is e^μ with μ straight between the two sizes it names, as FLUX.1's authors do; else it
    is the fixed ``shift``.
    """
    settings: Mapping[str, Any] = scheduler.config
    if not settings.get("use_dynamic_shifting"):
        return float(settings.get("shift", 1.0))
    return math.exp(straight_mu(settings, token_count))


def straight_mu(settings: Mapping[str, Any], token_count: int) -> float:
    """μ of a picture of so many tokens, on the line that a scheduler's settings describe."""
    fewest, most = settings.get("base_image_seq_len", 256), settings.get("max_image_seq_len", 4096)
    low, high = settings.get("base_shift", 0.5), settings.get("max_shift", 1.15)
    return low + (high - low) * (token_count - fewest) / (most - fewest)


def noise_levels(recipe: TrainingRecipe, count: int, own_shift: float, generator: torch.Generator) -> torch.Tensor:
    """``count`` noise levels t in 0..1, float32, as the recipe says; ``own_shift`` where it names none."""
    if recipe.timestep_sampling == "uniform":
        levels = torch.rand(count, generator=generator)
    else:
        levels = torch.sigmoid(torch.randn(count, generator=generator))
    shift = own_shift if recipe.timestep_shift is None else recipe.timestep_shift
    return shift * levels / (1 + (shift - 1) * levels)


def add_noise(clean: torch.Tensor, noise: torch.Tensor, levels: torch.Tensor) -> torch.Tensor:
    """(1 - t)·x₀ + t·ε with ``levels`` = t of shape (batch,)."""
    t = levels.to(clean.device, clean.dtype).view(-1, *([1] * (clean.ndim - 1)))
    return (1 - t) * clean + t * noise


@torch.no_grad()
def denoise(
    scheduler: Any,
    noise: torch.Tensor,
    velocity: Callable[[torch.Tensor, torch.Tensor], torch.Tensor],
    on_step: Callable[[], None],
    *,
    taken: int | None = None,
    picture: torch.Tensor | None = None,
    inpaint_mask: torch.Tensor | None = None,
) -> torch.Tensor:
    """From ``noise`` to clean latents of that shape, (batch, …), in float32.

    ``scheduler`` has its steps set (``schedulers.flow``); ``velocity`` takes the latents and the noise level of each,
    (batch,). With ``picture`` (1, …) only the last ``taken`` steps are gone through, from that picture with the noise
    of there; and where ``inpaint_mask`` (1, 1, rows, columns) is 0 it keeps to the picture. ``on_step`` may raise to
    stop.
    """
    first = 0 if picture is None or taken is None else len(scheduler.timesteps) - taken
    scheduler.set_begin_index(first)
    levels = scheduler.sigmas.to(noise.device)
    latents = noise if picture is None else _noised(picture, noise, levels[first])
    for index in range(first, len(scheduler.timesteps)):
        towards = velocity(latents, levels[index].expand(len(latents)))
        latents = scheduler.step(towards.float(), scheduler.timesteps[index], latents, return_dict=False)[0]
        if picture is not None and inpaint_mask is not None:
            kept = _noised(picture, noise, levels[index + 1])
            latents = inpaint_mask * latents + (1 - inpaint_mask) * kept
        on_step()
    return latents


def _noised(picture: torch.Tensor, noise: torch.Tensor, level: torch.Tensor) -> torch.Tensor:
    return (1 - level) * picture + level * noise
