"""What the same layer is called by different programs. Pure: names in, names out.

The *canonical* path of a layer is the one in diffusers' module tree (``down_blocks.0.….to_q``). Others name the layers
of the original implementation (``input_blocks.1.1.….to_q`` for Stability's U-Net, ``double_blocks.0.img_attn.qkv`` for
FLUX), where one layer may be several canonical ones lying on top of each other.

The block maps follow the layouts of the published models: two residual layers per block, so that three numbers of
``input_blocks`` or ``output_blocks`` make one block.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import replace
from functools import cache

from app.lora_files.families import known
from app.lora_files.families.facts import Architecture, FamilyFacts, OriginalLayer
from app.lora_files.keys.bases import UnknownKeyFormat

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


def _words_of(facts: FamilyFacts) -> Iterator[str]:
    """Names of modules in a family's own tables."""
    inside = [layer for _, layers in facts.blocks.values() for layer in layers.items()]
    for original, layer in (*inside, *facts.top.items()):
        for path in (original, *layer.modules):
            yield from path.split(".")
    for original, (canonical, _) in facts.blocks.items():
        yield from (original, canonical)


@cache
def _vocabulary(families: tuple[FamilyFacts, ...]) -> tuple[frozenset[str], frozenset[str]]:
    """Names that hold an underscore, and those that hold none."""
    words = {word for facts in families for word in _words_of(facts) if not word.isdecimal()}
    joined = frozenset(word for word in words if "_" in word)
    return joined.union(_JOINED), frozenset(words - joined).union(_PLAIN)


@cache
def with_dots(flat: str) -> str:
    """``mid_block_attentions_0_…_to_out_0`` → ``mid_block.attentions.0.….to_out.0``. Raises ``UnknownKeyFormat``."""
    known_joined, known_plain = _vocabulary(tuple(known.FAMILIES))
    words, path, at = flat.split("_"), [], 0
    while at < len(words):
        for length in range(min(_LONGEST, len(words) - at), 1, -1):
            joined = "_".join(words[at : at + length])
            if joined in known_joined:
                break
        else:
            length, joined = 1, words[at]
            if joined not in known_plain and not joined.isdecimal():
                raise UnknownKeyFormat(name=flat)
        path.append(joined)
        at += length
    return ".".join(path)


def original_layer(architecture: Architecture, original: str) -> OriginalLayer | None:
    """The canonical paths behind an original path of a transformer; None if the original has no such layer."""
    facts = known.find(architecture)
    if facts is None:
        return None
    if original in facts.top:
        return facts.top[original]
    block, number, inside = _block_of(original)
    canonical, table = facts.blocks.get(block, ("", {}))
    layer = table.get(inside)
    if layer is None:
        return None
    return replace(layer, modules=tuple(f"{canonical}.{number}.{module}" for module in layer.modules))


def original_of(architecture: Architecture, canonical: str) -> tuple[str, OriginalLayer, int] | None:
    """Where a canonical layer of a transformer lies in the original: path, the whole layer, its place in it."""
    facts = known.find(architecture)
    if facts is None:
        return None
    for original, layer in facts.top.items():
        if canonical in layer.modules:
            return original, layer, layer.modules.index(canonical)
    block, number, inside = _block_of(canonical)
    for original_block, (canonical_block, table) in facts.blocks.items():
        if canonical_block != block:
            continue
        for name, layer in table.items():
            if inside in layer.modules:
                original = f"{original_block}.{number}.{name}"
                whole = original_layer(architecture, original)
                assert whole is not None
                return original, whole, layer.modules.index(inside)
    return None


def fused_name(architecture: Architecture, original: str) -> str | None:
    """Our name for a fused layer that cannot be cut: ``transformer_blocks.0.attn.to_qkv``."""
    block, number, inside = _block_of(original)
    for ours, theirs in known.get(architecture).unsplit.items():
        if theirs == f"{block}.{inside}":
            our_block, _, our_inside = ours.partition(".")
            return f"{our_block}.{number}.{our_inside}"
    return None


def unfused_original(architecture: Architecture, canonical: str) -> str | None:
    """The way back from ``fused_name``."""
    block, number, inside = _block_of(canonical)
    facts = known.find(architecture)
    theirs = facts.unsplit.get(f"{block}.{inside}") if facts is not None else None
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
    """Stability's name of a U-Net's layer → the canonical one. Raises ``UnknownKeyFormat``."""
    if path in _U_NET_TOP:
        return _U_NET_TOP[path]
    match = re.fullmatch(r"(input_blocks|output_blocks|middle_block)\.(\d+)\.(.+)", path)
    if match is None:
        raise UnknownKeyFormat(name=path)
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
    """The way back from ``u_net_from_original``. Raises ``UnknownKeyFormat``."""
    if path in _U_NET_TOP_BACK:
        return _U_NET_TOP_BACK[path]
    middle = re.fullmatch(r"mid_block\.(resnets|attentions)\.(\d)\.(.+)", path)
    if middle is not None:
        if middle[1] == "attentions":
            return f"middle_block.1.{middle[3]}"
        return f"middle_block.{2 * int(middle[2])}.{_inside(_RESNET_BACK, middle[3], path)}"
    match = re.fullmatch(r"(down|up)_blocks\.(\d+)\.(resnets|attentions|downsamplers|upsamplers)\.(\d+)\.(.+)", path)
    if match is None:
        raise UnknownKeyFormat(name=path)
    side, block, kind, layer, inside = match[1], int(match[2]), match[3], int(match[4]), match[5]
    if kind == "downsamplers":
        return f"input_blocks.{_LAYERS * block + _LAYERS}.0.op"
    if kind == "upsamplers":
        # It is the last of its layer, behind the attention where there is one; the first block of SD 1 and 2 has none.
        has_attention = known.get(architecture).first_up_block_has_attention or block > 0
        return f"output_blocks.{_LAYERS * block + 2}.{2 if has_attention else 1}.conv"
    number = _LAYERS * block + layer + (1 if side == "down" else 0)
    name = "input_blocks" if side == "down" else "output_blocks"
    if kind == "attentions":
        return f"{name}.{number}.1.{inside}"
    return f"{name}.{number}.0.{_inside(_RESNET_BACK, inside, path)}"


def _inside(table: Mapping[str, str], inside: str, path: str) -> str:
    if inside not in table:
        raise UnknownKeyFormat(name=path)
    return table[inside]
