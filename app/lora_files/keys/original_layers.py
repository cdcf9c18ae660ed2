"""Between the canonical layers and the original implementation's, where several may be one. Pure."""

import math
from collections.abc import Callable, Mapping

from app.lora_files.families import known
from app.lora_files.families.facts import Architecture, OriginalLayer
from app.lora_files.keys import qkv
from app.lora_files.keys.bases import UnknownKeyFormat
from app.lora_files.keys.layers import CannotHold, Layer, Lora, Names
from app.lora_files.keys.module_names import (
    fused_name,
    original_layer,
    original_of,
    u_net_to_original,
    unfused_original,
)
from app.lora_files.keys.qkv import LowRank
from app.lora_files.keys.weights import DOWN, INPUT_MAGNITUDE, LOHA, LOKR, MAGNITUDE, MID, UP
from app.lora_files.safetensors_file import Tensor


def original_layers(
    lora: Lora, architecture: Architecture, keeps_split: bool = False, u_net_original: bool = False
) -> list[tuple[str, str, dict[str, Tensor], float]]:
    """Component, path in the original's words, parts, alpha; layers that are one in the original are put together."""
    facts = known.find(architecture)
    if facts is None:
        raise UnknownKeyFormat(name=next(iter(lora.alphas), ""))
    found: list[tuple[str, str, dict[str, Tensor], float]] = []
    stacks: dict[str, list[str | None]] = {}
    for module, alpha in lora.alphas.items():
        component, _, path = module.partition(".")
        if component in ("unet", "transformer"):
            place = None if facts.is_u_net else original_of(architecture, path)
            if facts.is_u_net:
                sgm = facts.kohya_has_original_names or u_net_original
                path = u_net_to_original(path, architecture) if sgm else path
            elif (whole := unfused_original(architecture, path)) is not None:
                path = whole
            elif place is None:
                raise UnknownKeyFormat(name=module)
            elif len(place[1].modules) > 1 and not keeps_split:
                stacks.setdefault(place[0], [None] * len(place[1].modules))[place[2]] = module
                continue
            elif not keeps_split:
                parts = lora.weights_of(module)
                if place[1].swaps_halves:
                    parts, alpha = _in_low_rank(parts, alpha, qkv.with_halves_swapped, module)
                found.append((component, place[0], parts, alpha))
                continue
        elif component == "text_encoder" and not path.startswith("text_model.") and path != "text_projection":
            # Newer transformers leave this level of CLIP out; the key format was made when it was there.
            path = f"text_model.{path}"
        elif component == "text_encoder_2" and facts.is_u_net and facts.has_two_encoders:
            path = path if path.startswith(("text_model.", "text_projection")) else f"text_model.{path}"
        found.append((component, path, lora.weights_of(module), alpha))
    for original, modules in stacks.items():
        found.append(("transformer", original, *_stacked(lora, architecture, original, modules)))
    return found


def _stacked(
    lora: Lora, architecture: Architecture, original: str, modules: list[str | None]
) -> tuple[dict[str, Tensor], float]:
    stack = original_layer(architecture, original)
    assert stack is not None
    parts = [
        None if module is None else _low_rank(lora.weights_of(module), lora.alphas[module], module)
        for module in modules
    ]
    try:
        whole = qkv.fused(parts, stack.rows)
    except ValueError as error:
        there = next(module for module in modules if module is not None)
        raise CannotHold(format="the original", what="DoRA" if "magnitudes" in str(error) else there) from error
    return _from_low_rank(whole), whole.alpha


def _low_rank(parts: Mapping[str, Tensor], alpha: float, module: str) -> LowRank:
    if set(parts) - {DOWN, UP, MAGNITUDE}:
        what = (
            "LoKr" if any(part in LOKR for part in parts) else "LoHa" if any(part in LOHA for part in parts) else "DoRA"
        )
        raise CannotHold(format="the original", what=what)
    return LowRank(parts[DOWN], parts[UP], alpha, parts.get(MAGNITUDE))


def _from_low_rank(one: LowRank) -> dict[str, Tensor]:
    parts = {DOWN: one.down, UP: one.up}
    if one.magnitude is not None:
        parts[MAGNITUDE] = qkv.reshaped(one.magnitude, (one.up.shape[0],))
    return parts


def _in_low_rank(
    parts: Mapping[str, Tensor], alpha: float, change: Callable[[LowRank], LowRank], module: str
) -> tuple[dict[str, Tensor], float]:
    changed = change(_low_rank(parts, alpha, module))
    return _from_low_rank(changed), changed.alpha


