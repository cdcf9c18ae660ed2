"""Adapter files of Kronecker and Hadamard products (LyCORIS' LoKr and LoHa), read into PEFT's layers of these kinds;
and of the other kind that diffusers has no names for, see ``column_dora``.

PEFT would choose the shapes of a product's factors itself; those in a file are whatever its trainer chose. So
layers are put in first, and then get the file's own factors.
"""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import bitsandbytes as bnb
import torch
from peft import LoHaConfig, LoHaModel, LoKrConfig, PeftConfig
from peft.tuners import loha
from peft.tuners.lokr import LoKrLayer
from safetensors import safe_open
from safetensors.torch import load_file

from worker.engines.image.base import column_dora, lora

NAME = re.compile(
    r"(?P<part>[a-z]\w*?)\.(?P<layer>.+)\.(?P<what>lokr_(?:w[12](?:_[ab])?|t2)|hada_(?:w[12]_[ab]|t[12])|alpha"
    r"|lora_[AB]\.weight|dora_scale)"
)


class LoHaOnFourBits(loha.Linear):
    """PEFT's Hadamard product on a layer whose weight is packed, see ``lora.LoKrOnFourBits``."""

    def get_delta_weight(self, adapter_name: str, *, apply_rank_dropout: bool = False) -> torch.Tensor:
        """(out, in), without dropout."""
        first = self.hada_w1_a[adapter_name] @ self.hada_w1_b[adapter_name]
        second = self.hada_w2_a[adapter_name] @ self.hada_w2_b[adapter_name]
        return first * second * self.scaling[adapter_name]


# As ``lora`` does for LoKr.
LoHaModel.layers_mapping = {bnb.nn.Linear4bit: LoHaOnFourBits, **LoHaModel.layers_mapping}


def is_one(path: Path) -> bool:
    """Whether the file is such an adapter in our own form: with an alpha beside each product.

    A LoKr that Livery trained has its alpha in the header and PEFT's own shapes; diffusers reads that. Raises
    ``OSError`` or ``SafetensorError`` for what cannot be read.
    """
    with safe_open(path, framework="pt") as file:
        names = list(file.keys())
    return any(name.endswith(".alpha") for name in names) and all(NAME.fullmatch(name) for name in names)


def load(models: Mapping[str, Any], path: Path, name: str) -> bool:
    """Read the file into ``models``, by the names of their parts (``unet``, ``text_encoder``…).

    Says whether it changes a text encoder. Raises ``ValueError`` unless every layer exists there with the same shape.
    """
    parts: dict[str, dict[str, dict[str, torch.Tensor]]] = {}
    for key, tensor in load_file(path).items():
        match = NAME.fullmatch(key)
        if match is None or not torch.isfinite(tensor).all():
            raise ValueError(key)
        parts.setdefault(match["part"], {}).setdefault(match["layer"], {})[match["what"]] = tensor
    for part, layers in parts.items():
        if part not in models:
            raise ValueError(part)
        _put_in(models[part], layers, name)
    return any(part.startswith("text_encoder") for part in parts)


def _put_in(model: Any, layers: dict[str, dict[str, torch.Tensor]], name: str) -> None:
    if not hasattr(model, "text_model"):  # newer libraries leave this level of CLIP out
        layers = {layer.removeprefix("text_model."): tensors for layer, tensors in layers.items()}
    kinds = {what.split("_")[0] for tensors in layers.values() for what in tensors} - {"alpha"}
    if len(kinds - {"dora"}) != 1:
        raise ValueError("mixed kinds")
    there = dict(model.named_modules())
    if not all(layer in there for layer in layers):
        raise ValueError("another model")
    if "lora" in kinds:
        column_dora.put_in(model, layers, name)
        return
    exactly = "|".join(re.escape(layer) for layer in layers)
    kind = LoKrConfig if kinds == {"lokr"} else LoHaConfig
    configuration: PeftConfig = kind(r=1, alpha=1, target_modules=exactly, init_weights=True)  # type: ignore[arg-type]
    lora.add(model, configuration, name)
    put_in = dict(model.named_modules())
    for layer, tensors in layers.items():
        _fill(put_in[layer], tensors, name)


@torch.no_grad()
def _fill(module: Any, tensors: dict[str, torch.Tensor], name: str) -> None:
    """Give one PEFT layer the file's factors in place of its own."""
    base = module.get_base_layer()
    bias = base.bias if base.bias is not None else base.weight
    device = base.weight.device
    dtype = bias.dtype if bias.dtype.is_floating_point else torch.float32
    for what in module.adapter_layer_names:
        held = getattr(module, what)
        if name in held:
            del held[name]
        if what in tensors:
            held[name] = torch.nn.Parameter(tensors[what].to(device, dtype), requires_grad=False)
    ranked = "lokr_w2_b", "lokr_w1_b", "hada_w1_b"
    rank = next((tensors[what].shape[0] for what in ranked if what in tensors), 1)
    module.r[name], module.alpha[name] = rank, float(tensors["alpha"])
    module.scaling[name] = module.alpha[name] / rank
    out = base.out_features if isinstance(base, torch.nn.Linear) else base.out_channels
    if _rows(module, tensors) != out:
        raise ValueError("another shape")
    module.get_delta_weight(name)  # raises where the factors do not make the layer's shape


def _rows(module: Any, tensors: dict[str, torch.Tensor]) -> int:
    if not isinstance(module, LoKrLayer):
        return tensors["hada_w1_a"].shape[1 if "hada_t1" in tensors else 0]
    first = tensors["lokr_w1"] if "lokr_w1" in tensors else tensors["lokr_w1_a"]
    second = tensors["lokr_w2"] if "lokr_w2" in tensors else tensors["lokr_w2_a"]
    return first.shape[0] * second.shape[1 if "lokr_t2" in tensors else 0]
