"""DoRA whose lengths are those of the weight's columns, as OneTrainer writes it, in PEFT's layers.

With strength 1 the weight is W' = (W + ΔW)·m / ‖W + ΔW‖, where each input has its length m and the norm is that of its
column; of a convolution, of all that reads one channel. So W'x = (W + ΔW)(d∘x) with d = m / ‖W + ΔW‖, one factor for
each input, which is worked out once. Other strengths go straight from W to W', as in ComfyUI.

PEFT's own DoRA measures rows. This one stands in its layers as a variant, which PEFT has made for such cases.
"""

import re
from typing import Any

import torch
from peft import LoraConfig
from peft.tuners.lora.layer import LoraVariant
from peft.utils.integrations import dequantize_module_weight

from worker.engines.image.base import lora

DOWN, UP, LENGTHS = "lora_A.weight", "lora_B.weight", "dora_scale"


class ColumnDora(LoraVariant):
    """The variant for one layer and one adapter."""

    def __init__(self, factors: torch.Tensor, scaling: float) -> None:
        """``factors``: d, of the shape (in,) for a matrix or (in, 1, 1) for a convolution; ``scaling``: alpha / rank,
        that the layer has at strength 1."""
        self.factors, self.scaling = factors, scaling

    def forward(  # type: ignore[override]
        self, module: Any, active_adapter: str, x: torch.Tensor, result: torch.Tensor, **_: Any
    ) -> torch.Tensor:
        strength = module.scaling[active_adapter] / self.scaling if self.scaling else 0.0
        base = module.get_base_layer()
        down, up = module.lora_A[active_adapter], module.lora_B[active_adapter]
        factors = self.factors.to(x.device)
        turned = (x.float() * (factors - 1)).to(result.dtype)
        kept = base(turned)
        if base.bias is not None:
            bias = base.bias.to(kept.dtype)
            kept = kept - (bias if factors.dim() == 1 else bias.view(-1, 1, 1))
        learned = up(down((x.float() * factors).to(down.weight.dtype)))
        return result + strength * (kept + self.scaling * learned.to(kept.dtype))

    def merge_safe(  # type: ignore[override]
        self, module: Any, active_adapter: str, orig_weight: torch.Tensor
    ) -> torch.Tensor:
        strength = module.scaling[active_adapter] / self.scaling if self.scaling else 0.0
        weight = orig_weight.float()
        changed = weight + _change(module, active_adapter).to(weight.device) * self.scaling
        factors = self.factors.to(weight.device).unsqueeze(0)
        return (weight + strength * (changed * factors - weight)).to(orig_weight.dtype)


def put_in(model: Any, layers: dict[str, dict[str, torch.Tensor]], name: str) -> None:
    """Put an adapter's layers into ``model``, by the names that they have there; some may be without lengths.

    Raises ``ValueError`` where a layer of the file has another shape than the model's.
    """
    exactly = "|".join(re.escape(layer) for layer in layers)
    configuration = LoraConfig(
        r=1,
        lora_alpha=1,
        target_modules=exactly,
        rank_pattern={f"^{re.escape(layer)}": tensors[DOWN].shape[0] for layer, tensors in layers.items()},
    )
    lora.add(model, configuration, name)
    there = dict(model.named_modules())
    for layer, tensors in layers.items():
        _fill(there[layer], tensors, name)


@torch.no_grad()
def _fill(module: Any, tensors: dict[str, torch.Tensor], name: str) -> None:
    for held, given in ((module.lora_A[name], tensors[DOWN]), (module.lora_B[name], tensors[UP])):
        if held.weight.shape != given.shape:
            raise ValueError("another shape")
        held.weight.data.copy_(given)
        held.weight.requires_grad_(False)
    rank, alpha = tensors[DOWN].shape[0], float(tensors["alpha"])
    module.lora_alpha[name], module.scaling[name] = alpha, alpha / rank
    if LENGTHS not in tensors:
        return
    weight = dequantize_module_weight(module.get_base_layer()).float()
    changed = weight + _change(module, name).to(weight.device).view(weight.shape) * (alpha / rank)
    norms = changed.transpose(0, 1).flatten(1).norm(dim=1)
    lengths = tensors[LENGTHS].float().reshape(-1).to(norms.device)
    if lengths.shape != norms.shape:
        raise ValueError("another shape")
    factors = lengths / norms.clamp_min(torch.finfo(torch.float32).eps)
    shape = (-1,) if weight.dim() == 2 else (-1, *(1 for _ in weight.shape[2:]))
    module.lora_variant[name] = ColumnDora(factors.reshape(shape), alpha / rank)


def _change(module: Any, name: str) -> torch.Tensor:
    """B @ A of the weight's shape, in float32, without alpha / rank."""
    down, up = module.lora_A[name].weight.float(), module.lora_B[name].weight.float()
    return (up.flatten(1) @ down.flatten(1)).reshape(up.shape[0], *down.shape[1:])
