"""What ComfyUI, Forge and AUTOMATIC1111 load, told from their sources; measured with their loaders for Livery's own
files (``tests/app/lora_files/test_loader_table.py``).

ComfyUI by ``comfy/lora.py``, ``lora_convert.py`` and ``weight_adapter``, of November 2026; Forge's last version carries
the same from August 2024, without XLabs' names; A1111 1.10 by ``extensions-builtin/Lora``.
"""

import re
from dataclasses import replace

from app.lora_files.families import known
from app.lora_files.families.facts import Architecture
from app.lora_files.keys.layers import Layer
from app.lora_files.programs.fit import (
    DORA_OF_BASE,
    DORA_OF_COLUMNS,
    FLAT,
    NO_ALPHA,
    NO_DORA,
    ORIGINAL_FLUX,
    ORIGINAL_U_NET,
    OTHER_BASE,
    OTHER_LAYERS,
    OTHER_NAMES,
    SOME_NAMES,
    TEXT_NAMES,
    TOO_MANY_LEFT,
    Contents,
    Fit,
    after,
    by_layers,
    none,
    words,
)

_WHOLE_XLABS = ("single_blocks.37.processor.qkv_lora.up.weight", "double_blocks.18.processor.qkv_lora2.up.weight")
"""By these two ComfyUI knows XLabs' names: an adapter that leaves one of the layers out is not recognised."""
_MOST_LEFT_OVER_IN_FORGE = 12
"""With more tensors that belong to no layer of its own it says that the adapter was made for another base."""
_CLIP = r"text_model[._]encoder[._]layers[._]\d+[._](mlp[._]fc[12]|self_attn[._](q|k|v|out)_proj)"
_ONLY_IN_FLUX_2 = ("time_guidance_embed", "single_stream_modulation", "double_stream_modulation")
_MODULES = (
    {"lora_up.weight", "lora_down.weight"},
    {"hada_w1_a", "hada_w1_b", "hada_w2_a", "hada_w2_b"},
    *({one, two} for one in ("lokr_w1", "lokr_w1_a") for two in ("lokr_w2", "lokr_w2_a")),
)
"""What A1111 makes a layer of."""


def comfyui(contents: Contents) -> Fit:
    return _like_comfyui(contents, "comfyui", "ComfyUI")


def forge(contents: Contents) -> Fit:
    if not known.runs_in(contents.architecture, "forge"):
        return none(contents, "forge", "Forge", OTHER_BASE)
    if contents.key_format == "xlabs":
        return none(contents, "forge", "Forge", OTHER_NAMES)
    fit = _like_comfyui(contents, "forge", "Forge")
    if fit.loaded and _left_over(contents) > _MOST_LEFT_OVER_IN_FORGE:
        return none(contents, "forge", "Forge", TOO_MANY_LEFT, most=str(_MOST_LEFT_OVER_IN_FORGE))
    return fit


def _left_over(contents: Contents) -> int:
    """Tensors that ``load_lora`` takes for no layer, with the alphas and what belongs to no layer at all."""
    taken = [name for layer in contents.layers if _hears(contents, layer) for name in layer.names.values()]
    return len(contents.entries) - sum(1 for name in taken if "magnitude_vector" not in name)


def _like_comfyui(contents: Contents, program: str, name: str) -> Fit:
    if contents.key_format == "xlabs":
        named = {tensor for layer in contents.layers for tensor in layer.names.values()}
        if not named.issuperset(_WHOLE_XLABS):
            return none(contents, program, name, OTHER_NAMES)
        return Fit(program, name, contents.total, contents.total)

    def hears(layer: Layer) -> bool:
        return _hears(contents, layer)

    fit = by_layers(contents, program, name, hears)
    if not fit.loaded:
        return fit
    # It looks for LyCORIS's word alone; PEFT's stays unread.
    unread = sum(1 for one in contents.layers if hears(one) and any("magnitude_vector" in word for word in words(one)))
    if unread:
        return replace(fit, loaded=fit.loaded - unread, reason=fit.reason or NO_DORA)
    if fit.reason:
        return fit
    if contents.untold and set(contents.untold) != {1.0} and max(contents.untold) > 0:
        return replace(fit, reason=NO_ALPHA, params={"factor": f"{1 / max(contents.untold):.3g}"})
    return replace(fit, reason=DORA_OF_BASE) if contents.measures_rows else fit


