"""Safetensors files, read without trust and written the same way each time. No model library.

The format (https://github.com/huggingface/safetensors): eight bytes with the header's length, little-endian; a JSON
header with dtype, shape and offsets of every tensor and a flat map of strings under ``__metadata__``; then the tensors'
bytes.

Tensors keep their bytes as they are in the file, so that renaming one never changes it, whatever its dtype; numpy has
no bfloat16 and would have to convert.
"""

import hashlib
import json
import math
import struct
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO, NoReturn

from app.errors import N_, Invalid
from app.lora_files.text import keepable

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

MAX_HEADER_BYTES = 8_000_000
"""A preview picture in the metadata may take a few of them."""
MAX_TENSORS = 20_000
LONGEST_NAME = 500
"""Characters of a tensor's name; the longest that a program writes have about 150."""
LARGEST_EMPTY_SIDE = 2**16
MAX_FILE_BYTES = 4 * 2**30

# In the order of the library's own writer, which lays tensors out by dtype from the last to the first, then by name:
# hashes over the tensors' bytes only agree between programs if the layout does.
ITEM_BYTES = {
    "BOOL": 1,
    "U8": 1,
    "I8": 1,
    "F8_E5M2": 1,
    "F8_E4M3": 1,
    "I16": 2,
    "U16": 2,
    "F16": 2,
    "BF16": 2,
    "I32": 4,
    "U32": 4,
    "F32": 4,
    "F64": 8,
    "I64": 8,
    "U64": 8,
}
_LAYOUT = {name: position for position, name in enumerate(ITEM_BYTES)}
_NUMPY = {"F16": "<f2", "F32": "<f4", "F64": "<f8", "I64": "<i8", "I32": "<i4", "U8": "u1", "I8": "i1", "BOOL": "?"}


class UnsafeFile(Invalid):
    """The file is not a safetensors file, is damaged, or claims more than a LoRA can hold."""

    sentence = N_("This is not a readable adapter file (%(reason)s). Please choose a LoRA in the safetensors format.")


@dataclass(frozen=True)
class Tensor:
    dtype: str
    """As in the header: ``F16``, ``BF16``, ``F32``, …"""
    shape: tuple[int, ...]
    data: bytes

    def as_float32(self) -> "NDArray[np.float32]":
        """The values as float32, exact for F16, BF16 and F32. Raises ``UnsafeFile`` for a dtype LoRAs do not use."""
        import numpy as np  # here, as in all of the web process: few requests compute with arrays

        if self.dtype == "BF16":
            # A bfloat16 is the upper half of a float32.
            halves = np.frombuffer(self.data, dtype="<u2").astype("<u4") << 16
            return halves.view("<f4").reshape(self.shape).astype(np.float32)
        if self.dtype not in _NUMPY:
            raise UnsafeFile(reason=f"it holds numbers of the kind {self.dtype}")
        values = np.frombuffer(self.data, dtype=_NUMPY[self.dtype]).reshape(self.shape)
        return values.astype(np.float32)


@dataclass(frozen=True)
class Place:
    dtype: str
    shape: tuple[int, ...]
    start: int
    """First byte, counted from the end of the header."""
    end: int


@dataclass(frozen=True)
class Header:
    tensors: dict[str, Place]
    metadata: dict[str, str]
    data_start: int
    """First byte of the tensors in the file."""


def float32_tensor(values: "NDArray[Any] | float") -> Tensor:
    """A float32 tensor of these values; of shape () for a number."""
    import numpy as np

    array = np.asarray(values, dtype="<f4")
    return Tensor("F32", array.shape, array.tobytes())


Check = Callable[[bytes, int], tuple[dict[str, Place], dict[str, str]]]
"""What reads a header's text: ``checked``, or something that lets another process do it."""


def read_header(path: Path) -> Header:
    """Read and check the header; reads no more than ``MAX_HEADER_BYTES``.

    Raises ``UnsafeFile`` if the lengths do not add up, a tensor lies outside the file or over another one, or there is
    more than a LoRA can hold.
    """
    with path.open("rb") as file:
        return header_of(file, path.stat().st_size)


def header_of(file: BinaryIO, size: int, *, most_bytes: int = MAX_FILE_BYTES, check: Check | None = None) -> Header:
    """The header of a file of ``size`` bytes, at most ``most_bytes``, from its beginning, which is all that ``file``
    need hold. A header of eight megabytes of brackets becomes gigabytes: give another ``check`` than ``checked`` for
    files from outside.

    Raises ``UnsafeFile`` like ``read_header``.
    """
    if size > most_bytes:
        raise UnsafeFile(reason=f"it is larger than {most_bytes // 2**30} GB")
    start = file.read(8)
    if len(start) < 8:
        raise UnsafeFile(reason="it is too short")
    (length,) = struct.unpack("<Q", start)
    if length > MAX_HEADER_BYTES:
        raise UnsafeFile(reason=f"its header claims to be larger than {MAX_HEADER_BYTES // 10**6} MB")
    if 8 + length > size:
        raise UnsafeFile(reason="it ends within its header")
    text = file.read(length)
    if len(text) != length:
        raise UnsafeFile(reason="it ends within its header")
    return Header(*(check or checked)(text, size - 8 - length), data_start=8 + length)


