"""A base model whose checkpoint is one file in its makers' names, as such files are traded.

The configuration, the word lists and what the file does not hold lie in ``Base.parts``; nothing is fetched. It does not
know the VAE scaling or text encoders of models that leave their family's configuration: such files load wrongly.
"""

import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch
from diffusers import FluxTransformer2DModel
from diffusers.loaders.single_file_utils import SingleFileComponentError
from safetensors import SafetensorError, safe_open
from safetensors.torch import load_file

from worker.engines.contracts import Base, EngineError
from worker.engines.image.base import model_cache


def is_one(base: Base) -> bool:
    return base.source.endswith(".safetensors") and Path(base.source).is_absolute()


def stable_diffusion(pipeline_class: Any, base: Base, dtype: torch.dtype, **options: Any) -> Any:
    """Denoiser, autoencoder and text encoders from the file. Raises ``EngineError`` (``model_unavailable``)."""
    with model_cache.loading_in_words(base, base.parts), _other_layouts_in_words(base):
        pipeline = pipeline_class.from_single_file(
            base.source, config=base.parts, local_files_only=True, dtype=dtype, **options
        )
    names = _names(base)
    if "v_pred" in names:  # how such files say what they predict; the configuration is the family's
        changes = {"prediction_type": "v_prediction"} | ({"rescale_betas_zero_snr": True} if "ztsnr" in names else {})
        pipeline.scheduler = type(pipeline.scheduler).from_config(pipeline.scheduler.config, **changes)
    return pipeline


def flux(pipeline_class: Any, base: Base, dtype: torch.dtype) -> Any:
    """The transformer from the file, all else from ``parts``. Raises ``EngineError`` (``model_unavailable``).

    Translated here: diffusers' own way takes the width of the published model for granted.
    """
    with model_cache.loading_in_words(base, base.parts), _other_layouts_in_words(base):
        with torch.device("meta"):
            configuration = FluxTransformer2DModel.load_config(base.parts, subfolder="transformer")
            transformer = FluxTransformer2DModel.from_config(configuration)
        tensors = load_file(base.source)
        prefix = "model.diffusion_model."
        plain = {name.removeprefix(prefix): tensors.pop(name).to(dtype) for name in list(tensors)}
        transformer.load_state_dict(_flux_tensors(plain, transformer), strict=True, assign=True)
        return pipeline_class.from_pretrained(
            base.parts, transformer=transformer, local_files_only=True, use_safetensors=True, dtype=dtype
        )


EMBEDDERS = {
    "img_in": "x_embedder",
    "txt_in": "context_embedder",
    "time_in.in_layer": "time_text_embed.timestep_embedder.linear_1",
    "time_in.out_layer": "time_text_embed.timestep_embedder.linear_2",
    "vector_in.in_layer": "time_text_embed.text_embedder.linear_1",
    "vector_in.out_layer": "time_text_embed.text_embedder.linear_2",
    "guidance_in.in_layer": "time_text_embed.guidance_embedder.linear_1",
    "guidance_in.out_layer": "time_text_embed.guidance_embedder.linear_2",
    "final_layer.linear": "proj_out",
}
IN_DOUBLE_BLOCKS = {
    "img_mod.lin": "norm1.linear",
    "txt_mod.lin": "norm1_context.linear",
    "img_attn.norm.query_norm": "attn.norm_q",
    "img_attn.norm.key_norm": "attn.norm_k",
    "txt_attn.norm.query_norm": "attn.norm_added_q",
    "txt_attn.norm.key_norm": "attn.norm_added_k",
    "img_attn.proj": "attn.to_out.0",
    "txt_attn.proj": "attn.to_add_out",
    "img_mlp.0": "ff.net.0.proj",
    "img_mlp.2": "ff.net.2",
    "txt_mlp.0": "ff_context.net.0.proj",
    "txt_mlp.2": "ff_context.net.2",
}
IN_SINGLE_BLOCKS = {
    "modulation.lin": "norm.linear",
    "norm.query_norm": "attn.norm_q",
    "norm.key_norm": "attn.norm_k",
    "linear2": "proj_out",
}
FUSED = {
    "img_attn.qkv": ("attn.to_q", "attn.to_k", "attn.to_v"),
    "txt_attn.qkv": ("attn.add_q_proj", "attn.add_k_proj", "attn.add_v_proj"),
    "linear1": ("attn.to_q", "attn.to_k", "attn.to_v", "proj_mlp"),
}
"""Layers that the original keeps as one, in their order there."""


def _flux_tensors(tensors: dict[str, torch.Tensor], transformer: Any) -> dict[str, torch.Tensor]:
    """The tensors of Black Forest Labs' layout (https://github.com/black-forest-labs/flux) in diffusers' names."""
    width = transformer.inner_dim
    found: dict[str, torch.Tensor] = {}
    for name, tensor in tensors.items():
        layer, _, kind = name.rpartition(".")
        kind = "weight" if kind == "scale" else kind
        block, _, inside = layer.partition("_blocks.")
        number, _, inside = inside.partition(".")
        if layer in EMBEDDERS:
            found[f"{EMBEDDERS[layer]}.{kind}"] = tensor
        elif layer == "final_layer.adaLN_modulation.1":
            shift, scale = tensor.chunk(2)  # diffusers has them the other way round
            found[f"norm_out.linear.{kind}"] = torch.cat([scale, shift])
        elif block not in ("double", "single") or not number.isdigit():
            raise ValueError(f"nobody knows the tensor {name[:80]}")
        else:
            ours = f"transformer_blocks.{number}" if block == "double" else f"single_transformer_blocks.{number}"
            if inside in FUSED:
                parts = [width, width, width, tensor.shape[0] - 3 * width][: len(FUSED[inside])]
                for part, piece in zip(FUSED[inside], tensor.split(parts), strict=True):
                    found[f"{ours}.{part}.{kind}"] = piece.clone()
            else:
                known = IN_DOUBLE_BLOCKS if block == "double" else IN_SINGLE_BLOCKS
                if inside not in known:
                    raise ValueError(f"nobody knows the tensor {name[:80]}")
                found[f"{ours}.{known[inside]}.{kind}"] = tensor
    return found


@contextlib.contextmanager
def _other_layouts_in_words(base: Base) -> Iterator[None]:
    """Tensors that are missing, of another shape, or of a damaged file."""
    try:
        yield
    except torch.OutOfMemoryError:
        raise
    except (RuntimeError, KeyError, IndexError, SafetensorError, SingleFileComponentError) as error:
        raise EngineError(
            "model_unavailable",
            f"The checkpoint {Path(base.source).name} holds other tensors than its family has, or is damaged. Choose "
            "another base model.",
        ) from error


def _names(base: Base) -> set[str]:
    try:
        with safe_open(base.source, framework="pt") as file:
            return set(file.keys())
    except (OSError, SafetensorError) as error:
        raise EngineError(
            "model_unavailable", f"The checkpoint {Path(base.source).name} cannot be read. Fetch it again."
        ) from error
