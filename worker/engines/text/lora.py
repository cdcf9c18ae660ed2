"""The low-rank adapter in a language model: put in, read out, written as a file that PEFT reads.

ΔW = (alpha / rank) · B @ A with A = lora_A (rank, in) and B = lora_B (out, rank). Hu et al. 2021; over a base in 4 bits
it is QLoRA (Dettmers et al. 2023).
"""

import json
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from peft import LoraConfig, inject_adapter_in_model
from peft.utils import get_peft_model_state_dict, set_peft_model_state_dict
from safetensors.torch import save_file

from app.trainings.voice.recipe import VoiceRecipe, VoiceTargets
from worker.engines.contracts import EngineError
from worker.engines.text.base import CONFIGURATION, PREFIX

TRAINING = "in_training"
ATTENTION = ("q_proj", "k_proj", "v_proj", "o_proj")
TARGETS: dict[VoiceTargets, tuple[str, ...]] = {
    "attention": ATTENTION,
    "attention_and_feed_forward": (*ATTENTION, "gate_proj", "up_proj", "down_proj"),
}


def inject(model: Any, recipe: VoiceRecipe, generator: torch.Generator) -> dict[str, torch.nn.Parameter]:
    """Freeze the model and add a trainable adapter; returns its parameters by name, in a fixed order, float32.

    Starts as PEFT starts: A is Kaiming-uniform with a = √5, B is zero, so that the model writes as before; but A comes
    from ``generator`` (on the CPU) and the process's own random state is left alone. Raises ``EngineError``
    (``model_unsupported``).
    """
    model.requires_grad_(False)
    config = LoraConfig(
        r=recipe.rank, lora_alpha=recipe.alpha, target_modules=list(TARGETS[recipe.target_modules]), lora_dropout=0.0
    )
    try:
        with torch.random.fork_rng():
            inject_adapter_in_model(config, model, adapter_name=TRAINING)
    except ValueError as error:
        raise EngineError(
            "model_unsupported", "This language model is built in a way that this training does not know."
        ) from error
    parameters = {name: one for name, one in sorted(model.named_parameters()) if f".{TRAINING}." in name}
    for name, parameter in parameters.items():
        parameter.requires_grad_(True)
        parameter.data = parameter.data.float()
        if ".lora_A." in name:
            start = torch.empty(parameter.shape, dtype=torch.float32)
            torch.nn.init.kaiming_uniform_(start, a=math.sqrt(5), generator=generator)
            parameter.data.copy_(start)
    return parameters


def state(model: Any) -> dict[str, torch.Tensor]:
    """The trained adapter's tensors under PEFT's names, float32 copies on the CPU."""
    tensors = get_peft_model_state_dict(model, adapter_name=TRAINING)
    return {name: tensor.detach().float().cpu().clone().contiguous() for name, tensor in sorted(tensors.items())}


def restore(model: Any, tensors: Mapping[str, torch.Tensor]) -> None:
    """Set the adapter's tensors to those that ``state`` gave. Raises ``EngineError`` (``bad_checkpoint``)."""
    expected = {name: tensor.shape for name, tensor in get_peft_model_state_dict(model, adapter_name=TRAINING).items()}
    if {name: tensor.shape for name, tensor in tensors.items()} != expected:
        raise EngineError("bad_checkpoint", "The checkpoint belongs to another adapter. Start the training anew.")
    set_peft_model_state_dict(model, dict(tensors), adapter_name=TRAINING)


def configuration(recipe: VoiceRecipe, base_name: str) -> dict[str, Any]:
    """What PEFT needs to load the adapter. Only fields that every PEFT knows: an unknown one makes it refuse."""
    return {
        "peft_type": "LORA",
        "task_type": "CAUSAL_LM",
        "base_model_name_or_path": base_name,
        "inference_mode": True,
        "r": recipe.rank,
        "lora_alpha": recipe.alpha,
        "target_modules": sorted(TARGETS[recipe.target_modules]),
        "lora_dropout": 0.0,
        "bias": "none",
        "fan_in_fan_out": False,
        "use_rslora": False,
    }


def save(tensors: Mapping[str, torch.Tensor], facts: dict[str, Any], path: Path) -> None:
    """Write the adapter in float32 under PEFT's names, its configuration in the header, complete or not at all.

    Raises ``EngineError`` (``diverged``) when a value is not finite.
    """
    if not all(torch.isfinite(tensor).all() for tensor in tensors.values()):
        raise EngineError("diverged", "The training has run into values that are not numbers; no adapter was written.")
    part = path.with_name(path.name + ".part")
    named = {PREFIX + name: tensor for name, tensor in tensors.items()}
    # One entry alone: the library writes several in changing order, and the same training must give the same file.
    save_file(named, part, metadata={CONFIGURATION: json.dumps(facts)})
    part.replace(path)
