"""The noise that pictures start from: a picture's own whatever the batch it is drawn in."""

from collections.abc import Sequence

import torch

from app.generations.recipe import GenerationRecipe


def start(recipe: GenerationRecipe, shape: Sequence[int], index: int) -> tuple[torch.Tensor, torch.Generator, int]:
    """First noise of picture ``index``, of this shape (1, …), float32; the generator of its later noise; its seed."""
    if recipe.strengths:
        seed = recipe.seed
    elif recipe.variation_strength:
        seed = recipe.seed + index + 1
    else:
        seed = recipe.seed + index
    generator = torch.Generator("cpu").manual_seed(seed)
    noise = torch.randn(tuple(shape), generator=generator)
    if recipe.variation_strength and not recipe.strengths:
        origin = torch.randn(tuple(shape), generator=torch.Generator("cpu").manual_seed(recipe.seed))
        noise = slerp(origin, noise, recipe.variation_strength)
        # Samplers that add noise on the way draw it from the common seed, so that at a small share only the start
        # differs and the pictures stay alike.
        generator = torch.Generator("cpu").manual_seed(recipe.seed)
        torch.randn(tuple(shape), generator=generator)
    return noise, generator, seed


def slerp(start: torch.Tensor, end: torch.Tensor, share: float) -> torch.Tensor:
    """Turn ``start`` towards ``end`` by ``share`` of the angle between them (Shoemake 1985); of the same shape.

    Unlike a plain mix it keeps the length that noise of this many dimensions has, without which pictures turn grey.
    """
    a, b = start.double().flatten(), end.double().flatten()
    cosine = torch.dot(a, b) / (a.norm() * b.norm())
    angle = torch.arccos(cosine.clamp(-1, 1))
    if angle.sin() < 1e-6:
        return torch.lerp(start, end, share)
    turned = (torch.sin((1 - share) * angle) * a + torch.sin(share * angle) * b) / torch.sin(angle)
    return turned.view_as(start).to(start.dtype)
