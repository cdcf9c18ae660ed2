"""The low-rank adapter in a diffusers model: put in, read out, written as a file others can load.

ΔW = (alpha / rank) · B @ A with A = lora_A (rank, in) and B = lora_B (out, rank). Hu et al. 2021.
"""

import math
import re
import statistics
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import bitsandbytes as bnb
import torch
from diffusers import StableDiffusionPipeline
from peft import LoKrConfig, LoKrModel, LoraConfig, PeftConfig, inject_adapter_in_model
from peft.tuners import lokr
from peft.tuners.lokr import LoKrLayer
from peft.tuners.lora import LoraLayer
from peft.tuners.tuners_utils import BaseTunerLayer
from peft.utils import get_peft_model_state_dict, set_peft_model_state_dict

from app.trainings.look.recipe import Network, TargetModules
from worker.engines.contracts import EngineError

TRAINING = "in_training"
"""The adapter's name in the model while it is trained (not "training": modules have an attribute of that name)."""

_ATTENTION = ("to_q", "to_k", "to_v", "to_out.0")
_FEED_FORWARD = ("ff.net.0.proj", "ff.net.2")
_CONVOLUTIONS = ("proj_in", "proj_out", "conv1", "conv2", "conv_shortcut", "conv", "conv_in", "conv_out")
TARGETS: dict[TargetModules, tuple[str, ...]] = {
    "attention": _ATTENTION,
    "attention_and_feed_forward": _ATTENTION + _FEED_FORWARD,
    "all_layers": _ATTENTION + _FEED_FORWARD + _CONVOLUTIONS,
}
"""Ends of the names of the layers that an adapter acts on. Of a convolution A is k×k and B 1×1 (kohya's "LoCon")."""

TEXT_TARGETS = ("q_proj", "k_proj", "v_proj", "out_proj")
"""The layers of a CLIP text encoder that are trained: its attention, as in diffusers' own scripts."""

HALF_PRECISION_LOSS = 1e-3
"""Largest relative error (Frobenius norm) of a tensor stored in float16 before the file keeps float32 instead. Rounding
alone costs about 3e-4; more means that the values reach below what float16 can hold."""
NEGLIGIBLE = 0.01
"""Share of the usual norm of its kind: the loss of a smaller tensor is counted against this much. A layer that has
hardly learned anything, of 1e-7 where the others are 1e-2, shows in no picture."""


class LoKrOnFourBits(lokr.Linear):
    """PEFT's Kronecker product on a layer whose weight is packed: two numbers in a byte, so that its shape is not the
    layer's, to which PEFT would bring the product."""

    def get_delta_weight(self, adapter_name: str, *, apply_rank_dropout: bool = False) -> torch.Tensor:
        """(out, in), without dropout: no adapter of ours has any, and drawing knows none."""
        first, second = (
            whole[adapter_name] if adapter_name in whole else left[adapter_name] @ right[adapter_name]
            for whole, left, right in (
                (self.lokr_w1, self.lokr_w1_a, self.lokr_w1_b),
                (self.lokr_w2, self.lokr_w2_a, self.lokr_w2_b),
            )
        )
        return torch.kron(first, second) * self.scaling[adapter_name]


# Where PEFT looks for the layer to put in; the first that fits counts, and a layer in 4 bits is a linear one too.
LoKrModel.layers_mapping = {bnb.nn.Linear4bit: LoKrOnFourBits, **LoKrModel.layers_mapping}


def inject(
    model: Any,
    rank: int,
    alpha: float,
    targets: Sequence[str],
    generator: torch.Generator,
    network: Network = "lora",
) -> dict[str, torch.nn.Parameter]:
    """Freeze the model and add a trainable adapter to it; returns its parameters by name, in a fixed order, float32.

    Starts as PEFT starts: one factor of each product is zero, so that the model draws as before, the others are
    Kaiming-uniform with a = √5; but these come from ``generator`` (on the CPU) and the process's own random state is
    left alone. ``targets``: ends of the names of the layers.
    """
    model.requires_grad_(False)
    with torch.random.fork_rng():
        add(model, _configuration(rank, alpha, targets, network), TRAINING)
    parameters = {name: parameter for name, parameter in sorted(model.named_parameters()) if parameter.requires_grad}
    for name, parameter in parameters.items():
        parameter.data = parameter.data.float()
        # What PEFT left at zero, and DoRA's magnitudes, which are those of the base's weights, stay.
        if ".lora_A." in name or (".lokr_" in name and parameter.data.any()):
            start = torch.empty(parameter.shape, dtype=torch.float32)
            torch.nn.init.kaiming_uniform_(start, a=math.sqrt(5), generator=generator)
            parameter.data.copy_(start)
    return parameters


