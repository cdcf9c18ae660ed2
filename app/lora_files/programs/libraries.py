"""What diffusers, sd-scripts and InvokeAI load.

diffusers 0.42 is measured: ``tests/app/lora_files/test_programs.py`` gives every form of every file to its readers. Of
the others Livery's own files were measured with their loaders (``test_loader_table.py``), all but FLUX.2's marked file
and today's diffusers file. These and the rest are told from their sources: sd-scripts' ``networks/lora.py`` and
``lora_flux.py``, InvokeAI's ``backend/patches``, both of 2026. Of InvokeAI's newer bases we have looked at FLUX.2 in
its makers' names and in diffusers'.
"""

import re
from dataclasses import replace

from app.lora_files import flux_2_mark
from app.lora_files.families import known
from app.lora_files.keys.layers import Layer
from app.lora_files.keys.module_names import original_layer
from app.lora_files.keys.weights import MAGNITUDE
from app.lora_files.programs.fit import (
    DORA_OF_COLUMNS,
    NEEDS_ALPHA,
    NEEDS_LYCORIS,
    NO_ALPHA,
    NO_DORA,
    NO_DORA_IN_TEXT,
    NO_KIND,
    NOT_KNOWN,
    ORIGINAL_FLUX,
    ORIGINAL_U_NET,
    OTHER_BASE,
    OTHER_LAYERS,
    OTHER_NAMES,
    REFUSES_ALPHA,
    TAKEN_FOR_FLUX_1,
    TEXT_NAMES,
    Contents,
    Fit,
    after,
    by_layers,
    none,
    words,
)

_FLUX_BLOCKS = ("double_blocks_", "single_blocks_")
_FLUX_2_FLAT = (*_FLUX_BLOCKS, "img_in", "txt_in", "time_in", "final_layer_linear")
_FLUX_2_IN_INVOKEAI = {
    "context_embedder", "single_transformer_blocks.0.attn.to_qkv_mlp_proj", "transformer_blocks.0.ff.linear_in",
}  # fmt: skip
"""By these it tells FLUX.2 in diffusers' names from FLUX.1; the words alone do not suffice."""
_INVOKE_FLUX = re.compile(
    r"lora_unet_\w+_blocks_\d+_(img_attn|img_mlp|img_mod|txt_attn|txt_mlp|txt_mod|linear1|linear2|modulation)"
    r"|lora_te1_text_model_encoder_layers_\d+_(mlp|self_attn)_"
    r"|lora_te2_encoder_block_\d+_layer_\d+_(DenseReluDense|SelfAttention)_"
)


def diffusers(contents: Contents) -> Fit:
    program, name, architecture = "diffusers", "diffusers", contents.architecture
    if contents.kind:
        # Its loaders of other bases refuse every tensor that is not called LoRA.
        if contents.kind != "LoKr" or contents.key_format not in known.get(architecture).diffusers_lokr:
            return none(contents, program, name, NO_KIND, kind=contents.kind)
        return Fit(program, name, contents.total, contents.total)
    if known.is_u_net(architecture):
        fit = _u_net_in_diffusers(contents, program, name)
    elif architecture == "flux_1":
        fit = _flux_1_in_diffusers(contents, program, name)
    elif architecture == "flux_2":
        fit = _flux_2_in_diffusers(contents, program, name)
    else:
        # What comes without a prefix gets one only along with alphas.
        named = contents.has_alphas or all(_is_prefixed(one) for one in contents.layers)
        read = contents.key_format in ("kohya", "comfyui") or (contents.key_format == "canonical" and named)
        fit = Fit(program, name, contents.total, contents.total) if read else none(contents, program, name, OTHER_NAMES)
    # It throws away what bears LyCORIS's word, with a warning; and gives text encoders to transformers, whose loader
    # passes over DoRA's lengths under any name.
    everywhere = sum(1 for one in contents.layers if "dora_scale" in words(one))
    if fit.loaded and everywhere:
        return replace(fit, loaded=fit.loaded - everywhere, reason=NO_DORA)
    in_text = sum(1 for one in contents.layers if MAGNITUDE in one.names and one.component.startswith("text_encoder"))
    if fit.loaded and in_text:
        return replace(fit, loaded=fit.loaded - in_text, reason=NO_DORA_IN_TEXT)
    return fit


def _is_prefixed(layer: Layer) -> bool:
    return after(layer, f"{layer.component}.") is not None


def _u_net_in_diffusers(contents: Contents, program: str, name: str) -> Fit:
    if contents.key_format in ("canonical", "diffusers_old"):
        return by_layers(contents, program, name, _is_prefixed)
    if contents.key_format not in ("kohya", "kohya_sgm"):
        return none(contents, program, name, OTHER_NAMES)
    # Its table has Stability's name for SDXL's added conditions and not its own.
    return by_layers(contents, program, name, lambda one: after(one, "lora_unet_add_embedding_") is None)


