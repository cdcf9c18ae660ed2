"""Adapters in the file format of llama.cpp and Ollama (GGUF).

The layout follows llama.cpp's own converter (``convert_lora_to_gguf.py``): ``general.type`` is ``adapter``, and each
layer has ``….lora_a`` (rank, in) and ``….lora_b`` (out, rank). llama.cpp turns pairs of query and key rows in models of
Llama's layout, so the rows of their B are put in that order. What this module does not know: whether a program's
version reads a model's architecture.
"""

import re
from pathlib import Path
from typing import Any

import gguf
import numpy as np
import torch
from safetensors.torch import save_file
from transformers import AutoConfig

from worker.engines.contracts import Base, EngineError
from worker.engines.text import base as bases

ARCHITECTURES = {"llama": "llama", "mistral": "llama", "qwen2": "qwen2", "qwen3": "qwen3"}
"""``model_type`` of transformers → architecture of llama.cpp. Only those whose layers are put in order here."""
PERMUTED = {"llama"}


def gguf_adapter(base: Base, weights: Path, out: Path, cache: Path | None = None) -> Path | None:
    """Write the adapter for llama.cpp as ``out``, float32; None where the base's layout is not one of those known.

    Raises ``EngineError`` (``adapter_unreadable``, ``model_unavailable``).
    """
    tensors, facts = bases.read_adapter(weights)
    configuration = _configuration(base, cache)
    architecture = ARCHITECTURES.get(configuration.model_type)
    if architecture is None or facts.get("use_rslora") or facts.get("rank_pattern") or facts.get("alpha_pattern"):
        return None
    names = gguf.get_tensor_name_map(_known(architecture), configuration.num_hidden_layers)
    part = out.with_name(out.name + ".part")
    writer = gguf.GGUFWriter(part, architecture)
    writer.add_type(gguf.GGUFType.ADAPTER)
    writer.add_string(gguf.Keys.Adapter.TYPE, "lora")
    writer.add_float32(gguf.Keys.Adapter.LORA_ALPHA, float(facts["lora_alpha"]))
    for name, tensor in sorted(tensors.items()):
        layer, half = _split(name)
        theirs = names.get_name(layer)
        if theirs is None:
            raise EngineError("adapter_unreadable", f"The adapter acts on a layer that is not known: {layer}.")
        values = tensor.float().numpy()
        if half == "B":
            values = in_their_order(values, layer, architecture, configuration)
        writer.add_tensor(f"{theirs}.weight.lora_{half.lower()}", np.ascontiguousarray(values))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    part.replace(out)
    return out


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


def merged_gguf(base: Base, weights: Path, out: Path) -> Path:
    """Write base and adapter as one GGUF file, from a base that is one itself: changed layers in float16, all other
    numbers and the vocabulary as they are in the base's file.

    Raises ``EngineError``: ``not_packed`` for a base that is no GGUF, ``adapter_unreadable``, ``model_unavailable``.
    """
    packed = _packed_file(base)
    if packed is None:
        raise EngineError(
            "not_packed",
            "This base model is not in llama.cpp's format, so no merged file can be made from it. Take the adapter for "
            "llama.cpp, or the merged safetensors.",
        )
    tensors, facts = bases.read_adapter(weights)
    configuration = _configuration(base, None)
    reader = gguf.GGUFReader(packed)
    architecture = str(reader.fields["general.architecture"].contents())
    names = gguf.get_tensor_name_map(_known(architecture), configuration.num_hidden_layers)
    scale = float(facts["lora_alpha"]) / float(facts["r"])
    changes: dict[str, np.ndarray] = {}
    for name in sorted(tensors):
        layer, half = _split(name)
        if half == "A":
            a, b = tensors[name].float(), tensors[name.replace("lora_A", "lora_B")].float()
            delta = (scale * (b @ a)).numpy()
            changes[f"{names.get_name(layer)}.weight"] = in_their_order(delta, layer, architecture, configuration)
    part = out.with_name(out.name + ".part")
    writer = gguf.GGUFWriter(part, architecture)
    for field in reader.fields.values():
        if field.name.startswith("GGUF.") or field.name in ("general.architecture", "general.file_type"):
            continue
        kind = field.types[0]
        inner = field.types[-1] if kind == gguf.GGUFValueType.ARRAY else None
        writer.add_key_value(field.name, field.contents(), kind, sub_type=inner)
    for tensor in reader.tensors:
        change = changes.pop(tensor.name, None)
        if change is None:
            writer.add_tensor(tensor.name, tensor.data, raw_dtype=tensor.tensor_type)
        else:
            whole = gguf.dequantize(tensor.data, tensor.tensor_type) + change
            writer.add_tensor(tensor.name, whole.astype(np.float16))
    if changes:
        raise EngineError("adapter_unreadable", "The adapter acts on layers that the base model does not have.")
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    part.replace(out)
    return out