def add(model: Any, configuration: PeftConfig, name: str) -> None:
    """Put an adapter's layers into a model, the only ones that act afterwards.

    Not ``add_adapter`` of text encoders: transformers 5.24 refuses every PEFT that is published today (it asks for
    0.22), and all that it would do besides is to note, as here, that there is an adapter.
    """
    inject_adapter_in_model(configuration, model, name)
    model._hf_peft_config_loaded = True
    for module in model.modules():
        if isinstance(module, BaseTunerLayer):
            module.set_adapter(name)


def _configuration(rank: int, alpha: float, targets: Sequence[str], network: Network) -> PeftConfig:
    if network == "lokr":
        return LoKrConfig(r=rank, alpha=alpha, target_modules=list(targets), init_weights=True)  # type: ignore[arg-type]
    return LoraConfig(
        r=rank,
        lora_alpha=alpha,  # type: ignore[arg-type]
        target_modules=list(targets),
        init_lora_weights=True,
        use_dora=network == "dora",
        use_rslora=network == "rslora",
    )


def true_alpha(rank: int, alpha: float, network: Network) -> float:
    """Alpha as files say it, for which ΔW is scaled by alpha / rank: that of rsLoRA is larger by √rank."""
    return alpha * math.sqrt(rank) if network == "rslora" else alpha


def state(model: Any) -> dict[str, torch.Tensor]:
    """The trained adapter's tensors under PEFT's names (``….lora_A.weight``), float32 copies on the CPU."""
    tensors = get_peft_model_state_dict(model, adapter_name=TRAINING)
    return {name: tensor.detach().float().cpu().clone().contiguous() for name, tensor in sorted(tensors.items())}


def restore(model: Any, tensors: Mapping[str, torch.Tensor]) -> None:
    """Set the adapter's tensors to those that ``state`` gave.

    Raises ``EngineError`` (``bad_checkpoint``) if they differ in names or shapes from the injected adapter.
    """
    expected = {name: tensor.shape for name, tensor in get_peft_model_state_dict(model, adapter_name=TRAINING).items()}
    if {name: tensor.shape for name, tensor in tensors.items()} != expected:
        raise EngineError("bad_checkpoint", "The checkpoint belongs to another adapter. Start the training anew.")
    set_peft_model_state_dict(model, dict(tensors), adapter_name=TRAINING)


def save(
    parts: Mapping[str, Mapping[str, torch.Tensor]],
    rank: int,
    alpha: float,
    targets: Mapping[str, Sequence[str]],
    path: Path,
    network: Network = "lora",
    save_weights: Callable[..., None] = StableDiffusionPipeline.save_lora_weights,
) -> None:
    """Write the adapter in the form diffusers writes and reads: ``unet.….lora_A.weight``, and in the header
    ``lora_adapter_metadata`` with the PEFT configuration, without which readers take alpha for rank.

    ``parts`` holds ``state`` of each model by its name (``unet``, ``text_encoder``…), ``targets`` what ``inject`` got
    for it; ``save_weights`` is the pipeline class's ``save_lora_weights``. Stored in float16 where that is safe (see
    ``HALF_PRECISION_LOSS``), else in float32. Only the fields that decide the result go into the configuration: every
    PEFT version knows them, and an unknown field makes an older one refuse the file. rsLoRA is written as the LoRA that
    it equals, because most programs know no other scale than alpha / rank. Raises ``EngineError`` (``diverged``) when a
    value is not finite: such a file would be read without complaint and draw black.
    """
    flat = {f"{part}.{name}": tensor for part, tensors in parts.items() for name, tensor in tensors.items()}
    if not all(torch.isfinite(tensor).all() for tensor in flat.values()):
        raise EngineError("diverged", "The training has run into values that are not numbers; no adapter was written.")
    halves = {name: tensor.half() for name, tensor in flat.items()}
    chosen = halves if _is_enough(halves, flat) else flat
    order: dict[str, Any] = {}
    for part in parts:
        order[f"{part}_lora_layers"] = {
            _outside_name(part, name): chosen[f"{part}.{name}"].contiguous() for name in parts[part]
        }
        order[f"{part}_lora_adapter_metadata"] = _facts(rank, alpha, targets[part], network)
    unfinished = path.with_name(path.name + ".part.safetensors")
    save_weights(path.parent, weight_name=unfinished.name, **order)
    unfinished.replace(path)


