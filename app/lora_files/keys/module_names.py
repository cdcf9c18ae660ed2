"""What the same layer is called by different programs. Pure: names in, names out.

The *canonical* path of a layer is the one in diffusers' module tree (``down_blocks.0.….to_q``). Others name the layers
of the original implementation (``input_blocks.1.1.….to_q`` for Stability's U-Net, ``double_blocks.0.img_attn.qkv`` for
FLUX), where one layer may be several canonical ones lying on top of each other.

The block maps follow the layouts of the published models: two residual layers per block, so that three numbers of
``input_blocks`` or ``output_blocks`` make one block.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache

from app.lora_files.keys.bases import Architecture, UnknownDialect

# Names of modules that hold an underscore themselves; any other underscore of a flat name is a dot.
_JOINED = {
    # diffusers
    "down_blocks", "up_blocks", "mid_block", "transformer_blocks", "single_transformer_blocks", "to_q", "to_k", "to_v",
    "to_out", "to_add_out", "add_q_proj", "add_k_proj", "add_v_proj", "to_qkv", "to_added_qkv", "to_qkv_mlp_proj",
    "proj_in", "proj_out", "proj_mlp", "time_emb_proj", "conv_shortcut", "time_embedding", "add_embedding", "linear_1",
    "linear_2", "linear_in", "linear_out", "conv_in", "conv_out", "ff_context", "norm1_context", "norm_out",
    "x_embedder", "context_embedder", "time_text_embed", "time_guidance_embed", "timestep_embedder", "text_embedder",
    "guidance_embedder", "single_stream_modulation", "double_stream_modulation_img", "double_stream_modulation_txt",
    "noise_refiner", "context_refiner", "feed_forward", "adaLN_modulation", "cap_embedder", "t_embedder",
    "all_x_embedder", "all_final_layer", "img_mlp", "txt_mlp", "img_mod", "txt_mod", "img_in", "txt_in",
    # the original implementations
    "input_blocks", "middle_block", "output_blocks", "in_layers", "out_layers", "emb_layers", "skip_connection",
    "time_embed", "label_emb", "double_blocks", "single_blocks", "img_attn", "txt_attn", "in_layer", "out_layer",
    "time_in", "vector_in", "guidance_in", "final_layer",
    # text encoders
    "text_model", "text_projection", "self_attn", "q_proj", "k_proj", "v_proj", "out_proj", "wi_0", "wi_1",
}  # fmt: skip
_PLAIN = {
    "attentions", "resnets", "downsamplers", "upsamplers", "conv", "conv1", "conv2", "attn", "attn1", "attn2", "ff",
    "net", "proj", "linear", "norm", "norm1", "op", "out", "lin", "linear1", "linear2", "modulation", "qkv", "layers",
    "attention", "w1", "w2", "w3", "mlp", "2-1",
    "encoder", "fc1", "fc2", "block", "layer", "SelfAttention", "DenseReluDense", "q", "k", "v", "o", "wo",
}  # fmt: skip
_LONGEST = max(word.count("_") for word in _JOINED) + 1


@cache
def with_dots(flat: str) -> str:
    """``mid_block_attentions_0_…_to_out_0`` → ``mid_block.attentions.0.….to_out.0``. Raises ``UnknownDialect``."""
    words, path, at = flat.split("_"), [], 0
    while at < len(words):
        for length in range(min(_LONGEST, len(words) - at), 1, -1):
            joined = "_".join(words[at : at + length])
            if joined in _JOINED:
                break
        else:
            length, joined = 1, words[at]
            if joined not in _PLAIN and not joined.isdecimal():
                raise UnknownDialect(name=flat)
        path.append(joined)
        at += length
    return ".".join(path)


@dataclass(frozen=True)
class Stack:
    """The canonical layers that lie on top of each other, row by row, in one layer of the original."""

    parts: tuple[str, ...]
    heights: tuple[int, ...] = (1,)
    """How many rows each has, relative to the others."""
    is_turned: bool = False
    """The halves of its rows, shift and scale, stand the other way round in the original."""


_QKV = (1, 1, 1)
_FLUX_DOUBLE = {
    "img_attn.qkv": Stack(("attn.to_q", "attn.to_k", "attn.to_v"), _QKV),
    "txt_attn.qkv": Stack(("attn.add_q_proj", "attn.add_k_proj", "attn.add_v_proj"), _QKV),
    "img_attn.proj": Stack(("attn.to_out.0",)),
    "txt_attn.proj": Stack(("attn.to_add_out",)),
}
_FLUX_TOP = {
    "img_in": "x_embedder",
    "txt_in": "context_embedder",
    "final_layer.linear": "proj_out",
}
_BLOCKS: dict[Architecture, dict[str, tuple[str, dict[str, Stack]]]] = {
    "flux_1": {
        "double_blocks": (
            "transformer_blocks",
            _FLUX_DOUBLE
            | {
                "img_mlp.0": Stack(("ff.net.0.proj",)),
                "img_mlp.2": Stack(("ff.net.2",)),
                "txt_mlp.0": Stack(("ff_context.net.0.proj",)),
                "txt_mlp.2": Stack(("ff_context.net.2",)),
                "img_mod.lin": Stack(("norm1.linear",)),
                "txt_mod.lin": Stack(("norm1_context.linear",)),
            },
        ),
        "single_blocks": (
            "single_transformer_blocks",
            {
                "linear1": Stack(("attn.to_q", "attn.to_k", "attn.to_v", "proj_mlp"), (1, 1, 1, 4)),
                "linear2": Stack(("proj_out",)),
                "modulation.lin": Stack(("norm.linear",)),
            },
        ),
    },
    "flux_2": {
        "double_blocks": (
            "transformer_blocks",
            _FLUX_DOUBLE
            | {
                "img_mlp.0": Stack(("ff.linear_in",)),
                "img_mlp.2": Stack(("ff.linear_out",)),
                "txt_mlp.0": Stack(("ff_context.linear_in",)),
                "txt_mlp.2": Stack(("ff_context.linear_out",)),
            },
        ),
        "single_blocks": (
            "single_transformer_blocks",
            {"linear1": Stack(("attn.to_qkv_mlp_proj",)), "linear2": Stack(("attn.to_out",))},
        ),
    },
    "z_image": {
        name: (
            name,
            {
                "attention.qkv": Stack(("attention.to_q", "attention.to_k", "attention.to_v"), _QKV),
                "attention.out": Stack(("attention.to_out.0",)),
                **{same: Stack((same,)) for same in ("feed_forward.w1", "feed_forward.w2", "feed_forward.w3")},
                "adaLN_modulation.0": Stack(("adaLN_modulation.0",)),
            },
        )
        for name in ("layers", "noise_refiner", "context_refiner")
    },
    "qwen_image": {
        "transformer_blocks": (
            "transformer_blocks",
            {
                same: Stack((same,))
                for same in (
                    *(f"attn.{name}" for name in ("to_q", "to_k", "to_v", "to_out.0", "to_add_out")),
                    *(f"attn.add_{name}_proj" for name in "qkv"),
                    *(f"{side}_mlp.net.{layer}" for side in ("img", "txt") for layer in ("0.proj", "2")),
                    "img_mod.1", "txt_mod.1",
                )
            },
        )
    },
}  # fmt: skip
_TOP: dict[Architecture, dict[str, Stack]] = {
    "flux_1": {
        **{name: Stack((canonical,)) for name, canonical in _FLUX_TOP.items()},
        "final_layer.adaLN_modulation.1": Stack(("norm_out.linear",), is_turned=True),
        "time_in.in_layer": Stack(("time_text_embed.timestep_embedder.linear_1",)),
        "time_in.out_layer": Stack(("time_text_embed.timestep_embedder.linear_2",)),
        "vector_in.in_layer": Stack(("time_text_embed.text_embedder.linear_1",)),
        "vector_in.out_layer": Stack(("time_text_embed.text_embedder.linear_2",)),
        "guidance_in.in_layer": Stack(("time_text_embed.guidance_embedder.linear_1",)),
        "guidance_in.out_layer": Stack(("time_text_embed.guidance_embedder.linear_2",)),
    },
    "flux_2": {
        **{name: Stack((canonical,)) for name, canonical in _FLUX_TOP.items()},
        "final_layer.adaLN_modulation.1": Stack(("norm_out.linear",), is_turned=True),
        "time_in.in_layer": Stack(("time_guidance_embed.timestep_embedder.linear_1",)),
        "time_in.out_layer": Stack(("time_guidance_embed.timestep_embedder.linear_2",)),
        "guidance_in.in_layer": Stack(("time_guidance_embed.guidance_embedder.linear_1",)),
        "guidance_in.out_layer": Stack(("time_guidance_embed.guidance_embedder.linear_2",)),
        "single_stream_modulation.lin": Stack(("single_stream_modulation.linear",)),
        "double_stream_modulation_img.lin": Stack(("double_stream_modulation_img.linear",)),
        "double_stream_modulation_txt.lin": Stack(("double_stream_modulation_txt.linear",)),
    },
    "z_image": {
        "x_embedder": Stack(("all_x_embedder.2-1",)),
        "final_layer.linear": Stack(("all_final_layer.2-1.linear",)),
        "final_layer.adaLN_modulation.1": Stack(("all_final_layer.2-1.adaLN_modulation.1",)),
        **{same: Stack((same,)) for same in ("cap_embedder.1", "t_embedder.mlp.0", "t_embedder.mlp.2")},
    },
    "qwen_image": {
        same: Stack((same,))
        for same in (
            "img_in", "txt_in", "proj_out", "norm_out.linear",
            "time_text_embed.timestep_embedder.linear_1", "time_text_embed.timestep_embedder.linear_2",
        )
    },
}  # fmt: skip
_UNFUSED: dict[Architecture, dict[str, str]] = {
    "flux_1": {
        "transformer_blocks.attn.to_qkv": "double_blocks.img_attn.qkv",
        "transformer_blocks.attn.to_added_qkv": "double_blocks.txt_attn.qkv",
        "single_transformer_blocks.attn.to_qkv_mlp": "single_blocks.linear1",
    },
    "flux_2": {
        "transformer_blocks.attn.to_qkv": "double_blocks.img_attn.qkv",
        "transformer_blocks.attn.to_added_qkv": "double_blocks.txt_attn.qkv",
    },
    "z_image": {
        f"{block}.attention.to_qkv": f"{block}.attention.qkv"
        for block in ("layers", "noise_refiner", "context_refiner")
    },
}
"""Layers that stay fused, as what changes them, say a Kronecker product, cannot be cut: our name → the original's."""