@torch.no_grad()
def merged_folder(base: Base, weights: Path, out: Path, cache: Path | None = None) -> Path:
    """Write base and adapter as one model that transformers loads, with its tokenizer; float16 (bfloat16 on a card).

    Raises ``EngineError``: as ``base.load`` and ``base.use_adapter`` do.
    """
    loaded = bases.load(base, cache=cache)
    bases.forget_adapters(loaded)
    tensors, facts = bases.read_adapter(weights)
    scale = float(facts["lora_alpha"]) / float(facts["r"])
    plain = {name.removeprefix(bases.PREFIX): tensor for name, tensor in tensors.items()}
    half = torch.bfloat16 if loaded.device.type == "cuda" else torch.float16
    tied = loaded.model.get_input_embeddings().weight.data_ptr()
    merged = {}
    for name, tensor in loaded.model.state_dict().items():
        if name == "lm_head.weight" and tensor.data_ptr() == tied:
            continue
        layer = name.removesuffix(".weight")
        down = plain.pop(f"{layer}.lora_A.weight", None)
        if down is not None:
            up = plain.pop(f"{layer}.lora_B.weight")
            tensor = tensor.float() + (scale * (up.float() @ down.float())).to(tensor.device)
        merged[name] = tensor.to(half).cpu().contiguous()
    if plain:
        raise EngineError("adapter_mismatch", "The adapter acts on layers that the base model does not have.")
    out.mkdir(parents=True, exist_ok=True)
    save_file(merged, out / "model.safetensors", metadata={"format": "pt"})
    configuration = AutoConfig.for_model(**bases.without_packing(loaded.model.config))
    configuration.dtype = half
    configuration.save_pretrained(out)
    loaded.model.generation_config.save_pretrained(out)
    loaded.tokenizer.save_pretrained(out)
    return out


def _configuration(base: Base, cache: Path | None) -> Any:
    where, options = bases.place(base, cache)
    try:
        return AutoConfig.from_pretrained(where, **options)
    except (OSError, ValueError) as error:
        raise EngineError("model_unavailable", f"The language model {base.key} could not be read.") from error


def _packed_file(base: Base) -> Path | None:
    if base.source == "builtin":
        return bases.builtin_file()
    folder = Path(base.source)
    found = sorted(folder.glob("*.gguf")) if folder.is_absolute() else []
    return found[0] if found else None


def _known(architecture: str) -> gguf.MODEL_ARCH:
    return next(arch for arch, name in gguf.MODEL_ARCH_NAMES.items() if name == architecture)


def _split(name: str) -> tuple[str, str]:
    """Layer and half (A or B) of a tensor under PEFT's names."""
    found = re.fullmatch(r"(?:base_model\.model\.)?(.+)\.lora_([AB])\.weight", name)
    if found is None:
        raise EngineError("adapter_unreadable", f"The adapter holds something that is not known: {name}.")
    return found[1], found[2]
