"""Adapters added to the base's weights for a long run of pictures, and the base given back bit for bit.

Each pass through the denoiser then costs what the base alone costs. It does not know how long a run will really be: a
person may stop it.
"""

from typing import Any

import torch
from peft.tuners.lora import LoraLayer
from peft.tuners.tuners_utils import BaseTunerLayer

from worker.engines.image.base.model_cache import Loaded

FUSED_FROM_PASSES = 8
"""In the processor's own time adding and taking back was paid for after 0.3 passes (rank 16 in attention and
feed-forward, four pictures of 256 × 256: a pass takes 1.35 times as long beside the weights) to 2.6 passes (rank 8 in
attention alone, one picture: 1.05 times). Built-in model, ``tests/benchmarks/fusing.py``; the rest is room for other
machines."""

KEPT_BYTES = 2**30
"""Most of the base's own weights that are copied while adapters are fused; beyond it nothing is fused."""


def pays(*, passes: int, bytes_kept: int, dtype: torch.dtype, quantization: str) -> bool:
    """Whether a run of so many passes through the denoiser is worth fusing.

    Only in float32, which is how processors draw: in 16 bits the sum of weight and adapter is rounded and the pictures
    would be others, and a quantised base has no weights to add to.
    """
    return (
        passes >= FUSED_FROM_PASSES
        and 0 < bytes_kept <= KEPT_BYTES
        and dtype == torch.float32
        and quantization == "none"
    )


def fuse(loaded: Loaded, passes: int) -> bool:
    """Add the adapters that act, with their present strengths, to the denoiser's weights if that pays; says whether.

    What they change in a text encoder stays beside it: a prompt is read once.
    """
    layers = [layer for layer in loaded.denoiser.modules() if isinstance(layer, BaseTunerLayer) and _acts(layer)]
    weights = [layer.get_base_layer().weight for layer in layers]
    size = sum(weight.numel() * weight.element_size() for weight in weights)
    if any(map(_is_no_sum, layers)) or not pays(
        passes=passes, bytes_kept=size, dtype=loaded.dtype, quantization=loaded.quantization
    ):
        return False
    for layer, weight in zip(layers, weights, strict=True):
        loaded.fused.append((layer, weight.data.clone()))
        layer.merge(adapter_names=[name for name in layer.active_adapters if name in _names(layer)])
    return True


def restore(loaded: Loaded) -> None:
    """Give the denoiser its own weights again, exactly; does nothing where nothing was added."""
    while loaded.fused:
        layer, own = loaded.fused.pop()
        layer.get_base_layer().weight.data.copy_(own)
        # Not PEFT's ``unmerge``: it subtracts, which leaves what rounding changed.
        layer.merged_adapters.clear()


def _acts(layer: Any) -> bool:
    return not layer.disable_adapters and any(name in _names(layer) for name in layer.active_adapters)


def _names(layer: Any) -> set[str]:
    return set(layer.lora_A) if isinstance(layer, LoraLayer) else set(layer.r)


def _is_no_sum(layer: Any) -> bool:
    """DoRA scales the weight by its length: fused one after the other, two of them would not do what they do apart."""
    return isinstance(layer, LoraLayer) and any(name in layer.lora_variant for name in layer.active_adapters)
