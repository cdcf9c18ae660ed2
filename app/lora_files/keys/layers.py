"""An adapter as its layers and the weights of each. Pure: no model library."""

from dataclasses import dataclass, field
from typing import Literal

from app.errors import N_, Invalid
from app.lora_files.families.facts import Architecture, KeyFormat
from app.lora_files.keys.weights import ALL_WEIGHTS, DOWN, LOHA, LOKR, MAGNITUDE, UP, rank_of
from app.lora_files.safetensors_file import Tensor

HEADER_KEY = "lora_adapter_metadata"
Algorithm = Literal["lora", "lokr", "loha"]
PLAIN = frozenset({DOWN, UP, MAGNITUDE})
"""What PEFT holds in a LoRA."""


class CannotHold(Invalid):
    sentence = N_(
        "The layer names of %(format)s do not cover %(what)s, which this adapter uses. Converting it would "
        "change its effect, so it stays as it is."
    )


@dataclass(frozen=True)
class Lora:
    """An adapter under diffusers' names."""

    tensors: dict[str, Tensor]
    alphas: dict[str, float]
    """Module (``unet.….to_q``) → alpha, for every module."""
    architecture: Architecture = "stable_diffusion_1"
    left_out: tuple[str, ...] = ()
    """Names of tensors that are no part of it, such as bundled embeddings."""

    @property
    def ranks(self) -> dict[str, int]:
        """Module → rank, for every module; 0 for one that is made of whole matrices."""
        return {module: rank_of(self.weights_of(module)) for module in self.alphas}

    def weights_of(self, module: str) -> dict[str, Tensor]:
        """Every weight of this module, by its name there: ``lora_A.weight``, ``lokr_w1``, …"""
        found = {part: self.tensors.get(f"{module}.{part}") for part in ALL_WEIGHTS}
        return {part: tensor for part, tensor in found.items() if tensor is not None}


@dataclass(frozen=True)
class Layer:
    """One layer as a file names it."""

    component: str
    """``unet``, ``transformer``, ``text_encoder``, ``text_encoder_2``, or empty for a language model."""
    path: str
    """With dots, in diffusers' or the original's words."""
    names: dict[str, str] = field(default_factory=dict)
    """Part → the tensor's name in the file."""

    @property
    def algorithm(self) -> Algorithm:
        if any(part in LOKR for part in self.names):
            return "lokr"
        return "loha" if any(part in LOHA for part in self.names) else "lora"


@dataclass(frozen=True)
class Names:
    """What a file's names and shapes tell, without its numbers."""

    key_format: KeyFormat
    architecture: Architecture
    layers: tuple[Layer, ...]
    left_out: tuple[str, ...]
