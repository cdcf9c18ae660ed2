"""Reading adapter files into a U-Net pipeline and its text encoders: shared by SD 1.x and SDXL."""

import re
from collections.abc import Mapping
from typing import Any, TypeVar

import torch
from diffusers.utils import convert_state_dict_to_diffusers, convert_state_dict_to_peft
from diffusers.utils.peft_utils import _create_lora_config
from peft.utils import set_peft_model_state_dict
from safetensors import SafetensorError

from worker.engines.contracts import AdapterFile, EngineError
from worker.engines.image.base import hot_swap, lora, lycoris

Value = TypeVar("Value")


def load(pipeline: Any, adapter: AdapterFile, name: str) -> bool:
    """Load one file, diffusers' or kohya's names. Says whether it changes a text encoder too.

    Raises ``EngineError``: ``adapter_mismatch`` unless every one of its layers exists in this base model with the same
    shape, ``adapter_unreadable`` for a damaged file.
    """
    encoders = {key: getattr(pipeline, key) for key in ("text_encoder", "text_encoder_2") if hasattr(pipeline, key)}
    try:
        if lycoris.is_one(adapter.path):
            return lycoris.load({"unet": pipeline.unet} | encoders, adapter.path, name)
        tensors, alphas, metadata = pipeline.lora_state_dict(
            adapter.path.parent,
            weight_name=adapter.path.name,
            local_files_only=True,
            use_safetensors=True,
            return_lora_metadata=True,
            unet_config=pipeline.unet.config,
        )
        facts = {"network_alphas": alphas, "metadata": metadata, "adapter_name": name, "_pipeline": pipeline}
        touched = [key for key in encoders if any(tensor.startswith(f"{key}.") for tensor in tensors)]
        # As load_lora_weights does, but without its warnings about parts that were not trained.
        if any(key.startswith("unet.") for key in tensors):
            pipeline.load_lora_into_unet(tensors, unet=pipeline.unet, **facts)
        for key in touched:
            load_into_text_encoder(encoders[key], key, tensors, alphas, metadata, name)
    except (OSError, SafetensorError) as error:
        raise EngineError("adapter_unreadable", "The adapter's file is missing or damaged. Export it again.") from error
    except (ValueError, KeyError, RuntimeError, TypeError) as error:
        hot_swap.remove(pipeline, name)
        raise hot_swap.mismatch() from error
    # The libraries only warn about layers that the model does not have, and fill a missing half with random numbers.
    found = sum(lora.count_layers(model, name) for model in (pipeline.unet, *encoders.values()))
    layers = lora.layers_in(tensors)
    if layers is None or len(layers) != found or not all(torch.isfinite(tensor).all() for tensor in tensors.values()):
        hot_swap.remove(pipeline, name)
        raise hot_swap.mismatch()
    return bool(touched)


def load_into_text_encoder(
    encoder: Any,
    prefix: str,
    tensors: Mapping[str, torch.Tensor],
    alphas: Mapping[str, float] | None,
    metadata: Mapping[str, Any] | None,
    name: str,
) -> None:
    """As diffusers does it, but by ``lora.add``, see there."""
    own = convert_state_dict_to_peft(convert_state_dict_to_diffusers(_under(prefix, tensors)))
    settings = _under(prefix, metadata or {})
    if not hasattr(encoder, "text_model"):
        own = {key.removeprefix("text_model."): value for key, value in own.items()}
        settings = _without_text_model(settings)
    ranks = {key: value.shape[1] for key, value in own.items() if key.endswith("lora_B.weight")}
    configuration = _create_lora_config(
        own, _under(prefix, alphas or {}) or None, settings or None, ranks, is_unet=False
    )
    lora.add(encoder, configuration, name)
    set_peft_model_state_dict(encoder, own, adapter_name=name)
    encoder.to(device=encoder.device, dtype=encoder.dtype)


def _without_text_model(settings: Mapping[str, Any]) -> dict[str, Any]:
    """PEFT's settings for a CLIP class that has lost this level, from a file that was written when it was there."""
    found = dict(settings)
    if isinstance(targets := settings.get("target_modules"), list):
        found["target_modules"] = [str(one).removeprefix("text_model.") for one in targets]
    for kind in ("rank_pattern", "alpha_pattern"):
        if isinstance(patterns := settings.get(kind), dict):
            found[kind] = {re.sub(r"^(\^?)text_model\.", r"\1", key): value for key, value in patterns.items()}
    return found


def _under(prefix: str, values: Mapping[str, Value]) -> dict[str, Value]:
    return {key.removeprefix(f"{prefix}."): value for key, value in values.items() if key.startswith(f"{prefix}.")}
