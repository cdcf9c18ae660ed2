"""The one base model that stays loaded between jobs, whatever its family, and the device it is on.

It does not know how much memory another process on the same card takes a moment later.
"""

from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import torch

from worker.engines.contracts import Base, EngineError


@dataclass
class Loaded:
    base: Base
    pipeline: Any
    device: torch.device
    dtype: torch.dtype
    """Of the denoiser and the text encoders."""
    multiple: int
    """Pixels that both sides of a picture must be a multiple of."""
    quantization: str = "none"
    adapters: OrderedDict[str, str] = field(default_factory=OrderedDict)
    """Key of an ``AdapterFile`` → its name in the model, the longest unused first."""
    embeddings: OrderedDict[str, tuple[torch.Tensor, ...]] = field(default_factory=OrderedDict)
    """Prompt → what its text encoders made of it, on the CPU, the longest unused first."""

    @property
    def denoiser(self) -> Any:
        """The U-Net or the transformer."""
        transformer = getattr(self.pipeline, "transformer", None)
        return self.pipeline.unet if transformer is None else transformer


_kept: Loaded | None = None


def kept(base: Base, load: Callable[[Base], Loaded], quantization: str = "none") -> Loaded:
    """The base model, from the last job if it is the same; else what ``load`` gives, in place of the other."""
    global _kept
    wanted = (base.key, base.revision, quantization)
    if _kept is None or (_kept.base.key, _kept.base.revision, _kept.quantization) != wanted:
        drop()
        _kept = load(base)
    return _kept


def drop() -> None:
    """Forget the base model kept between jobs, and give its memory back."""
    global _kept
    _kept = None
    if torch.cuda.is_available():
        torch.cuda.empty_cache()


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


def check_size(loaded: Loaded, width: int, height: int) -> None:
    """Raises ``EngineError`` (``bad_size``) for pixels that this base model cannot draw."""
    if width % loaded.multiple or height % loaded.multiple or min(width, height) < loaded.multiple:
        raise EngineError(
            "bad_size",
            f"This base model draws sizes in steps of {loaded.multiple} pixels; {width} × {height} is not possible.",
        )
