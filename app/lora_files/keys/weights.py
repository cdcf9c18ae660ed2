"""What a layer's change is made of: the parts of a LoRA, a LoKr or a LoHa, and the endings that programs give them."""

import math
from collections.abc import Mapping
from typing import Protocol

from app.lora_files.keys.bases import UnknownKeyFormat
from app.lora_files.safetensors_file import Tensor

DOWN, UP, MID, MAGNITUDE = "lora_A.weight", "lora_B.weight", "lora_mid.weight", "lora_magnitude_vector"
INPUT_MAGNITUDE = "dora_scale"
"""DoRA's lengths of the columns, as LyCORIS wrote them until it measured rows; only its own names
have a place for it."""
LOKR = ("lokr_w1", "lokr_w1_a", "lokr_w1_b", "lokr_w2", "lokr_w2_a", "lokr_w2_b", "lokr_t2")
LOHA = ("hada_w1_a", "hada_w1_b", "hada_w2_a", "hada_w2_b", "hada_t1", "hada_t2")
ENDINGS = {
    ".lora_A.weight": DOWN,
    ".lora_B.weight": UP,
    ".lora_A.default.weight": DOWN,
    ".lora_B.default.weight": UP,
    ".lora_down.weight": DOWN,
    ".lora_up.weight": UP,
    ".lora_mid.weight": MID,
    ".lora.down.weight": DOWN,
    ".lora.up.weight": UP,
    "_lora.down.weight": DOWN,
    "_lora.up.weight": UP,
    ".lora_linear_layer.down.weight": DOWN,
    ".lora_linear_layer.up.weight": UP,
    ".lora_magnitude_vector": MAGNITUDE,
    ".lora_magnitude_vector.weight": MAGNITUDE,
    ".lora_magnitude_vector.default.weight": MAGNITUDE,
    ".dora_scale": MAGNITUDE,
    ".magnitude": MAGNITUDE,  # ai-toolkit's
    ".alpha": "alpha",
    **{f".{name}": name for name in (*LOKR, *LOHA)},
    **{f".{name}.weight": name for name in (*LOKR, *LOHA)},
}


class Shaped(Protocol):
    """What reading names needs of a tensor."""

    @property
    def dtype(self) -> str: ...

    @property
    def shape(self) -> tuple[int, ...]: ...


def rank_of(parts: Mapping[str, Shaped]) -> int:
    """The rank of a layer with these parts; 0 where it is made of whole matrices."""
    for name in (DOWN, "lokr_w2_b", "lokr_w1_b", "hada_w1_b"):
        if name in parts and parts[name].shape:
            return parts[name].shape[0]
    return 0


def first_number(tensor: Tensor) -> float:
    """The value of a tensor that holds one number. Raises ``UnknownKeyFormat`` for any other."""
    if math.prod(tensor.shape) != 1:
        raise UnknownKeyFormat(name="alpha")
    return float(tensor.as_float32().reshape(-1)[0])


ALL_WEIGHTS = (DOWN, UP, MID, MAGNITUDE, INPUT_MAGNITUDE, *LOKR, *LOHA)
