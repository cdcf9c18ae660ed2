"""The one base model that stays loaded between jobs, whatever its family, and the device it is on.

It does not know how much memory another process on the same card takes a moment later.
"""

import contextlib
from collections import OrderedDict
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import diffusers
import torch
import transformers

from worker.engines.contracts import Base, EngineError
from worker.engines.image.base import quantization
from worker.engines.image.base.block_swap import SwappedBlocks


@dataclass
class Loaded:
    base: Base
    pipeline: Any
    device: torch.device
    dtype: torch.dtype
    """Precision of the denoiser and the text encoders."""
    multiple: int
    """Pixels that both sides of a picture must be a multiple of."""
    quantization: str = "none"
    block_swap: SwappedBlocks | None = None
    """Moves the denoiser's blocks while it is trained; then nobody else may move them."""
    adapters: OrderedDict[str, str] = field(default_factory=OrderedDict)
    """Key of an ``AdapterFile`` → its name in the model, the longest unused first."""
    on_text_encoder: set[str] = field(default_factory=set)
    """Names of those adapters that change a text encoder too."""
    acting_on_text_encoder: tuple[tuple[str, float], ...] = ()
    """Those of them that act now, each with its strength."""
    prompt_embeds: OrderedDict[Any, Any] = field(default_factory=OrderedDict)
    """Embeddings of prompts, see ``prompts.cached``."""
    fused: list[tuple[Any, torch.Tensor]] = field(default_factory=list)
    """Layers with adapters added to their weight, and that weight as it was; see ``fusing``."""
    by_blocks: bool = False
    """Whether the denoiser's blocks come to the card one by one, see ``residence``."""
    offload: str | None = None
    """``GenerationInputs.offload`` while a request is drawn, else None."""
    tiled: bool | None = None
    """Whether the autoencoder works in tiles; the same."""

    @property
    def denoiser(self) -> Any:
        """The U-Net or the transformer."""
        transformer = getattr(self.pipeline, "transformer", None)
        return self.pipeline.unet if transformer is None else transformer


_kept: Loaded | None = None


def cached(
    base: Base,
    load: Callable[[Base], Loaded],
    quantization: str = "none",
    *,
    by_blocks: bool = False,
    swaps_blocks: bool = False,
) -> Loaded:
    """The base model, from the last job if it is the same; else what ``load`` gives, in place of the other."""
    global _kept
    wanted = (base.key, base.revision, quantization, by_blocks, swaps_blocks)
    if _kept is None or _identity(_kept) != wanted:
        drop()
        _kept = load(base)
    return _kept


def _identity(one: Loaded) -> tuple[str, str | None, str, bool, bool]:
    return one.base.key, one.base.revision, one.quantization, one.by_blocks, one.block_swap is not None


def drop() -> None:
    """Forget the base model kept between jobs, and give its memory back."""
    global _kept
    _kept = None
    if torch.cuda.is_available():
        torch.cuda.empty_cache()


def put_back(loaded: Loaded, *ways: Callable[[], object]) -> None:
    """Leave a base as it was found. Where the memory is not enough even for that it is forgotten, so that the next job
    loads it anew, and that what happened before is what is told."""
    try:
        for way in ways:
            way()
    except torch.OutOfMemoryError:
        if current() is loaded:
            drop()


def current() -> Loaded | None:
    return _kept


def device() -> torch.device:
    return torch.device("cuda" if torch.cuda.is_available() else "cpu")


def device_name(device: torch.device) -> str:
    return torch.cuda.get_device_name(device) if device.type == "cuda" else "cpu"


def best_dtype(device: torch.device) -> torch.dtype:
    """bfloat16 on cards that compute in it, else float16; float32 on a CPU."""
    if device.type != "cuda":
        return torch.float32
    return torch.bfloat16 if torch.cuda.is_bf16_supported(including_emulation=False) else torch.float16


ENCODERS = ("vae", "text_encoder", "text_encoder_2")


def offload(loaded: Loaded, *names: str) -> None:
    """Take these models off the card until ``to_device``, to make room there."""
    for name in names:
        model = getattr(loaded.pipeline, name, None)
        if loaded.block_swap is not None and model is loaded.denoiser:
            loaded.block_swap.clear()
        elif model is not None and loaded.device.type == "cuda":
            model.to("cpu")
    if loaded.device.type == "cuda":
        torch.cuda.empty_cache()


def to_device(loaded: Loaded, *names: str) -> None:
    """Bring these models back to the device; one whose blocks come by themselves is left alone."""
    for name in names:
        model = getattr(loaded.pipeline, name, None)
        if model is not None and not (loaded.block_swap is not None and model is loaded.denoiser):
            model.to(loaded.device)


def upcast(loaded: Loaded, *names: str) -> None:
    """Let these models compute in float32 where the card knows no bfloat16 and float16 cannot hold what comes of it."""
    if _is_beyond_float16(loaded):
        for name in names:
            model = getattr(loaded.pipeline, name).float()
            quantization.compute_in(model, torch.float32)


def downcast(loaded: Loaded, *names: str) -> None:
    """The way back from ``upcast``."""
    if _is_beyond_float16(loaded):
        for name in names:
            model = getattr(loaded.pipeline, name).to(loaded.dtype)
            quantization.compute_in(model, loaded.dtype)


def _is_beyond_float16(loaded: Loaded) -> bool:
    """As the base itself says: Stable Diffusion 2.1 asks for its attention in float32. The flow models, whose blocks
    are clipped to what float16 can hold and let no gradient through there, are refused by ``flow.fresh``."""
    return loaded.dtype == torch.float16 and bool(loaded.denoiser.config.get("upcast_attention"))


def check_size(loaded: Loaded, width: int, height: int) -> None:
    """Raises ``EngineError`` (``bad_size``) for pixels that this base model cannot draw."""
    if width % loaded.multiple or height % loaded.multiple or min(width, height) < loaded.multiple:
        raise EngineError(
            "bad_size",
            f"This base model draws sizes in steps of {loaded.multiple} pixels; {width} × {height} is not possible.",
        )


def autocast(device: torch.device, dtype: torch.dtype) -> Any:
    """A denoiser's own precision; plain float32 on a CPU.

    Not from the model: diffusers' ``device`` and ``dtype`` walk through all of it each time they are asked.

    Measured forward and backward with the built-in model: on the CPU bfloat16 took 1.2 to 2.7 times as long (batch 1
    and 4, AMD EPYC with avx512_bf16, PyTorch 2.13).
    """
    return contextlib.nullcontext() if dtype == torch.float32 else torch.autocast(device.type, dtype=dtype)


@contextlib.contextmanager
def loading_in_words(base: Base, folder: str | None) -> Iterator[None]:
    """Turn what goes wrong while a pipeline is loaded into ``EngineError`` (``model_unavailable``).

    ``folder``: where it is on this disk; None for one that comes from a hub.
    """
    if folder is not None and not Path(folder, "model_index.json").is_file():
        raise EngineError("model_unavailable", f"The base model {base.key} is not in its folder. Install it first.")
    # A worker's log is no place for bars that redraw themselves.
    diffusers.utils.logging.disable_progress_bar()
    transformers.utils.logging.disable_progress_bar()
    # Nor for the remark that the built-in model's autoencoder is of a class of ours.
    diffusers.utils.logging.set_verbosity_error()
    try:
        yield
    except (OSError, ValueError) as error:
        raise EngineError(
            "model_unavailable",
            f"The base model {base.key} could not be loaded from {base.origin}. Is the name right, its licence "
            "accepted, and the network or the folder reachable?",
        ) from error
