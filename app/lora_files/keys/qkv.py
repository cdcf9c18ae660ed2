"""Layers that one program keeps apart and another on top of each other. Exact; pure numpy.

Cutting shares the down matrix and takes the rows of the up matrix. Putting together stacks the down matrices and lays
the up matrices on a diagonal of blocks, so the rank grows to the sum; where all down matrices are the same, one of them
is kept and nothing grows. What was put together by blocks is recognised and comes apart into what it was.

Bytes are moved, not converted, except where parts have different scales: then the up matrices take on their share,
in their own dtype if that is a power of two and else in float32.
"""

import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from app.lora_files.safetensors_file import ITEM_BYTES, Tensor, float32_tensor

if TYPE_CHECKING:  # numpy is imported by what computes, since pages and few files need none
    import numpy as np
    from numpy.typing import NDArray


@dataclass(frozen=True)
class LowRank:
    """ΔW = (alpha / rank) · up @ down, of one layer."""

    down: Tensor
    """(rank, in), or (rank, in, height, width)."""
    up: Tensor
    """(out, rank), or (out, rank, 1, 1)."""
    alpha: float
    magnitude: Tensor | None = None
    """DoRA's length of each row, with ``out`` numbers in whatever shape."""

    @property
    def rank(self) -> int:
        return self.down.shape[0]

    @property
    def scale(self) -> float:
        return self.alpha / self.rank


def split(whole: LowRank, heights: Sequence[int]) -> list[LowRank | None]:
    """The layers that lie in ``whole``, with these relative heights; None for one that ``whole`` does not change.

    Raises ``ValueError`` where the rows do not divide so.
    """
    import numpy as np

    rows, up = _rows(whole.up.shape[0], heights), _raw(whole.up)
    ends = np.cumsum(rows)
    pieces = [up[end - count : end] for end, count in zip(ends, rows, strict=True)]
    used = [np.flatnonzero(_nonzero(piece, whole.up.dtype).any(axis=0)) for piece in pieces]
    spans = _spans(used, whole.rank)
    found: list[LowRank | None] = []
    for piece, span, columns, end, count in zip(pieces, spans, used, ends, rows, strict=True):
        magnitude = None
        if whole.magnitude is not None:
            magnitude = _tensor(_raw(whole.magnitude).reshape(-1)[end - count : end], whole.magnitude.dtype)
        if span is None:
            found.append(LowRank(whole.down, _tensor(piece, whole.up.dtype), whole.alpha, magnitude))
        elif not len(columns) and magnitude is None:
            found.append(None)
        else:
            start, stop = span
            down = _tensor(_raw(whole.down)[start:stop], whole.down.dtype)
            part = _tensor(np.ascontiguousarray(piece[:, start:stop]), whole.up.dtype)
            found.append(LowRank(down, part, whole.scale * (stop - start), magnitude))
    return found


def fused(parts: Sequence[LowRank | None], heights: Sequence[int]) -> LowRank:
    """One layer in place of several; None stands for one that is not changed. At least one must be there.

    Raises ``ValueError`` where the heights do not fit or only some have DoRA magnitudes.
    """
    import numpy as np

    there = [part for part in parts if part is not None]
    unit = _unit(parts, heights)
    rows = [unit * height for height in heights]
    scales = {part.scale for part in there}
    if len(scales) > 1:
        highest = max(scales)
        parts = [
            part and LowRank(part.down, scaled(part.up, part.scale / highest), part.rank * highest, part.magnitude)
            for part in parts
        ]
        there = [part for part in parts if part is not None]
    scale = there[0].scale
    downs, ups = _same_dtype([part.down for part in there]), _same_dtype([part.up for part in there])
    magnitude = _stacked_magnitude(parts)
    if len(there) == len(parts) and all(down == downs[0] for down in downs):
        up = np.concatenate([_raw(one) for one in ups])
        return LowRank(downs[0], _tensor(up, ups[0].dtype), scale * there[0].rank, magnitude)
    rank = sum(part.rank for part in there)
    down = np.concatenate([_raw(one) for one in downs])
    up = np.zeros((sum(rows), rank, *_raw(ups[0]).shape[2:]), dtype=_raw(ups[0]).dtype)
    row = column = at = 0
    for part, count in zip(parts, rows, strict=True):
        if part is not None:
            up[row : row + count, column : column + part.rank] = _raw(ups[at])
            column, at = column + part.rank, at + 1
        row += count
    return LowRank(_tensor(down, downs[0].dtype), _tensor(up, ups[0].dtype), scale * rank, magnitude)


def with_halves_swapped(one: LowRank) -> LowRank:
    """The same with the halves of its rows swapped."""
    import numpy as np

    up = _raw(one.up)
    half = up.shape[0] // 2
    magnitude = one.magnitude
    if magnitude is not None:
        flat = _raw(magnitude).reshape(-1)
        magnitude = _tensor(np.concatenate([flat[half:], flat[:half]]).reshape(magnitude.shape), magnitude.dtype)
    return LowRank(one.down, _tensor(np.concatenate([up[half:], up[:half]]), one.up.dtype), one.alpha, magnitude)


