"""What diffusers' own readers make of a file, taken from their code and not from ours."""

import dataclasses
import json
import re
import types
from pathlib import Path
from typing import Any

import diffusers
import numpy as np

from app.lora_files import key_formats, safetensors_file
from app.lora_files.key_formats import Lora
from app.lora_files.safetensors_file import Tensor, float32_tensor
from tests.app.lora_files.deltas import deltas

PIPELINES: dict[str, Any] = {
    "stable_diffusion_1": diffusers.StableDiffusionPipeline,
    "stable_diffusion_xl": diffusers.StableDiffusionXLPipeline,
    "flux_1": diffusers.FluxPipeline,
    "flux_2": diffusers.Flux2KleinPipeline,
    "z_image": diffusers.ZImagePipeline,
    "qwen_image": diffusers.QwenImagePipeline,
}
# What a U-Net's pipeline asks its model for when it puts Stability's numbers into blocks.
U_NET = types.SimpleNamespace(layers_per_block=2)


def arriving(tensors: dict[str, Tensor], header: dict[str, str], lora: Lora, folder: Path) -> set[str]:
    """The modules of ``lora`` whose ΔW is right once ``load_lora_weights`` of its pipeline has read the file."""
    path = folder / "measured.safetensors"
    path.write_bytes(safetensors_file.to_bytes(tensors, header))
    pipeline = PIPELINES[lora.architecture]
    options: dict[str, Any] = {"return_lora_metadata": True}
    if lora.architecture == "flux_1":
        options["return_alphas"] = True
    elif lora.architecture.startswith("stable_diffusion"):
        options["unet_config"] = U_NET
    try:
        state, *alphas, metadata = pipeline.lora_state_dict(path, **options)
    except (ValueError, KeyError, AssertionError, NotImplementedError, IndexError):
        return set()
    # As load_lora_weights does, which passes on only what bears the name of one of its components.
    components = tuple(f"{name}." for name in pipeline._lora_loadable_modules)
    found = {
        name: float32_tensor(value.detach().float().numpy())
        for name, value in state.items()
        if name.startswith(components) and not name.endswith(".alpha")
    }
    try:
        read = key_formats.read(found, {key_formats.HEADER_KEY: json.dumps(metadata or {})}, lora.architecture)
    except key_formats.UnknownKeyFormat:
        return set()
    given = {_module(name): float(value) for name, value in (alphas[0] or {}).items()} if alphas else {}
    read = dataclasses.replace(read, alphas={module: given.get(module, own) for module, own in read.alphas.items()})
    ours, theirs = deltas(lora), deltas(read)
    return {
        module
        for module, delta in ours.items()
        if module in theirs and theirs[module].shape == delta.shape and np.abs(theirs[module] - delta).max() < 1e-5
    }


def lengths_arriving(tensors: dict[str, Tensor], header: dict[str, str], lora: Lora, folder: Path) -> int:
    """How many of DoRA's lengths are still there then, and are not a text encoder's: transformers passes over those."""
    path = folder / "lengths.safetensors"
    path.write_bytes(safetensors_file.to_bytes(tensors, header))
    options = {"unet_config": U_NET} if lora.architecture.startswith("stable_diffusion") else {}
    state = PIPELINES[lora.architecture].lora_state_dict(path, **options)
    state = state[0] if isinstance(state, tuple) else state
    return sum("magnitude_vector" in name and not name.startswith("text_encoder") for name in state)


def _module(name: str) -> str:
    """The module that one of diffusers' alphas belongs to, whose names have the processors and endings of 2023."""
    name = name.removesuffix(".alpha").replace(".processor", "")
    name = re.sub(r"(?:[._]lora(?:_linear_layer)?)?(?:\.down\.weight)?$", "", name)
    if name.startswith("text_encoder"):
        return re.sub(r"\.to_(q|k|v|out)$", r".\1_proj", name)
    return re.sub(r"(attn[12]\.to_out)$", r"\1.0", name)