def read(path: Path, *, check: Check | None = None) -> tuple[dict[str, Tensor], dict[str, str]]:
    """All tensors and the metadata; ``check`` as in ``header_of``. Raises ``UnsafeFile`` like ``read_header``."""
    tensors = {}
    with path.open("rb") as file:
        header = header_of(file, path.stat().st_size, check=check)
        for name, place in header.tensors.items():
            file.seek(header.data_start + place.start)
            data = file.read(place.end - place.start)
            if len(data) != place.end - place.start:
                raise UnsafeFile(reason="it ends within its tensors")
            tensors[name] = Tensor(place.dtype, place.shape, data)
    return tensors, header.metadata


def to_bytes(tensors: Mapping[str, Tensor], metadata: Mapping[str, str]) -> bytes:
    """The file's bytes: the same for the same content, whatever the order it is given in."""
    return b"".join(_pieces(tensors, metadata))


def _pieces(tensors: Mapping[str, Tensor], metadata: Mapping[str, str]) -> Iterator[bytes]:
    header: dict[str, Any] = {"__metadata__": dict(sorted(metadata.items()))} if metadata else {}
    position = 0
    for name, tensor in _laid_out(tensors):
        end = position + len(tensor.data)
        header[name] = {"dtype": tensor.dtype, "shape": list(tensor.shape), "data_offsets": [position, end]}
        position = end
    text = json.dumps(header, separators=(",", ":"), ensure_ascii=False).encode()
    text += b" " * (-len(text) % 8)
    yield struct.pack("<Q", len(text)) + text
    yield from (tensor.data for _, tensor in _laid_out(tensors))


def write(path: Path, tensors: Mapping[str, Tensor], metadata: Mapping[str, str]) -> tuple[int, str]:
    """Write the file of ``to_bytes`` without putting it together in memory; says its length and its SHA-256."""
    digest, count = hashlib.sha256(), 0
    with path.open("wb") as file:
        for piece in _pieces(tensors, metadata):
            digest.update(piece)
            count += file.write(piece)
    return count, digest.hexdigest()


def part_of(tensors: Mapping[str, Tensor], metadata: Mapping[str, str], start: int, end: int) -> bytes:
    """The bytes from ``start`` to ``end`` of the file that ``to_bytes`` makes."""
    found, at = b"", 0
    for piece in _pieces(tensors, metadata):
        found += piece[max(0, start - at) : max(0, end - at)]
        at += len(piece)
        if at >= end:
            break
    return found


def hash_of_tensors(tensors: Mapping[str, Tensor]) -> str:
    """SHA-256 over the tensors' bytes as they lie in the file, the header left out; 64 hex digits."""
    digest = hashlib.sha256()
    for _, tensor in _laid_out(tensors):
        digest.update(tensor.data)
    return digest.hexdigest()


def _laid_out(tensors: Mapping[str, Tensor]) -> list[tuple[str, Tensor]]:
    return sorted(tensors.items(), key=lambda item: (-_LAYOUT[item[1].dtype], item[0].encode()))


def checked(text: bytes, data_bytes: int) -> tuple[dict[str, Place], dict[str, str]]:
    """The tensors' places and the metadata that a header tells, if they fit a file with ``data_bytes`` of tensors.

    Raises ``UnsafeFile``.
    """
    try:
        content = json.loads(text, object_pairs_hook=_no_twins, parse_constant=_no_constant)
    except (ValueError, RecursionError) as error:
        raise UnsafeFile(reason="its header cannot be read") from error
    if not isinstance(content, dict):
        raise UnsafeFile(reason="its header cannot be read")
    metadata = content.pop("__metadata__", None) or {}
    if not isinstance(metadata, dict) or not all(isinstance(value, str) for value in metadata.values()):
        raise UnsafeFile(reason="its metadata is not plain text")
    if not content:
        raise UnsafeFile(reason="it holds no tensors")
    if len(content) > MAX_TENSORS:
        raise UnsafeFile(reason=f"it holds more than {MAX_TENSORS} tensors")
    if any(len(name) > LONGEST_NAME or keepable(name) != name for name in content):
        raise UnsafeFile(reason="its header cannot be read")
    places = {name: _place(entry) for name, entry in content.items()}
    position = 0
    for place in sorted(places.values(), key=lambda place: (place.start, place.end)):
        # Like the library: no gaps either, for a gap is a place to hide something in.
        if place.start != position:
            raise UnsafeFile(reason="its tensors overlap or leave gaps")
        position = place.end
    if position != data_bytes:
        raise UnsafeFile(reason="its length and its header disagree")
    return places, {keepable(key): keepable(value) for key, value in metadata.items()}


def _place(entry: Any) -> Place:
    try:
        dtype, shape, (start, end) = entry["dtype"], entry["shape"], entry["data_offsets"]
        numbers = [*shape, start, end]
    except (TypeError, KeyError, ValueError) as error:
        raise UnsafeFile(reason="its header cannot be read") from error
    if not isinstance(dtype, str) or dtype not in ITEM_BYTES:
        raise UnsafeFile(reason="it holds numbers of an unknown kind")
    if not isinstance(shape, list) or not all(type(number) is int and 0 <= number < 2**40 for number in numbers):
        raise UnsafeFile(reason="its header cannot be read")
    if len(shape) > 8 or start > end or end - start != math.prod(shape) * ITEM_BYTES[dtype]:
        raise UnsafeFile(reason="a tensor's shape and its length disagree")
    if start == end and max(shape) > LARGEST_EMPTY_SIDE:
        # No bytes need be there for it, so that its other side could claim any rank.
        raise UnsafeFile(reason="a tensor's shape and its length disagree")
    return Place(dtype, tuple(shape), start, end)


def _no_twins(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("a name comes twice")
    return found


def _no_constant(word: str) -> NoReturn:
    raise ValueError(f"{word} is no JSON")
