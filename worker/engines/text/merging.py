"""Base and adapter as one model: a folder that transformers loads, or one GGUF file for llama.cpp and Ollama.

W' = W + s · B @ A, tensor by tensor from the base's own files to the new ones, so that no model is built and memory is
needed for one of the base's files at most. What this module does not know: whether a program's version reads the
base's architecture.
"""

import json
import math
import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Literal

import gguf
import numpy as np
import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file

from worker.engines.contracts import Base, EngineError
from worker.engines.text import base as bases
from worker.engines.text.files import configuration_of, in_their_order, known_architecture, split_name, strength

Precision = Literal["f16", "q8_0"]
Told = Callable[[int, int], None]
"""Called with the numbers of tensors that are written and that there are; may raise to stop."""
SMALL = (".json", ".txt", ".model", ".jinja")
FOREIGN_LAYERS = "The adapter acts on layers that the base model does not have."
KINDS = {
    "f16": (gguf.GGMLQuantizationType.F16, gguf.LlamaFileType.MOSTLY_F16),
    "q8_0": (gguf.GGMLQuantizationType.Q8_0, gguf.LlamaFileType.MOSTLY_Q8_0),
}


def merged_folder(
    base: Base, weights: Path, out: Path, cache: Path | None = None, told: Told = lambda done, total: None
) -> Path:
    """Write base and adapter as one model that transformers loads, with its tokenizer, into the folder ``out``.

    In the base's own precision; float32 becomes float16. Raises ``EngineError`` (``adapter_unreadable``,
    ``adapter_mismatch``, ``model_unavailable``), and what ``told`` raises.
    """
    deltas = _Deltas(weights)
    out.mkdir(parents=True, exist_ok=True)
    with _safetensors_of(base, cache, out) as source:
        shards = sorted(source.glob("*.safetensors"))
        try:
            counts = [_count(shard) for shard in shards]
            done, sizes = 0, 0
            for shard in shards:
                merged = {}
                with safe_open(shard, framework="pt") as file:
                    for name in file.keys():  # noqa: SIM118
                        merged[name] = _in_half(deltas.added_to(name, file.get_tensor(name)))
                        done += 1
                        told(done, sum(counts))
                sizes += sum(tensor.nbytes for tensor in merged.values())
                save_file(merged, out / shard.name, metadata={"format": "pt"})
        except (SafetensorError, OSError) as error:
            if isinstance(error, OSError) and error.errno is not None:
                raise  # the disk is full, or the like
            raise EngineError("model_unavailable", f"The language model {base.key} could not be read.") from error
        deltas.check_all_used()
        for path in sorted(source.iterdir()):
            if path.is_file() and path.suffix in SMALL and path.name != "copy.json":
                shutil.copyfile(path, out / path.name)
    _say_what_is_written(out, sizes, merged)
    return out


def merged_gguf(
    base: Base,
    weights: Path,
    out: Path,
    precision: Precision = "f16",
    name: str = "",
    cache: Path | None = None,
    told: Told = lambda done, total: None,
) -> Path:
    """Write base and adapter as one GGUF file, from a base that is one itself, with its vocabulary and chat template.

    Matrices are in ``precision`` (a row that does not divide into blocks of 32 in float16), all other numbers in
    float32. ``name`` is what programs show. Raises ``EngineError``: ``not_packed`` for a base that is no GGUF,
    ``adapter_unreadable``, ``adapter_mismatch``, ``model_unavailable``; and what ``told`` raises.
    """
    packed = _packed_file(base)
    if packed is None:
        raise EngineError(
            "not_packed",
            "This base model is not in llama.cpp's format, so no merged file can be made from it. Take the adapter for "
            "llama.cpp, or the merged safetensors.",
        )
    deltas = _Deltas(weights)
    configuration = configuration_of(base, cache)
    reader = gguf.GGUFReader(packed)
    architecture = str(reader.fields["general.architecture"].contents())
    names = gguf.get_tensor_name_map(known_architecture(architecture), configuration.num_hidden_layers)
    layers = {f"{names.get_name(layer)}.weight": layer for layer in deltas.layers}
    quantization, file_type = KINDS[precision]
    part = out.with_name(out.name + ".part")
    writer = gguf.GGUFWriter(part, architecture)
    for field in reader.fields.values():
        if field.name.startswith("GGUF.") or field.name in ("general.architecture", "general.alignment"):
            continue
        kind = field.types[0]
        inner = field.types[-1] if kind == gguf.GGUFValueType.ARRAY else None
        value = {"general.file_type": int(file_type), "general.name": name or None}.get(field.name) or field.contents()
        writer.add_key_value(field.name, value, kind, sub_type=inner)
    if gguf.Keys.General.QUANTIZATION_VERSION not in reader.fields:
        writer.add_quantization_version(gguf.GGML_QUANT_VERSION)
    kinds = {tensor.name: _kind_of(tensor, quantization) for tensor in reader.tensors}
    for tensor in reader.tensors:
        kind = kinds[tensor.name]
        shape = tuple(int(side) for side in reversed(tensor.shape))
        block, size = gguf.GGML_QUANT_SIZES[kind]
        as_bytes = gguf.quants.quant_shape_to_byte_shape(shape, kind)
        writer.add_tensor_info(
            tensor.name, as_bytes, np.dtype(np.uint8), math.prod(shape) // block * size, raw_dtype=kind
        )
    try:
        writer.write_header_to_file()
        writer.write_kv_data_to_file()
        writer.write_ti_data_to_file()
        for done, tensor in enumerate(reader.tensors, 1):
            values = gguf.dequantize(tensor.data, tensor.tensor_type).astype(np.float32)
            layer = layers.get(tensor.name)
            if layer is not None:
                values = values + in_their_order(deltas.take(layer).numpy(), layer, architecture, configuration)
            writer.write_tensor_data(gguf.quantize(values, kinds[tensor.name]))
            told(done, len(kinds))
        deltas.check_all_used()
    finally:
        writer.close()
    part.replace(out)
    return out


