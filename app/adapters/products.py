"""Kronecker and Hadamard products (LyCORIS' LoKr and LoHa) in the form that our engines read. Pure.

diffusers has no names for most of them. Here a layer is called as in diffusers' model, its parts as LyCORIS calls them
(``unet.….to_q.lokr_w1``), and alpha is a tensor beside them.
"""

from app.adapters.layers import Lora
from app.adapters.module_names import unfused_original
from app.adapters.parts import LOHA, LOKR
from app.adapters.safetensors_file import Tensor, float32_tensor
from app.errors import N_, Invalid


class NotForDrawing(Invalid):
    sentence = N_(
        "Livery cannot draw with this adapter: it mixes kinds of adapters, or learns lengths (DoRA) beside products of "
        "matrices. You can still convert it for other programs."
    )


class Fused(NotForDrawing):
    sentence = N_(
        "Livery cannot draw with this adapter: it changes query, key and value as one layer, which Livery's copy of "
        "the base model holds apart. You can still convert it for other programs."
    )


class ChangesT5(NotForDrawing):
    sentence = N_(
        "Livery cannot draw with this adapter: it also changes the T5 text encoder, which Livery leaves as it is. You "
        "can still convert it for other programs."
    )


def is_one(lora: Lora) -> bool:
    """Whether any layer is such a product."""
    return any(part in LOKR or part in LOHA for module in lora.alphas for part in lora.parts_of(module))


def written(lora: Lora) -> dict[str, Tensor]:
    """The tensors by name. Raises ``NotForDrawing``."""
    tensors: dict[str, Tensor] = {}
    kinds = set()
    for module, alpha in lora.alphas.items():
        parts = lora.parts_of(module)
        kinds |= {"lokr" if part in LOKR else "loha" if part in LOHA else part for part in parts}
        if unfused_original(lora.architecture, module.partition(".")[2]) is not None:
            raise Fused()
        tensors |= {f"{module}.{part}": tensor for part, tensor in parts.items()}
        tensors[f"{module}.alpha"] = float32_tensor(alpha)
    if len(kinds) > 1:
        raise NotForDrawing()
    return tensors