def _facts(rank: int, alpha: float, targets: Sequence[str], network: Network) -> dict[str, Any]:
    if network == "lokr":
        return {"r": rank, "alpha": alpha, "target_modules": sorted(targets), "decompose_both": False}
    return {
        "r": rank,
        "lora_alpha": true_alpha(rank, alpha, network),
        "target_modules": sorted(targets),
        "lora_dropout": 0.0,
        "bias": "none",
        "use_rslora": False,
        "use_dora": network == "dora",
        "rank_pattern": {},
        "alpha_pattern": {},
    }


def _outside_name(part: str, name: str) -> str:
    """The name that other programs know: the text encoder's class has lost a level in newer libraries."""
    if part.startswith("text_encoder") and not name.startswith("text_model."):
        return f"text_model.{name}"
    return name


def count_layers(model: torch.nn.Module, adapter_name: str) -> int:
    """Number of the model's layers that the named adapter acts on."""
    return sum(
        (isinstance(module, LoraLayer) and adapter_name in module.lora_A)
        or (isinstance(module, LoKrLayer) and adapter_name in module.r)
        for module in model.modules()
    )


HALVES = re.compile(
    r"(?P<layer>.+?)(?:\.lora_(?P<peft>[AB])|[._]lora(?:_linear_layer)?\.(?P<old>down|up)|\.lokr_(?P<lokr>\w+?))(?:\.weight)?"
)
MAGNITUDES = re.compile(r".+\.(?:lora_magnitude_vector|dora_scale)(?:\.weight)?")
COMPLETE = (
    {"A", "B"},
    {"down", "up"},
    *(
        {*one, *two}
        for one in (("w1",), ("w1_a", "w1_b"))
        for two in (("w2",), ("w2_a", "w2_b"), ("w2_a", "w2_b", "t2"))
    ),
)
"""The tensors that make the adapter of one layer, in each of the ways that files write it."""


def is_magnitude(parameter: str) -> bool:
    """Whether this is the name of DoRA's lengths in a model."""
    return "lora_magnitude_vector" in parameter


def layers_in(tensors: Iterable[str]) -> set[str] | None:
    """Names of the layers that a file's tensors act on; None if one of them is not complete or not known."""
    found: dict[str, set[str]] = {}
    for name in tensors:
        if MAGNITUDES.fullmatch(name):
            continue
        match = HALVES.fullmatch(name)
        if match is None:
            return None
        found.setdefault(match["layer"], set()).add(match["peft"] or match["old"] or match["lokr"])
    return set(found) if all(parts in COMPLETE for parts in found.values()) else None


def _is_enough(rounded: Mapping[str, torch.Tensor], exact: Mapping[str, torch.Tensor]) -> bool:
    """Whether no tensor loses more than ``HALF_PRECISION_LOSS`` by rounding; an overflow is an infinite loss."""
    norms = {name: tensor.norm().item() for name, tensor in exact.items()}
    like: dict[str, list[float]] = {}
    for name, norm in norms.items():
        like.setdefault(_kind(name), []).append(norm)
    usual = {kind: statistics.median(found) for kind, found in like.items()}
    return all(
        (rounded[name].float() - tensor).norm().item()
        <= HALF_PRECISION_LOSS * max(norms[name], NEGLIGIBLE * usual[_kind(name)])
        for name, tensor in exact.items()
    )


def _kind(name: str) -> str:
    """``lora_A``, ``lora_B``, ``lokr_w1`` and so on: tensors of one kind start from the same values."""
    return name.removesuffix(".weight").rsplit(".", 1)[-1]