def stack_of(architecture: Architecture, original: str) -> Stack | None:
    """The canonical paths behind an original path of a transformer; None if the original has no such layer."""
    if original in _TOP.get(architecture, {}):
        return _TOP[architecture][original]
    block, number, inside = _block_of(original)
    canonical, table = _BLOCKS.get(architecture, {}).get(block, ("", {}))
    stack = table.get(inside)
    if stack is None:
        return None
    return Stack(tuple(f"{canonical}.{number}.{part}" for part in stack.parts), stack.heights, stack.is_turned)


def original_of(architecture: Architecture, canonical: str) -> tuple[str, Stack, int] | None:
    """Where a canonical layer of a transformer lies in the original: path, the whole stack, its place in it."""
    for original, stack in _TOP.get(architecture, {}).items():
        if canonical in stack.parts:
            return original, stack, stack.parts.index(canonical)
    block, number, inside = _block_of(canonical)
    for original_block, (canonical_block, table) in _BLOCKS.get(architecture, {}).items():
        if canonical_block != block:
            continue
        for name, stack in table.items():
            if inside in stack.parts:
                original = f"{original_block}.{number}.{name}"
                whole = stack_of(architecture, original)
                assert whole is not None
                return original, whole, stack.parts.index(inside)
    return None


def fused_name(architecture: Architecture, original: str) -> str | None:
    """Our name for a fused layer that cannot be cut: ``transformer_blocks.0.attn.to_qkv``."""
    block, number, inside = _block_of(original)
    for ours, theirs in _UNFUSED.get(architecture, {}).items():
        if theirs == f"{block}.{inside}":
            our_block, _, our_inside = ours.partition(".")
            return f"{our_block}.{number}.{our_inside}"
    return None