def without_mid(down: Tensor, mid: Tensor) -> Tensor:
    """A convolution's down matrix (rank, in, 1, 1) and its Tucker core (rank, rank, height, width) as one, float32."""
    import numpy as np

    small = down.as_float32().reshape(down.shape[0], -1).astype(np.float64)
    product = np.einsum("rshw,si->rihw", mid.as_float32().astype(np.float64), small)
    return float32_tensor(product)


def scaled(tensor: Tensor, factor: float) -> Tensor:
    """``tensor`` times ``factor``: in its own dtype where that loses nothing, else in float32."""
    import numpy as np

    if factor == 1:
        return tensor
    values = tensor.as_float32().astype(np.float64) * factor
    is_power_of_two = factor != 0 and math.frexp(abs(factor))[0] == 0.5
    if is_power_of_two and tensor.dtype in ("F16", "BF16"):
        kept = _from_float32(values.astype(np.float32), tensor.dtype)
        if np.array_equal(kept.as_float32().astype(np.float64), values):
            return kept
    return float32_tensor(values)


def reshaped(tensor: Tensor, shape: tuple[int, ...]) -> Tensor:
    """The same bytes in another shape."""
    assert math.prod(shape) == math.prod(tensor.shape)
    return Tensor(tensor.dtype, shape, tensor.data)


def _rows(total: int, heights: Sequence[int]) -> list[int]:
    unit, rest = divmod(total, sum(heights))
    if rest:
        raise ValueError("the rows do not divide")
    return [unit * height for height in heights]


def _unit(parts: Sequence[LowRank | None], heights: Sequence[int]) -> int:
    units = {part.up.shape[0] / height for part, height in zip(parts, heights, strict=True) if part is not None}
    if len(units) != 1 or not (unit := units.pop()).is_integer():
        raise ValueError("the heights do not fit")
    return int(unit)


def _spans(used: "list[NDArray[Any]]", rank: int) -> list[tuple[int, int] | None]:
    """Which columns belong to which piece, where no column belongs to two; else None for each."""
    count = len(used)
    shared: list[tuple[int, int] | None] = [None] * count
    if not any(len(columns) for columns in used):
        return shared
    even = rank // count
    if rank % count == 0 and all(
        len(columns) == 0 or (columns[0] >= even * place and columns[-1] < even * (place + 1))
        for place, columns in enumerate(used)
    ):
        return [(even * place, even * (place + 1)) for place in range(count)]
    hulls = [(int(columns[0]), int(columns[-1]) + 1) if len(columns) else None for columns in used]
    there = [hull for hull in hulls if hull is not None]
    if any(one[1] > two[0] for one, two in itertools.pairwise(there)):
        return shared
    return [hull or (0, 1) for hull in hulls]


def _stacked_magnitude(parts: Sequence[LowRank | None]) -> Tensor | None:
    import numpy as np

    lengths = [part.magnitude if part is not None else None for part in parts]
    if all(length is None for length in lengths):
        return None
    if any(length is None for length in lengths):
        raise ValueError("only some have magnitudes")
    same = _same_dtype([length for length in lengths if length is not None])
    return _tensor(np.concatenate([_raw(one).reshape(-1) for one in same]), same[0].dtype)


def _same_dtype(tensors: list[Tensor]) -> list[Tensor]:
    if len({tensor.dtype for tensor in tensors}) == 1:
        return tensors
    return [float32_tensor(tensor.as_float32()) for tensor in tensors]


def _raw(tensor: Tensor) -> "NDArray[Any]":
    """The numbers as unsigned integers of their size: for moving, not for calculating."""
    import numpy as np

    return np.frombuffer(tensor.data, dtype=f"<u{ITEM_BYTES[tensor.dtype]}").reshape(tensor.shape)


def _tensor(raw: "NDArray[Any]", dtype: str) -> Tensor:
    import numpy as np

    return Tensor(dtype, raw.shape, np.ascontiguousarray(raw).tobytes())


def _nonzero(raw: "NDArray[Any]", dtype: str) -> "NDArray[np.bool_]":
    """Where a number is neither 0 nor −0; every axis but the first two is folded into the second's truth."""
    import numpy as np

    values = raw & raw.dtype.type(np.iinfo(raw.dtype).max >> 1)
    flat = values.reshape(*values.shape[:2], -1)
    truth: NDArray[np.bool_] = flat.any(axis=2)
    return truth


def _from_float32(values: "NDArray[np.float32]", dtype: str) -> Tensor:
    import numpy as np

    if dtype == "F16":
        with np.errstate(over="ignore"):
            half = values.astype("<f2")
        return Tensor("F16", half.shape, half.tobytes())
    upper = (np.ascontiguousarray(values).view("<u4") >> 16).astype("<u2")
    return Tensor("BF16", upper.shape, upper.tobytes())
