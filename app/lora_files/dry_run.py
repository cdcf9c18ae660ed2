"""What a file can be turned into, tried on its names and shapes without its numbers. Pure.

Each tensor has a stand-in that is as high as it is, of rank 1 and one column, so that a trial of the largest file takes
moments and no memory. What depends on the numbers themselves, such as an alpha that is none, shows when they are read.
"""

import math
from collections.abc import Mapping
from dataclasses import replace

from app.lora_files import export, key_formats
from app.lora_files.families.facts import WrittenFormat
from app.lora_files.key_formats import CannotHold, Lora, Names
from app.lora_files.keys import lycoris
from app.lora_files.keys.bases import UnknownKeyFormat
from app.lora_files.keys.weights import DOWN, MAGNITUDE, MID, UP, Shaped
from app.lora_files.safetensors_file import ITEM_BYTES, Tensor, float32_tensor

MOST_NUMBERS = 50_000_000
"""Of all stand-ins; those of FLUX.1's every layer are 10 million."""


def possible_key_formats(
    names: Names, entries: Mapping[str, Shaped], metadata: Mapping[str, str]
) -> list[WrittenFormat]:
    """The key formats that have a place for everything in the file, the usual one first."""
    lora = _stand_in(names, entries, metadata)
    return (
        [] if lora is None else [one for one in key_formats.key_formats_for(names.architecture) if _is_held(lora, one)]
    )


def can_be_drawn(names: Names, entries: Mapping[str, Shaped], metadata: Mapping[str, str]) -> bool:
    """Whether ``export.for_engines`` takes it, whether or not there is a base for it here."""
    lora = _stand_in(names, entries, metadata)
    if lora is None:
        return False
    if export.untrained_encoders(lora):
        return False
    if not export.is_for_livery_alone(lora, metadata):
        return _is_held(lora, "canonical")
    try:
        lycoris.for_engines(lora)
    except lycoris.NotForDrawing:
        return False
    return True


def _is_held(lora: Lora, key_format: WrittenFormat) -> bool:
    try:
        key_formats.write(lora, key_format)
    except (UnknownKeyFormat, CannotHold):
        return False
    return True


def _stand_in(names: Names, entries: Mapping[str, Shaped], metadata: Mapping[str, str]) -> Lora | None:
    tensors: dict[str, Tensor] = {}
    taken = 0
    for layer in names.layers:
        if not _fits_together(layer.names, entries):
            return None
        for part, name in layer.names.items():
            dtype, shape = entries[name].dtype, _shape(part, entries[name].shape)
            taken += math.prod(shape)
            if taken > MOST_NUMBERS:
                return None
            # Small numbers, as zeros would count for no change at all.
            data = b"\x01" * (math.prod(shape) * ITEM_BYTES[dtype])
            tensors[name] = (
                float32_tensor(1.0) if part == "alpha" and shape in ((), (1,)) else Tensor(dtype, shape, data)
            )
    try:
        return key_formats.read_as(replace(names, left_out=()), tensors, metadata)
    except (UnknownKeyFormat, CannotHold):
        return None


def _fits_together(parts: Mapping[str, str], entries: Mapping[str, Shaped]) -> bool:
    """Whether the halves are of one rank, which their stand-ins always are."""
    if DOWN not in parts or UP not in parts:
        return True
    down, up = entries[parts[DOWN]].shape, entries[parts[UP]].shape
    return len(down) > 1 and len(up) > 1 and down[0] == up[1] and 0 not in (*down, *up)


def _shape(part: str, shape: tuple[int, ...]) -> tuple[int, ...]:
    if part == UP:
        return (shape[0], 1, *shape[2:])
    if part in (DOWN, MID):
        return (1, 1, *shape[2:])
    return shape if part in (MAGNITUDE, "alpha") else tuple(1 for _ in shape)
