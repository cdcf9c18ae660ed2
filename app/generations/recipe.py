"""The typed order of one generation. Pure data: imports pydantic alone, because the worker's engines read it too."""

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

Seed = Annotated[int, Field(ge=0, lt=2**32)]
ContentHash = Annotated[str, Field(pattern="^[0-9a-f]{64}$")]
TILE_SIDE = 512
"""Pixels of a tile's side where an autoencoder works in tiles: plans count with it and engines cut by it."""


class AdapterUse(BaseModel, defer_build=True):
    """One adapter and how strongly it acts: its ΔW is multiplied by ``strength``."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    adapter_id: Annotated[str, Field(min_length=1, max_length=40)]
    strength: Annotated[float, Field(ge=-2, le=2)] = 1.0


class GenerationRecipe(BaseModel, defer_build=True):
    """Everything that decides the pixels. The same recipe on the same machine gives the same pictures."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    base_model: Annotated[str, Field(min_length=1, max_length=80)]
    prompt: Annotated[str, Field(min_length=1, max_length=2000)]
    """The full prompt, trigger words already in it."""
    negative_prompt: Annotated[str, Field(max_length=2000)] = ""
    adapters: Annotated[tuple[AdapterUse, ...], Field(max_length=4)] = ()
    width: Annotated[int, Field(ge=64, le=2048)]
    height: Annotated[int, Field(ge=64, le=2048)]
    count: Annotated[int, Field(ge=1, le=16)] = 4
    """Number of pictures. Picture i is drawn from seed + i, whatever the batch size."""
    seed: Seed
    steps: Annotated[int, Field(ge=1, le=100)] = 20
    guidance_scale: Annotated[float, Field(ge=1, le=30)] = 5.0
    clip_skip: Annotated[int, Field(ge=1, le=2)] = 1
    """Which of CLIP's layers Stable Diffusion 1.x reads, from the last: as its adapters were trained."""
    scheduler: Annotated[str, Field(max_length=40)] = "default"
    """A name of the engine's scheduler table; "default" keeps the base model's own."""
    variation_strength: Annotated[float, Field(ge=0, le=1)] = 0.0
    """Above 0 all pictures start from the noise of ``seed``, turned (slerp) by this share towards the noise of
    ``seed + i + 1``: pictures like the one that ``seed`` gives."""
    image: ContentHash | None = None
    """SHA-256 of the picture to start from; None starts from noise alone."""
    mask: ContentHash | None = None
    """SHA-256 of the mask, drawn anew where it is white; where it is black ``image`` stays to the pixel."""
    strength: Annotated[float, Field(gt=0, le=1)] = 0.6
    """With ``image``: the share of the denoising steps that it goes through, 1 leaves nothing of it but the size."""
    quantization: Literal["none", "nf4", "int8"] | None = None
    """How the base is held in memory: as it is, in 4 bits (NF4) or in 8, which changes the pictures a little. None: as
    the worker plans it for its device; with the order it is kept what that was."""
    strengths: Annotated[tuple[Annotated[float, Field(ge=-2, le=2)], ...], Field(max_length=8)] = ()
    """When given, picture i is drawn from ``seed`` itself with every adapter's strength multiplied by ``strengths[i]``
    (0 is the base alone), and ``count`` must be their number: the strip of strengths, the with-and-without pair."""
