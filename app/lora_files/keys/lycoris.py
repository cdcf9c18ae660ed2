"""What diffusers has no names for, in the form that our engines read: Kronecker and Hadamard products (LyCORIS' LoKr
and LoHa), and DoRA whose lengths are those of columns, as OneTrainer writes it. Pure.

Here a layer is called as in diffusers' model, its parts as LyCORIS calls them (``unet.….to_q.lokr_w1``), and alpha is a
tensor beside them.
"""

from app.errors import N_, Invalid
from app.lora_files.keys.layers import Lora
from app.lora_files.keys.module_names import unfused_original
from app.lora_files.keys.weights import DOWN, INPUT_MAGNITUDE, LOHA, LOKR, UP
from app.lora_files.safetensors_file import Tensor, float32_tensor


class NotForDrawing(Invalid):
    sentence = N_(
        "Livery cannot draw with this adapter: it mixes kinds of adapters, or learns lengths (DoRA) in "
        "addition to matrix products. You can still convert it for other programs."
    )


class Fused(NotForDrawing):
    sentence = N_(
        "Livery cannot draw with this adapter: it changes query, key and value as one layer, which Livery's "
        "copy of the base model keeps separate. You can still convert it for other programs."
    )


class ChangesT5(NotForDrawing):
    sentence = N_(
        "Livery cannot draw with this adapter: it also changes the T5 text encoder, which Livery leaves as it is. You "
        "can still convert it for other programs."
    )


def is_lycoris(lora: Lora) -> bool:
    """Whether any layer is such a product."""
    return any(part in LOKR or part in LOHA for module in lora.alphas for part in lora.weights_of(module))


def has_column_magnitudes(lora: Lora) -> bool:
    """Whether it is a DoRA with lengths of columns."""
    return any(INPUT_MAGNITUDE in lora.weights_of(module) for module in lora.alphas)


def for_engines(lora: Lora) -> dict[str, Tensor]:
    """The tensors by name. Raises ``NotForDrawing``."""
    tensors: dict[str, Tensor] = {}
    kinds = set()
    for module, alpha in lora.alphas.items():
        parts = lora.weights_of(module)
        kinds |= {_kind(part) for part in parts}
        if unfused_original(lora.architecture, module.partition(".")[2]) is not None:
            raise Fused()
        tensors |= {f"{module}.{part}": tensor for part, tensor in parts.items()}
        tensors[f"{module}.alpha"] = float32_tensor(alpha)
    if len(kinds) > 1:
        raise NotForDrawing()
    return tensors


def _kind(part: str) -> str:
    if part in LOKR:
        return "lokr"
    if part in LOHA:
        return "loha"
    return "lora" if part in (DOWN, UP, INPUT_MAGNITUDE) else part
