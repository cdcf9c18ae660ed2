"""What a tensor's name says: the key format it is in, and component, layer and part that it belongs to. Pure."""

import re
from collections.abc import Iterable

from app.lora_files.families.facts import KeyFormat
from app.lora_files.keys.bases import UnknownKeyFormat
from app.lora_files.keys.layers import Layer
from app.lora_files.keys.module_names import u_net_from_original, with_dots
from app.lora_files.keys.weights import DOWN, ENDINGS, UP

_FLAT = {
    "lora_unet__": "denoiser",  # VideoX-Fun's, of Z-Image
    "lora_unet_": "denoiser",
    "lora_transformer_": "denoiser",
    "lycoris_": "denoiser",
    "lora_te_": "text_encoder",
    "lora_te1_": "text_encoder",
    "lora_te2_": "text_encoder_2",
    "lora_te3_": "text_encoder_2",
}
_DOTTED = {
    "text_encoders.clip_l.transformer.": "text_encoder",
    "text_encoders.clip_g.transformer.": "text_encoder_2",
    "text_encoders.t5xxl.transformer.": "text_encoder_2",
    "text_encoder_2.": "text_encoder_2",
    "text_encoder.": "text_encoder",
    "base_model.model.": "denoiser",
    "diffusion_model.": "denoiser",
    "transformer.": "denoiser",
    "unet.": "denoiser",
}
_XLABS = re.compile(
    r"(?:diffusion_model\.)?((?:double|single)_blocks\.\d+)\.processor\.(qkv|proj)_lora([12]?)\.(down|up)\.weight"
)
_XLABS_NAMES = {"qkv1": "img_attn.qkv", "qkv2": "txt_attn.qkv", "proj1": "img_attn.proj", "proj2": "txt_attn.proj"}
_BARE = re.compile(
    r"(double_blocks|single_blocks|transformer_blocks|single_transformer_blocks|layers|noise_refiner|context_refiner"
    r"|down_blocks|up_blocks|mid_block|conv_in|conv_out|time_embedding|add_embedding)\."
)
_ENDINGS = sorted(ENDINGS, key=len, reverse=True)
_ORIGINAL_U_NET = ("input_blocks.", "middle_block.", "output_blocks.", "time_embed.", "label_emb.", "out.")
_EXTRA = ("bundle_emb.",)
"""Embeddings that OneTrainer puts beside the layers."""
_EXTRA_ENDINGS = (".w_norm", ".b_norm", ".diff_b")
"""Changes of norms and of biases, as LyCORIS writes them beside the layers."""


def is_extra(name: str) -> bool:
    """Whether it is no part of the low-rank change, and left out of a conversion."""
    return name.startswith(_EXTRA) or name.endswith(_EXTRA_ENDINGS)


def detect(names: Iterable[str]) -> KeyFormat:
    """Which key format a file's tensor names are in, judged by all of them."""
    names = [name for name in names if not is_extra(name)]
    if names and all(_XLABS.fullmatch(name) for name in names):
        return "xlabs"
    if any(name.startswith("base_model.model.") for name in names):
        return "peft"
    if any(name.startswith(("diffusion_model.", "text_encoders.")) for name in names):
        return "comfyui"
    if names and all(name.startswith("lycoris_") for name in names):
        return "lycoris"
    if any(name.startswith("lora_transformer_") for name in names):
        return "onetrainer"
    if names and all(name.startswith("lora_") for name in names):
        sgm = ("lora_unet_input_blocks_", "lora_unet_middle_block_", "lora_unet_output_blocks_")
        return "kohya_sgm" if any(name.startswith(sgm) for name in names) else "kohya"
    components = ("unet", "text_encoder", "text_encoder_2", "transformer")
    if names and all(name.split(".")[0] in components or _BARE.match(name) for name in names):
        old = (".down.weight", ".up.weight")
        return "diffusers_old" if any(name.endswith(old) for name in names) else "canonical"
    return "unknown"


def layer_and_weight(name: str) -> tuple[str, str, str]:
    """``lora_unet_mid_block_…_to_q.alpha`` → ``denoiser``, ``mid_block.….to_q``, ``alpha``.

    Raises ``UnknownKeyFormat``.
    """
    xlabs = _XLABS.fullmatch(name)
    if xlabs is not None:
        block, kind, side, way = xlabs.groups()
        original = (
            f"{block}.{_XLABS_NAMES[kind + side]}" if side else f"{block}.{'linear1' if kind == 'qkv' else 'linear2'}"
        )
        return "denoiser", original, DOWN if way == "down" else UP
    ending = next((ending for ending in _ENDINGS if name.endswith(ending)), None)
    if ending is None:
        raise UnknownKeyFormat(name=name)
    path, part = name.removesuffix(ending), ENDINGS[ending]
    for prefix, component in _FLAT.items():
        if path.startswith(prefix):
            return component, _plain_path(component, with_dots(path.removeprefix(prefix))), part
    for prefix, component in _DOTTED.items():
        if path.startswith(prefix):
            return component, _plain_path(component, path.removeprefix(prefix)), part
    if _BARE.match(name):
        return "denoiser", _plain_path("denoiser", path), part
    raise UnknownKeyFormat(name=name)


def _plain_path(component: str, path: str) -> str:
    """Without the names of attention processors, which diffusers put into its paths in 2023."""
    if not path or not re.fullmatch(r"[\w.-]+", path):
        raise UnknownKeyFormat(name=path)
    path = path.replace(".processor.", ".")
    if component != "denoiser":
        for old, new in ((".to_q", ".q_proj"), (".to_k", ".k_proj"), (".to_v", ".v_proj"), (".to_out", ".out_proj")):
            if path.endswith(f"self_attn{old}"):
                return path.removesuffix(old) + new
        return path
    if re.search(r"attn[12]\.to_out$", path):
        return f"{path}.0"
    return u_net_from_original(path) if path.startswith(_ORIGINAL_U_NET) else path


def stem_and_weight(name: str) -> tuple[str, str | None]:
    """The layer's name as the file has it, and the part that this tensor is of it; None for one of no known part."""
    ending = next((ending for ending in _ENDINGS if name.endswith(ending)), None)
    return (name, None) if ending is None else (name.removesuffix(ending), ENDINGS[ending])


def stem_of(layer: Layer) -> str:
    """The layer's name as the file has it, prefix included: the name of one of its tensors without the ending."""
    name = next(iter(layer.names.values()))
    ending = next((ending for ending in _ENDINGS if name.endswith(ending)), "")
    return name.removesuffix(ending)
