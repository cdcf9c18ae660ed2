"""The low-rank adapter in a diffusers model: put in, read out, written as a file others can load.

ΔW = (alpha / rank) · B @ A with A = lora_A (rank, in) and B = lora_B (out, rank). Hu et al. 2021.
"""

import math
from collections.abc import Mapping
from pathlib import Path

import torch
from diffusers import StableDiffusionPipeline, UNet2DConditionModel
from peft import LoraConfig
from peft.tuners.lora import LoraLayer
from peft.utils import get_peft_model_state_dict, set_peft_model_state_dict

from app.trainings.recipe import TargetModules
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

HALF_PRECISION_LOSS = 1e-3
"""Largest relative error (Frobenius norm) of a tensor stored in float16 before the file keeps float32 instead. Rounding
alone costs about 3e-4; more means that the values reach below what float16 can hold."""


def inject(
    unet: UNet2DConditionModel, rank: int, alpha: float, targets: TargetModules, generator: torch.Generator
) -> dict[str, torch.nn.Parameter]:
    """Freeze the model and add a trainable adapter to it; returns its parameters by name, in a fixed order, float32.

    Starts as PEFT starts: A is Kaiming-uniform with a = √5, B is zero, so that the model draws as before; but A comes
    from ``generator`` (on the CPU) and the process's own random state is left alone.
    """
    unet.requires_grad_(False)
    config = LoraConfig(r=rank, lora_alpha=alpha, target_modules=list(TARGETS[targets]), init_lora_weights=True)  # type: ignore[arg-type]
    with torch.random.fork_rng():
        unet.add_adapter(config, adapter_name=TRAINING)
    parameters = {name: parameter for name, parameter in sorted(unet.named_parameters()) if parameter.requires_grad}
    for name, parameter in parameters.items():
        parameter.data = parameter.data.float()
        if ".lora_A." in name:
            start = torch.empty(parameter.shape, dtype=torch.float32)
            torch.nn.init.kaiming_uniform_(start, a=math.sqrt(5), generator=generator)
            parameter.data.copy_(start)
    return parameters


def state(unet: UNet2DConditionModel) -> dict[str, torch.Tensor]:
    """The trained adapter's tensors under PEFT's names (``….lora_A.weight``), float32 copies on the CPU."""
    tensors = get_peft_model_state_dict(unet, adapter_name=TRAINING)
    return {name: tensor.detach().float().cpu().clone().contiguous() for name, tensor in sorted(tensors.items())}


def restore(unet: UNet2DConditionModel, tensors: Mapping[str, torch.Tensor]) -> None:
    """Set the adapter's tensors to those that ``state`` gave.

    Raises ``EngineError`` (``bad_checkpoint``) if they differ in names or shapes from the injected adapter.
    """
    expected = {name: tensor.shape for name, tensor in get_peft_model_state_dict(unet, adapter_name=TRAINING).items()}
    if {name: tensor.shape for name, tensor in tensors.items()} != expected:
        raise EngineError("bad_checkpoint", "The checkpoint belongs to another adapter. Start the training anew.")
    set_peft_model_state_dict(unet, dict(tensors), adapter_name=TRAINING)


def save(tensors: Mapping[str, torch.Tensor], rank: int, alpha: float, targets: TargetModules, path: Path) -> None:
    """Write the adapter in the form diffusers writes and reads: ``unet.….lora_A.weight``, and in the header
    ``lora_adapter_metadata`` with the PEFT configuration, without which readers take alpha for rank.

    Stored in float16 where that is safe (see ``HALF_PRECISION_LOSS``), else in float32. Only the fields that decide the
    result go into the configuration: every PEFT version knows them, and an unknown field makes an older one refuse the
    file. Raises ``EngineError`` (``diverged``) when a value is not finite: such a file would be read without complaint
    and draw black.
    """
    if not all(torch.isfinite(tensor).all() for tensor in tensors.values()):
        raise EngineError("diverged", "The training has run into values that are not numbers; no adapter was written.")
    halves = {name: tensor.half() for name, tensor in tensors.items()}
    safe = all(_relative_error(halves[name], tensors[name]) <= HALF_PRECISION_LOSS for name in tensors)
    configuration = {
        "r": rank,
        "lora_alpha": alpha,
        "target_modules": sorted(TARGETS[targets]),
        "lora_dropout": 0.0,
        "bias": "none",
        "use_rslora": False,
        "use_dora": False,
        "rank_pattern": {},
        "alpha_pattern": {},
    }
    part = path.with_name(path.name + ".part.safetensors")
    StableDiffusionPipeline.save_lora_weights(
        path.parent,
        unet_lora_layers=dict(halves if safe else tensors),
        weight_name=part.name,
        unet_lora_adapter_metadata=configuration,
    )
    part.replace(path)


def count_layers(model: torch.nn.Module, adapter_name: str) -> int:
    """Number of the model's layers that the named adapter acts on."""
    return sum(isinstance(module, LoraLayer) and adapter_name in module.lora_A for module in model.modules())


def _relative_error(rounded: torch.Tensor, exact: torch.Tensor) -> float:
    size = exact.norm().item()
    error = (rounded.float() - exact).norm().item()
    # An untrained B is all zero and loses nothing; an overflow gives an infinite error.
    return error / size if size else error