def _flux_1_in_diffusers(contents: Contents, program: str, name: str) -> Fit:
    if contents.key_format == "canonical":
        # It has a place for CLIP alone.
        return by_layers(
            contents,
            program,
            name,
            lambda one: after(one, "transformer.", "text_encoder.") is not None,
            OTHER_LAYERS,
        )
    if contents.key_format == "xlabs":
        return Fit(program, name, contents.total, contents.total)
    if contents.key_format == "onetrainer":
        # Of a block it knows the attention, and gives all other layers one and the same name.
        if all(after(one, "lora_te1_") is not None or _attention(one) for one in contents.layers):
            return Fit(program, name, contents.total, contents.total)
        return none(contents, program, name, OTHER_NAMES)
    flat = contents.key_format == "kohya"
    dotted = contents.key_format == "comfyui" and all("lora_down.weight" in words(one) for one in contents.layers)
    if not flat and not dotted:
        return none(contents, program, name, OTHER_NAMES)
    denoiser = [after(one, "lora_unet_", "diffusion_model.") for one in contents.layers]
    if any(path is not None and not path.startswith(ORIGINAL_FLUX) for path in denoiser):
        return none(contents, program, name, OTHER_NAMES)

    def hears(layer: Layer) -> bool:
        # The embedders and the last layer lose their prefix on the way, and are dropped without a word.
        path = after(layer, "lora_unet_", "diffusion_model.")
        if path is not None:
            return path.replace(".", "_").startswith(_FLUX_BLOCKS)
        return after(layer, "lora_te_", "lora_te1_", "text_encoders.clip_l.transformer.") is not None

    return by_layers(contents, program, name, hears, OTHER_LAYERS)


def _flux_2_in_diffusers(contents: Contents, program: str, name: str) -> Fit:
    if contents.key_format == "canonical":
        return by_layers(contents, program, name, _is_prefixed)
    if contents.key_format == "kohya":
        return by_layers(
            contents, program, name, lambda one: (after(one, "lora_unet_") or "").startswith(_FLUX_2_FLAT), OTHER_LAYERS
        )
    if contents.key_format not in ("comfyui", "peft"):
        return none(contents, program, name, OTHER_NAMES)
    if contents.has_alphas:
        return none(contents, program, name, REFUSES_ALPHA)
    # One name that it does not know, and it refuses the file; kohya's words take it down another way.
    blocks = ("transformer_blocks.", "single_transformer_blocks.")
    paths = {one.path: after(one, "diffusion_model.", "base_model.model.") or "" for one in contents.layers}
    if any("lora_down.weight" in words(one) for one in contents.layers) or not all(
        path.startswith(blocks) or original_layer("flux_2", path) is not None for path in paths.values()
    ):
        return none(contents, program, name, OTHER_NAMES)
    # Of the last modulation it forgets that shift and scale stand the other way round in its own model.
    return by_layers(
        contents, program, name, lambda one: paths[one.path] != "final_layer.adaLN_modulation.1", OTHER_LAYERS
    )


def _attention(layer: Layer) -> bool:
    path = after(layer, "lora_transformer_") or ""
    embedder = path.startswith(("context_embedder", "norm_out", "proj_out", "x_embedder", "time_text_embed"))
    return embedder or "_attn_" in path


def kohya(contents: Contents) -> Fit:
    program, name, architecture = "kohya", "kohya sd-scripts", contents.architecture
    if not known.runs_in(architecture, program):
        return none(contents, program, name, OTHER_BASE)
    if contents.key_format not in ("kohya", "kohya_sgm"):
        return none(contents, program, name, OTHER_NAMES)
    if contents.kind:
        return Fit(program, name, contents.total, contents.total, NEEDS_LYCORIS, {"kind": contents.kind})
    if any("lora_down.weight" not in words(one) for one in contents.layers):
        return none(contents, program, name, OTHER_NAMES)
    if architecture == "flux_1":
        if not all("alpha" in one.names for one in contents.layers):
            return none(contents, program, name, NEEDS_ALPHA)
        fit = by_layers(contents, program, name, _flux_in_kohya, OTHER_LAYERS)
    else:
        fit = by_layers(contents, program, name, lambda one: _u_net_in_kohya(one, architecture), OTHER_LAYERS)
        missed = [one for one in contents.layers if not _u_net_in_kohya(one, architecture)]
        if fit.loaded and missed and all(one.component != "unet" and one.path != "text_projection" for one in missed):
            fit = replace(fit, reason=TEXT_NAMES)
    if fit.loaded and contents.lengths:
        return replace(fit, loaded=max(0, fit.loaded - contents.lengths), reason=NO_DORA)
    return fit


def _u_net_in_kohya(layer: Layer, architecture: str) -> bool:
    """It makes layers inside attention, residual blocks and samplers; what lies beside them has no place."""
    is_xl = known.get(architecture).has_two_encoders
    if (flat := after(layer, "lora_unet_")) is not None:
        inside = ("down_blocks_", "mid_block_", "up_blocks_")
        if flat.startswith(ORIGINAL_U_NET):
            return is_xl and re.match(r"(input_blocks_(?!0_)|middle_block_|output_blocks_)", flat) is not None
        return flat.startswith(inside)  # SDXL's are renamed to Stability's first
    path = after(layer, *(("lora_te1_", "lora_te2_") if is_xl else ("lora_te_",)))
    return path is not None and "text_projection" not in path