class _Deltas:
    """What an adapter adds to each layer."""

    def __init__(self, weights: Path) -> None:
        tensors, self._facts = bases.read_adapter(weights)
        self._halves = {split_name(name): tensor for name, tensor in tensors.items()}
        self.layers = sorted({layer for layer, _ in self._halves})
        """Names of the layers as transformers has them, without ``.weight``."""

    def take(self, layer: str) -> torch.Tensor:
        """s · B @ A, float32 (out, in); each can be taken once."""
        try:
            down, up = self._halves.pop((layer, "A")).float(), self._halves.pop((layer, "B")).float()
        except KeyError as error:
            raise EngineError("adapter_unreadable", f"The adapter holds half a layer: {layer}.") from error
        return strength(layer, down.shape[0], self._facts) * (up @ down)

    def added_to(self, name: str, tensor: torch.Tensor) -> torch.Tensor:
        layer = name.removesuffix(".weight")
        if (layer, "A") not in self._halves:
            return tensor
        delta = self.take(layer)
        if delta.shape != tensor.shape:
            raise EngineError("adapter_mismatch", FOREIGN_LAYERS)
        return (tensor.float() + delta).to(tensor.dtype)

    def check_all_used(self) -> None:
        if self._halves:
            raise EngineError("adapter_mismatch", FOREIGN_LAYERS)


def _kind_of(tensor: Any, quantization: gguf.GGMLQuantizationType) -> gguf.GGMLQuantizationType:
    if len(tensor.shape) < 2:
        return gguf.GGMLQuantizationType.F32
    block = gguf.GGML_QUANT_SIZES[quantization][0]
    return quantization if int(tensor.shape[0]) % block == 0 else gguf.GGMLQuantizationType.F16


def _in_half(tensor: torch.Tensor) -> torch.Tensor:
    return (tensor.half() if tensor.dtype == torch.float32 else tensor).contiguous()


def _count(shard: Path) -> int:
    with safe_open(shard, framework="pt") as file:
        return len(file.keys())


def _say_what_is_written(out: Path, size: int, last: dict[str, torch.Tensor]) -> None:
    """The configuration names the precision, and an index of several files their size."""
    dtype = str(next(iter(last.values())).dtype).removeprefix("torch.")
    path = out / "config.json"
    told = json.loads(path.read_text())
    told.pop("torch_dtype", None)
    path.write_text(json.dumps(told | {"dtype": dtype}, indent=2) + "\n")
    for path in out.glob("*.safetensors.index.json"):
        told = json.loads(path.read_text())
        told["metadata"] = {**(told.get("metadata") or {}), "total_size": size}
        path.write_text(json.dumps(told, indent=2) + "\n")


@contextmanager
def _safetensors_of(base: Base, cache: Path | None, beside: Path) -> Iterator[Path]:
    """A folder with the base's safetensors, configuration and tokenizer; a packed base is unpacked for the time."""
    where, options = bases.place(base, cache)
    folder = bases.local_folder(where, options)
    if "gguf_file" not in options:
        if not any(folder.glob("*.safetensors")):
            raise EngineError("model_unavailable", f"The language model {base.key} has no safetensors files.")
        yield folder
        return
    with tempfile.TemporaryDirectory(dir=beside.parent, prefix=".unpacked-") as aside:
        unpacked = Path(aside) / "model"
        bases.unpack(where, options, unpacked)
        yield unpacked


def _packed_file(base: Base) -> Path | None:
    if base.source == "builtin":
        return bases.builtin_file()
    folder = Path(base.source)
    found = sorted(folder.glob("*.gguf")) if folder.is_absolute() else []
    return found[0] if found else None