def diffusers_modules(
    names: Names, layer: Layer, parts: dict[str, Tensor], alpha: float
) -> list[tuple[str, dict[str, Tensor], float]]:
    """The canonical modules behind a layer, with their parts and alphas."""
    parts = {part: tensor for part, tensor in parts.items() if part != "alpha"}
    _check(layer, parts)
    if MAGNITUDE in parts:
        parts = _with_magnitude(parts, layer)
    prefix = f"{layer.component}." if layer.component else ""
    stack = original_layer(names.architecture, layer.path) if layer.component == "transformer" else None
    if names.key_format == "xlabs" and stack is not None and layer.path.endswith("linear1"):
        stack = OriginalLayer(stack.modules[:3], (1, 1, 1))  # of the fused layer, it changes the attention alone
    if stack is None or stack.modules == (layer.path,):
        return [(prefix + layer.path, parts, alpha)]
    if layer.algorithm != "lora" or MID in parts or INPUT_MAGNITUDE in parts:
        if len(stack.modules) == 1 and not stack.swaps_halves:
            return [(prefix + stack.modules[0], parts, alpha)]
        fused = fused_name(names.architecture, layer.path)
        if fused is None:
            raise UnknownKeyFormat(name=layer.path)
        return [(prefix + fused, parts, alpha)]
    whole = _low_rank(parts, alpha, layer.path)
    if stack.swaps_halves:
        whole = qkv.with_halves_swapped(whole)
    try:
        pieces = qkv.split(whole, stack.rows) if len(stack.modules) > 1 else [whole]
    except ValueError as error:
        raise UnknownKeyFormat(name=layer.path) from error
    return [
        (prefix + name, _from_low_rank(piece), piece.alpha)
        for name, piece in zip(stack.modules, pieces, strict=True)
        if piece is not None
    ]


def _check(layer: Layer, parts: Mapping[str, Tensor]) -> None:
    """Raises ``UnknownKeyFormat`` where a half is missing or two do not fit together."""
    name = next(iter(layer.names.values()))
    if layer.algorithm == "lora":
        down, up = parts.get(DOWN), parts.get(UP)
        if down is None or up is None or len(down.shape) < 2 or len(up.shape) < 2:
            raise UnknownKeyFormat(name=name)
        if down.shape[0] != up.shape[1] or 0 in (*down.shape, *up.shape):
            raise UnknownKeyFormat(name=name)
        mid = parts.get(MID)
        if mid is not None and (len(mid.shape) < 3 or mid.shape[:2] != (down.shape[0], down.shape[0])):
            raise UnknownKeyFormat(name=name)
    elif layer.algorithm == "loha":
        needed = {"hada_w1_a", "hada_w1_b", "hada_w2_a", "hada_w2_b"}
        if needed - set(parts):
            raise UnknownKeyFormat(name=name)
    elif not all(f"lokr_w{n}" in parts or {f"lokr_w{n}_a", f"lokr_w{n}_b"} <= set(parts) for n in (1, 2)):
        raise UnknownKeyFormat(name=name)
    if layer.algorithm != "lora" and (DOWN in parts or UP in parts):
        raise UnknownKeyFormat(name=name)


def _with_magnitude(parts: dict[str, Tensor], layer: Layer) -> dict[str, Tensor]:
    """DoRA's lengths as PEFT shapes them: (out) for a matrix, (1, out, 1, 1) for a convolution.

    LyCORIS's word stands for lengths of rows, (out, 1…), and of columns, (1, in, 1…).
    """
    lengths = parts[MAGNITUDE]
    of_columns = layer.names[MAGNITUDE].endswith(".dora_scale") and len(lengths.shape) > 1 and lengths.shape[0] == 1
    up = parts.get(UP)
    rows = up.shape[0] if up is not None else None
    others = {part: tensor for part, tensor in parts.items() if part != MAGNITUDE}
    is_upright = len(lengths.shape) != 2 or lengths.shape[0] == rows
    if rows is None or math.prod(lengths.shape) != rows or not is_upright or (of_columns and rows != 1):
        return others | {INPUT_MAGNITUDE: lengths}
    assert up is not None
    shape = (rows,) if len(up.shape) == 2 else (1, rows, *(1 for _ in up.shape[2:]))
    return others | {MAGNITUDE: qkv.reshaped(lengths, shape)}
