"""The names under which one and the same adapter is found in files, those that Livery does not write among them."""

from app.lora_files import key_formats
from app.lora_files.key_formats import Lora
from app.lora_files.keys.weights import DOWN, UP
from app.lora_files.safetensors_file import Tensor, float32_tensor
from tests.app.lora_files.deltas import MODULES

FORMS = (
    "canonical", "diffusers_old", "kohya", "comfyui", "comfyui_words", "kohya_diffusers", "onetrainer", "lycoris",
    "peft", "bare", "bare_with_alphas", "prefixed",
)  # fmt: skip
WITHOUT_ALPHA = ("peft", "bare", "prefixed")
"""Their alphas stand in no tensor, and are taken for the rank."""


def modules_of(architecture: str) -> dict[str, tuple[int, ...]]:
    """With the widths that diffusers' readers take for granted where they cut FLUX.1's fused layers."""
    modules = dict(MODULES[architecture])
    if architecture == "flux_1":
        for name in modules:
            if "single_transformer_blocks" in name and ".attn.to_" in name:
                modules[name] = (3072, 12)
            elif name.endswith("proj_mlp"):
                modules[name] = (12288, 12)
    return modules


def alpha_of(form: str) -> float:
    return 4.0 if form in WITHOUT_ALPHA else 2.0


def written(lora: Lora, form: str) -> tuple[dict[str, Tensor], dict[str, str]]:
    """The tensors and what their header needs. Raises like ``dialects.write``."""
    if form in ("canonical", "diffusers_old", "kohya", "comfyui"):
        return key_formats.write(lora, form)
    if form == "comfyui_words":  # the original's path with kohya's words
        tensors, _ = key_formats.write(lora, "comfyui")
        return {name.replace("lora_A", "lora_down").replace("lora_B", "lora_up"): t for name, t in tensors.items()}, {}
    tensors = {}
    for module, alpha in lora.alphas.items():
        component, _, path = module.partition(".")
        name, (down, up) = _name(component, path, form)
        tensors[f"{name}.{down}"] = lora.tensors[f"{module}.{DOWN}"]
        tensors[f"{name}.{up}"] = lora.tensors[f"{module}.{UP}"]
        if form not in WITHOUT_ALPHA:
            tensors[f"{name}.alpha"] = float32_tensor(alpha)
    return tensors, {}


def _name(component: str, path: str, form: str) -> tuple[str, tuple[str, str]]:
    flat, words = path.replace(".", "_"), ("lora_down.weight", "lora_up.weight")
    text = {"text_encoder": "lora_te1_", "text_encoder_2": "lora_te2_"}.get(component)
    match form:
        case "kohya_diffusers":
            return (text or "lora_unet_") + flat, words
        case "onetrainer":
            return (text or "lora_transformer_") + flat, words
        case "lycoris":
            return "lycoris_" + flat, words
        case "peft":
            return f"base_model.model.{path}", (DOWN, UP)
        case "bare":
            return path, (DOWN, UP)
        case "bare_with_alphas":
            return path, words
        case _:
            return f"diffusion_model.{path}", (DOWN, UP)
