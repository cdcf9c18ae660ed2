"""Adapters in the file format of llama.cpp and Ollama (GGUF).

The layout follows llama.cpp's own converter (``convert_lora_to_gguf.py``): ``general.type`` is ``adapter``, and each
layer has ``….lora_a`` (rank, in) and ``….lora_b`` (out, rank). llama.cpp turns pairs of query and key rows in models of
Llama's layout, so the rows of their B are put in that order. What this module does not know: whether a program's
version reads a model's architecture.
"""

import math
import re
from pathlib import Path
from typing import Any

import gguf
import numpy as np
from peft.utils.other import get_pattern_key
from transformers import AutoConfig

from worker.engines.contracts import Base, EngineError
from worker.engines.text import base as bases

ARCHITECTURES = {"llama": "llama", "mistral": "llama", "qwen2": "qwen2", "qwen3": "qwen3", "smollm3": "smollm3"}
"""``model_type`` of transformers → architecture of llama.cpp. Only those whose layers are put in order here."""
PERMUTED = {"llama", "smollm3"}


def gguf_adapter(base: Base, weights: Path, out: Path, cache: Path | None = None) -> Path | None:
    """Write the adapter for llama.cpp as ``out``, float32; None where the base's layout is not one of those known.

    The format has one alpha for all layers, so that a layer of another strength has it in its B.

    Raises ``EngineError`` (``adapter_unreadable``, ``model_unavailable``).
    """
    tensors, facts = bases.read_adapter(weights)
    configuration = configuration_of(base, cache)
    architecture = ARCHITECTURES.get(configuration.model_type)
    if architecture is None:
        return None
    names = gguf.get_tensor_name_map(known_architecture(architecture), configuration.num_hidden_layers)
    part = out.with_name(out.name + ".part")
    writer = gguf.GGUFWriter(part, architecture)
    writer.add_type(gguf.GGUFType.ADAPTER)
    writer.add_string(gguf.Keys.Adapter.TYPE, "lora")
    alpha = float(facts["lora_alpha"])
    writer.add_float32(gguf.Keys.Adapter.LORA_ALPHA, alpha)
    for name, tensor in sorted(tensors.items()):
        layer, half = split_name(name)
        theirs = names.get_name(layer)
        if theirs is None:
            raise EngineError("adapter_unreadable", f"The adapter acts on a layer that is not known: {layer}.")
        values = tensor.float().numpy()
        if half == "B":
            rank = values.shape[1]
            values = values * np.float32(strength(layer, rank, facts) * rank / alpha)
            values = in_their_order(values, layer, architecture, configuration)
        writer.add_tensor(f"{theirs}.weight.lora_{half.lower()}", np.ascontiguousarray(values))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    part.replace(out)
    return out


def strength(layer: str, rank: int, facts: dict[str, Any]) -> float:
    """The factor of B @ A in this layer, as PEFT takes it from its configuration."""
    alphas = facts.get("alpha_pattern") or {}
    alpha = float(alphas.get(get_pattern_key(alphas.keys(), layer), facts["lora_alpha"]))
    return alpha / math.sqrt(rank) if facts.get("use_rslora") else alpha / rank


def in_their_order(values: np.ndarray, layer: str, architecture: str, configuration: Any) -> np.ndarray:
    """Rows of a query or key layer, (out, …), as llama.cpp has them; all others as they are.

    transformers keeps the two halves of a head's rotation one after the other, llama.cpp in pairs.
    """
    if architecture not in PERMUTED or not layer.endswith(("q_proj", "k_proj")):
        return values
    heads = configuration.num_attention_heads
    if layer.endswith("k_proj"):
        heads = getattr(configuration, "num_key_value_heads", None) or heads
    rows = values.shape[0]
    return values.reshape(heads, 2, rows // heads // 2, *values.shape[1:]).swapaxes(1, 2).reshape(values.shape)


def configuration_of(base: Base, cache: Path | None) -> Any:
    where, options = bases.place(base, cache)
    try:
        return AutoConfig.from_pretrained(where, trust_remote_code=False, **options)
    except (OSError, ValueError) as error:
        raise EngineError("model_unavailable", f"The language model {base.key} could not be read.") from error


def known_architecture(architecture: str) -> gguf.MODEL_ARCH:
    return next(arch for arch, name in gguf.MODEL_ARCH_NAMES.items() if name == architecture)


def split_name(name: str) -> tuple[str, str]:
    """Layer and half (A or B) of a tensor under PEFT's names."""
    found = re.fullmatch(r"(?:base_model\.model\.)?(.+)\.lora_([AB])\.weight", name)
    if found is None:
        raise EngineError("adapter_unreadable", f"The adapter holds something that is not known: {name}.")
    return found[1], found[2]