def _flux_in_kohya(layer: Layer) -> bool:
    if (flat := after(layer, "lora_unet_")) is not None:
        return flat.startswith(ORIGINAL_FLUX) and not flat.startswith("final_layer")
    return after(layer, "lora_te1_", "lora_te3_") is not None


def invokeai(contents: Contents) -> Fit:
    program, name, architecture = "invokeai", "InvokeAI", contents.architecture
    if not known.runs_in(architecture, program):
        return Fit(program, name, None, contents.total, NOT_KNOWN)
    if known.is_u_net(architecture):
        return _u_net_in_invokeai(contents, program, name)
    if architecture == "flux_2":
        return _flux_2_in_invokeai(contents, program, name)
    fit = Fit(program, name, contents.total, contents.total)
    if contents.key_format in ("xlabs", "onetrainer"):
        return fit
    if contents.key_format == "comfyui":
        is_known = all((after(one, "diffusion_model.") or "").startswith(ORIGINAL_FLUX) for one in contents.layers)
        is_known = is_known and not any("lora_down.weight" in words(one) for one in contents.layers)
    elif contents.key_format == "kohya":
        # One name of another pattern, a T5 under sd-scripts' name say, and it does not know the file.
        is_known = all(_INVOKE_FLUX.match(tensor) for one in contents.layers for tensor in one.names.values())
    else:
        is_known = contents.key_format in ("canonical", "peft") and _diffusers_in_invokeai(contents)
        if is_known and contents.untold and set(contents.untold) != {1.0} and max(contents.untold) > 0:
            return replace(fit, reason=NO_ALPHA, params={"factor": f"{1 / max(contents.untold):.3g}"})
    if not is_known:
        return none(contents, program, name, OTHER_NAMES)
    return replace(fit, reason=DORA_OF_COLUMNS) if contents.measures_rows else fit


def _flux_2_in_invokeai(contents: Contents, program: str, name: str) -> Fit:
    fit = Fit(program, name, contents.total, contents.total)
    if contents.key_format == "comfyui":
        paths = [after(one, "diffusion_model.") or "" for one in contents.layers]
        if any("lora_down.weight" in words(one) for one in contents.layers) or not all(
            path.startswith(ORIGINAL_FLUX) for path in paths
        ):
            return none(contents, program, name, OTHER_NAMES)
        if not flux_2_mark.is_told_apart(contents.entries):
            return none(contents, program, name, TAKEN_FOR_FLUX_1)
        return replace(fit, reason=DORA_OF_COLUMNS) if contents.measures_rows else fit
    if contents.key_format != "canonical":
        return Fit(program, name, None, contents.total, NOT_KNOWN)
    paths = [after(one, "transformer.") or "" for one in contents.layers]
    plain = all(words(one) == {"lora_A.weight", "lora_B.weight"} for one in contents.layers)
    if not plain or not all(paths) or not any("to_qkv_mlp_proj" in path or ".linear_in" in path for path in paths):
        return none(contents, program, name, OTHER_NAMES)
    if not set(paths) & _FLUX_2_IN_INVOKEAI:
        return none(contents, program, name, TAKEN_FOR_FLUX_1)
    if contents.untold and set(contents.untold) != {1.0} and max(contents.untold) > 0:
        return replace(fit, reason=NO_ALPHA, params={"factor": f"{1 / max(contents.untold):.3g}"})
    return fit


def _diffusers_in_invokeai(contents: Contents) -> bool:
    """By two layers of the first blocks; it has no place for text encoders or the last modulation."""
    paths = {after(one, "transformer.", "base_model.model.") for one in contents.layers}
    signs = {"single_transformer_blocks.0.attn.to_q", "transformer_blocks.0.attn.add_q_proj"}
    plain = all(words(one) == {"lora_A.weight", "lora_B.weight"} for one in contents.layers)
    return plain and None not in paths and "norm_out.linear" not in paths and paths >= signs


def _u_net_in_invokeai(contents: Contents, program: str, name: str) -> Fit:
    is_xl = known.get(contents.architecture).has_two_encoders
    allowed = ("lora_unet_", "lora_te1_", "lora_te2_", *(() if is_xl else ("lora_te_",)))
    stops = any(
        after(one, *allowed) is None or not words(one) & {"lora_up.weight", "hada_w1_a", "lokr_w1", "lokr_w1_a"}
        for one in contents.layers
    )
    if contents.key_format not in ("kohya", "kohya_sgm") or stops:
        return none(contents, program, name, OTHER_NAMES)

    def hears(layer: Layer) -> bool:
        if is_xl:
            return True
        flat = after(layer, "lora_unet_")
        # It turns Stability's names into diffusers' for SDXL alone.
        return not flat.startswith(ORIGINAL_U_NET) if flat is not None else after(layer, "lora_te_") is not None

    fit = by_layers(contents, program, name, hears)
    if fit.reason and all(hears(one) for one in contents.layers if one.component == "unet"):
        return replace(fit, reason=TEXT_NAMES)
    return replace(fit, reason=DORA_OF_COLUMNS) if fit.loaded and not fit.reason and contents.measures_rows else fit
