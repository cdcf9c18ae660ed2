"""A layer of zeros by which other programs tell FLUX.2's adapters from FLUX.1's. Pure.

The smallest FLUX.2 is as wide as FLUX.1, and its attention has the same names in its makers' files. InvokeAI looks at
``txt_in`` or at the first feed-forward layer, and takes a file with neither for one of FLUX.1. So a file of the
attention alone gets a change of ``txt_in`` that is zero: it is read everywhere and changes nothing.
"""

from collections.abc import Mapping

from app.lora_files.families.facts import Architecture
from app.lora_files.keys.layers import Layer
from app.lora_files.keys.weights import DOWN, UP, Shaped
from app.lora_files.safetensors_file import Tensor

TEXT_WIDTHS = {3072: 7680, 4096: 12288, 6144: 15360}
"""Width of the tokens → width of the text that ``txt_in`` reads."""
AMBIGUOUS = 3072
_PREFIX = "diffusion_model."
_LAYER = "txt_in"


def is_told_apart(entries: Mapping[str, Shaped]) -> bool:
    """Whether InvokeAI takes tensors of these names and shapes for FLUX.2's, by its own rule."""
    width = None
    for name in entries:
        stem, dot, part = name.partition(".lora_") if ".lora_" in name else name.rpartition(".")
        if not name.startswith(_PREFIX) or f"{dot}{part}" not in _READ_BY_IT:
            continue
        columns = _side(entries, stem, 1)
        if columns is None:
            continue
        if _LAYER in stem:
            return columns in TEXT_WIDTHS.values()
        if stem.endswith(".img_attn.proj"):
            width = columns
            if width != AMBIGUOUS:
                return True
    feed_forward = {name.partition(".img_mlp.0.")[0] for name in entries if ".img_mlp.0." in name}
    heights = [_side(entries, f"{block}.img_mlp.0", 0) for block in feed_forward]
    return width == AMBIGUOUS and any(height not in (None, 4 * AMBIGUOUS) for height in heights)


_READ_BY_IT = (".lora_A.weight", ".lokr_w1", ".lokr_w1_b")


def _side(entries: Mapping[str, Shaped], stem: str, side: int) -> int | None:
    """Columns (1) or rows (0) of a layer's change, as far as InvokeAI works them out: of a LoKr only where both factors
    are whole or both are not."""
    low = entries.get(f"{stem}.{DOWN if side else UP}")
    if low is not None:
        return low.shape[side] if len(low.shape) > 1 else None
    for ending in ("", "_b" if side else "_a"):
        one, two = entries.get(f"{stem}.lokr_w1{ending}"), entries.get(f"{stem}.lokr_w2{ending}")
        if one is not None and two is not None and len(one.shape) > 1 and len(two.shape) > 1:
            return one.shape[side] * two.shape[side]
    return None


def needed_by(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The layer of zeros in ComfyUI's names, for a file that would be taken for FLUX.1's without; else nothing."""
    width = next((one.shape[0] for name, one in tensors.items() if name.endswith(f"_attn.proj.{UP}")), None)
    if width is None:
        width = next((one.shape[1] for name, one in tensors.items() if name.endswith(f".linear1.{DOWN}")), None)
    if width not in TEXT_WIDTHS or is_told_apart(tensors):
        return {}
    shapes = {DOWN: (1, TEXT_WIDTHS[width]), UP: (width, 1)}
    return {
        f"{_PREFIX}{_LAYER}.{part}": Tensor("F16", shape, bytes(2 * shape[0] * shape[1]))
        for part, shape in shapes.items()
    }


def is_one(architecture: Architecture, layer: Layer, parts: Mapping[str, Tensor]) -> bool:
    """Whether this layer is one, and no part of the adapter."""
    if architecture != "flux_2" or layer.path != _LAYER or set(parts) != {DOWN, UP}:
        return False
    return parts[UP].shape[-1:] == (1,) and not any(parts[UP].data) and not any(parts[DOWN].data)