def unfused_original(architecture: Architecture, canonical: str) -> str | None:
    """The way back from ``fused_name``."""
    block, number, inside = _block_of(canonical)
    theirs = _UNFUSED.get(architecture, {}).get(f"{block}.{inside}")
    if theirs is None:
        return None
    their_block, _, their_inside = theirs.partition(".")
    return f"{their_block}.{number}.{their_inside}"


def _block_of(path: str) -> tuple[str, str, str]:
    """``double_blocks.3.img_mlp.0`` → ``double_blocks``, ``3``, ``img_mlp.0``."""
    match = re.fullmatch(r"(\w+)\.(\d{1,3})\.(.+)", path)
    return (match[1], match[2], match[3]) if match else ("", "", path)


_RESNET = {
    "in_layers.2": "conv1",
    "out_layers.3": "conv2",
    "emb_layers.1": "time_emb_proj",
    "skip_connection": "conv_shortcut",
}
_RESNET_BACK = {canonical: original for original, canonical in _RESNET.items()}
_U_NET_TOP = {
    "input_blocks.0.0": "conv_in",
    "out.2": "conv_out",
    "time_embed.0": "time_embedding.linear_1",
    "time_embed.2": "time_embedding.linear_2",
    "label_emb.0.0": "add_embedding.linear_1",
    "label_emb.0.2": "add_embedding.linear_2",
}
_U_NET_TOP_BACK = {canonical: original for original, canonical in _U_NET_TOP.items()}
_LAYERS = 3
"""Numbers of ``input_blocks`` or ``output_blocks`` that make one block."""


