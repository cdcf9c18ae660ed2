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
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Literal

import gguf
import numpy as np
import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file

from worker.engines.contracts import Base, EngineError
from worker.engines.text import base as bases
from worker.engines.text import packing
from worker.engines.text.files import (
    ARCHITECTURES,
    configuration_of,
    in_their_order,
    known_architecture,
    split_name,
    strength,
)

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
    """Write base and adapter as one GGUF file with vocabulary and chat template: from a base that is one itself with
    all that it says, else with what ``packing`` knows.

    Matrices are in ``precision`` (a row that does not divide into blocks of 32 in float16), all other numbers in
    float32. ``name`` is what programs show. Raises ``EngineError``: ``not_packed`` for a base that has no such form,
    ``adapter_unreadable``, ``adapter_mismatch``, ``model_unavailable``; and what ``told`` raises.
    """
    deltas = _Deltas(weights)
    configuration = configuration_of(base, cache)
    part = out.with_name(out.name + ".part")
    packed = _packed_file(base)
    if packed is not None:
        reader = bases.PlainReader(packed)
        architecture = str(reader.fields["general.architecture"].contents())
        writer = gguf.GGUFWriter(part, architecture)
        _copy_fields(reader, writer, without={"general.name"} if name else set())
        matrices = _packed_matrices(reader, deltas, architecture, configuration)
    else:
        known = ARCHITECTURES.get(configuration.model_type)
        if known is None:
            raise packing.refused("its layout is not known")
        architecture = known
        folder = bases.local_folder(*bases.place(base, cache))
        writer = gguf.GGUFWriter(part, architecture)
        writer.add_type(gguf.GGUFType.MODEL)
        packing.add_measures(writer, configuration)
        packing.add_vocabulary(writer, folder, configuration.vocab_size)
        matrices = _plain_matrices(folder, deltas, architecture, configuration)
    quantization, file_type = KINDS[precision]
    if name:
        writer.add_name(name)
    writer.add_file_type(file_type)
    writer.add_quantization_version(gguf.GGML_QUANT_VERSION)
    try:
        _write(writer, matrices, quantization, told)
        deltas.check_all_used()
    finally:
        writer.close()
    part.replace(out)
    return out


@dataclass(frozen=True)
class _Matrix:
    """A tensor of the new file; its numbers are read when it is its turn."""

    name: str
    shape: tuple[int, ...]
    read: Callable[[], np.ndarray]
    """float32, merged, in llama.cpp's order."""


def _write(
    writer: gguf.GGUFWriter, matrices: list[_Matrix], quantization: gguf.GGMLQuantizationType, told: Told
) -> None:
    kinds = [_kind_of(matrix.shape, quantization) for matrix in matrices]
    for matrix, kind in zip(matrices, kinds, strict=True):
        block, size = gguf.GGML_QUANT_SIZES[kind]
        as_bytes = gguf.quants.quant_shape_to_byte_shape(matrix.shape, kind)
        byte_count = math.prod(matrix.shape) // block * size
        writer.add_tensor_info(matrix.name, as_bytes, np.dtype(np.uint8), byte_count, raw_dtype=kind)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_ti_data_to_file()
    for done, (matrix, kind) in enumerate(zip(matrices, kinds, strict=True), 1):
        writer.write_tensor_data(gguf.quantize(matrix.read(), kind))
        told(done, len(matrices))


def _copy_fields(reader: gguf.GGUFReader, writer: gguf.GGUFWriter, without: set[str]) -> None:
    """All that the base's file says of itself, but for what follows from how it was written."""
    own = without | {
        "general.architecture",
        "general.alignment",
        "general.file_type",
        "general.quantization_version",
    }
    for field in reader.fields.values():
        if field.name.startswith("GGUF.") or field.name in own:
            continue
        kind = field.types[0]
        inner = field.types[-1] if kind == gguf.GGUFValueType.ARRAY else None
        writer.add_key_value(field.name, field.contents(), kind, sub_type=inner)


def _packed_matrices(
    reader: gguf.GGUFReader, deltas: "_Deltas", architecture: str, configuration: Any
) -> list[_Matrix]:
    names = gguf.get_tensor_name_map(known_architecture(architecture), configuration.num_hidden_layers)
    layers = {f"{names.get_name(layer)}.weight": layer for layer in deltas.layers}

    def read(tensor: Any) -> np.ndarray:
        values: np.ndarray = gguf.dequantize(tensor.data, tensor.tensor_type).astype(np.float32)
        layer = layers.get(tensor.name)
        if layer is None:
            return values
        delta = deltas.take(layer).numpy()
        if delta.shape != values.shape:
            raise EngineError("adapter_mismatch", FOREIGN_LAYERS)
        return values + in_their_order(delta, layer, architecture, configuration)

    return [
        _Matrix(tensor.name, tuple(int(side) for side in reversed(tensor.shape)), partial(read, tensor))
        for tensor in reader.tensors
    ]


def _plain_matrices(folder: Path, deltas: "_Deltas", architecture: str, configuration: Any) -> list[_Matrix]:
    names = gguf.get_tensor_name_map(known_architecture(architecture), configuration.num_hidden_layers)

    def read(shard: Path, name: str) -> np.ndarray:
        with safe_open(shard, framework="pt") as file:
            tensor = deltas.added_to(name, file.get_tensor(name).float())
        return np.ascontiguousarray(
            in_their_order(tensor.numpy(), name.rpartition(".")[0], architecture, configuration)
        )

    found = []
    try:
        for shard in sorted(folder.glob("*.safetensors")):
            with safe_open(shard, framework="pt") as file:
                for name in file.keys():  # noqa: SIM118
                    if name == "lm_head.weight" and configuration.tie_word_embeddings:
                        continue
                    layer, _, ending = name.rpartition(".")
                    theirs = names.get_name(layer)
                    if theirs is None:
                        raise packing.refused(f"it holds {name}")
                    shape = tuple(file.get_slice(name).get_shape())
                    found.append(_Matrix(f"{theirs}.{ending}", shape, partial(read, shard, name)))
    except SafetensorError as error:
        raise EngineError("model_unavailable", "The language model's files could not be read.") from error
    if not found:
        raise EngineError("model_unavailable", "The language model has no safetensors files.")
    return found


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


def _kind_of(shape: tuple[int, ...], quantization: gguf.GGMLQuantizationType) -> gguf.GGMLQuantizationType:
    if len(shape) < 2:
        return gguf.GGMLQuantizationType.F32
    block = gguf.GGML_QUANT_SIZES[quantization][0]
    return quantization if shape[-1] % block == 0 else gguf.GGMLQuantizationType.F16


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