def _hears(contents: Contents, layer: Layer) -> bool:
    if layer.component.startswith("text_encoder"):
        return _text_in_comfyui(layer, contents.architecture)
    if known.is_u_net(contents.architecture):
        return _u_net_in_comfyui(layer)
    return _transformer_in_comfyui(layer, contents.architecture)


def _text_in_comfyui(layer: Layer, architecture: Architecture) -> bool:
    if after(layer, "text_encoders.") is not None:
        return True
    if architecture == "flux_1" and layer.component == "text_encoder_2":
        return after(layer, "lora_te2_", "lora_te3_") is not None
    if (flat := after(layer, "lora_te_", "lora_te1_", "lora_te2_")) is not None:
        return re.fullmatch(_CLIP, flat) is not None or flat == "text_projection"
    path = after(layer, "text_encoder.", "text_encoder_2.")
    return path is not None and re.fullmatch(_CLIP, path) is not None


def _u_net_in_comfyui(layer: Layer) -> bool:
    if after(layer, "lora_unet_") is not None:
        return True
    if (flat := after(layer, "lycoris_")) is not None:
        return not flat.startswith(ORIGINAL_U_NET)
    if (original := after(layer, "diffusion_model.")) is not None:
        return original.startswith(ORIGINAL_U_NET)
    path = after(layer, "unet.", "")
    # It knows diffusers' names of 2023, where attention had a processor in its path.
    return path is not None and after(layer, "base_model.") is None and (".to_" not in path or ".processor." in path)


def _transformer_in_comfyui(layer: Layer, architecture: Architecture) -> bool:
    if after(layer, "base_model.") is not None:
        return False
    is_flux = architecture in ("flux_1", "flux_2")
    if (flat := after(layer, "lora_unet_")) is not None:
        return flat.startswith(ORIGINAL_FLUX) if is_flux else "attention_to_" not in flat and "2-1" not in flat
    if (flat := after(layer, "lora_transformer_")) is not None:
        return is_flux and not flat.startswith(_ONLY_IN_FLUX_2)
    if (original := after(layer, "diffusion_model.")) is not None:
        return not is_flux or original.startswith(ORIGINAL_FLUX)
    path = after(layer, "lycoris_", "transformer.", "") or ""
    return not path.startswith((*_ONLY_IN_FLUX_2, *ORIGINAL_FLUX)) if is_flux else True


def a1111(contents: Contents) -> Fit:
    program, name, architecture = "a1111", "AUTOMATIC1111", contents.architecture
    if not known.runs_in(architecture, program):
        return none(contents, program, name, OTHER_BASE)
    if contents.key_format not in FLAT:
        return none(contents, program, name, OTHER_NAMES)
    heard = [layer for layer in contents.layers if _in_a1111(layer, architecture)]
    if any(not any(words(layer) >= needed for needed in _MODULES) for layer in heard):
        return none(contents, program, name, OTHER_NAMES)  # one layer in other words, and it refuses the whole file
    fit = by_layers(contents, program, name, lambda layer: layer in heard)
    missed = [layer for layer in contents.layers if layer not in heard]
    if fit.loaded and missed:
        if all(layer.path == "text_projection" for layer in missed):
            return replace(fit, reason=OTHER_LAYERS)
        only_text = all(layer.component != "unet" for layer in missed)
        return replace(fit, reason=TEXT_NAMES if only_text else SOME_NAMES)
    return replace(fit, reason=DORA_OF_COLUMNS) if fit.loaded and contents.measures_rows else fit


def _in_a1111(layer: Layer, architecture: Architecture) -> bool:
    """By ``convert_diffusers_name_to_compvis`` and what ``load_network`` tries after it."""
    is_xl = known.get(architecture).has_two_encoders
    if (flat := after(layer, "lora_unet_")) is not None:
        # Its table has no added conditions, and puts the first upsampler where only SD 1 and 2 have it.
        return not (is_xl and flat.startswith(("add_embedding_", "up_blocks_0_upsamplers_")))
    if (flat := after(layer, "lora_te_")) is not None:
        return not is_xl and flat.startswith("text_model_encoder_layers_")
    if (flat := after(layer, "lora_te1_")) is not None:
        # "some SD1 Loras also have correct compvis keys": it tries SDXL's name in SD 1 too.
        return architecture != "stable_diffusion_2" and flat.startswith("text_model_")
    flat = after(layer, "lora_te2_")
    return is_xl and flat is not None and flat.startswith("text_model_encoder_layers_")