def u_net_from_original(path: str) -> str:
    """Stability's name of a U-Net's layer → the canonical one. Raises ``UnknownDialect``."""
    if path in _U_NET_TOP:
        return _U_NET_TOP[path]
    match = re.fullmatch(r"(input_blocks|output_blocks|middle_block)\.(\d+)\.(.+)", path)
    if match is None:
        raise UnknownDialect(name=path)
    side, number, inside = match[1], int(match[2]), match[3]
    if side == "middle_block":
        if number == 1:
            return f"mid_block.attentions.0.{inside}"
        return f"mid_block.resnets.{number // 2}.{_inside(_RESNET, inside, path)}"
    kind, _, inside = inside.partition(".")
    block, layer = divmod(number - 1, _LAYERS) if side == "input_blocks" else divmod(number, _LAYERS)
    name = "down_blocks" if side == "input_blocks" else "up_blocks"
    if inside == "op" and side == "input_blocks":
        return f"{name}.{block}.downsamplers.0.conv"
    if inside == "conv" and side == "output_blocks":
        return f"{name}.{block}.upsamplers.0.conv"
    if kind == "1":
        return f"{name}.{block}.attentions.{layer}.{inside}"
    return f"{name}.{block}.resnets.{layer}.{_inside(_RESNET, inside, path)}"


def u_net_to_original(path: str, architecture: Architecture) -> str:
    """The way back from ``u_net_from_original``. Raises ``UnknownDialect``."""
    if path in _U_NET_TOP_BACK:
        return _U_NET_TOP_BACK[path]
    middle = re.fullmatch(r"mid_block\.(resnets|attentions)\.(\d)\.(.+)", path)
    if middle is not None:
        if middle[1] == "attentions":
            return f"middle_block.1.{middle[3]}"
        return f"middle_block.{2 * int(middle[2])}.{_inside(_RESNET_BACK, middle[3], path)}"
    match = re.fullmatch(r"(down|up)_blocks\.(\d+)\.(resnets|attentions|downsamplers|upsamplers)\.(\d+)\.(.+)", path)
    if match is None:
        raise UnknownDialect(name=path)
    side, block, kind, layer, inside = match[1], int(match[2]), match[3], int(match[4]), match[5]
    if kind == "downsamplers":
        return f"input_blocks.{_LAYERS * block + _LAYERS}.0.op"
    if kind == "upsamplers":
        # It is the last of its layer, behind the attention where there is one; the first block of SD 1 and 2 has none.
        has_attention = architecture == "stable_diffusion_xl" or block > 0
        return f"output_blocks.{_LAYERS * block + 2}.{2 if has_attention else 1}.conv"
    number = _LAYERS * block + layer + (1 if side == "down" else 0)
    name = "input_blocks" if side == "down" else "output_blocks"
    if kind == "attentions":
        return f"{name}.{number}.1.{inside}"
    return f"{name}.{number}.0.{_inside(_RESNET_BACK, inside, path)}"


def _inside(table: Mapping[str, str], inside: str, path: str) -> str:
    if inside not in table:
        raise UnknownDialect(name=path)
    return table[inside]
