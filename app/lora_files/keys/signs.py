"""By what adapters of each base are known: names of layers, widths, words of the header. Pure.

Names are compared flat, as ``layers_0_attention_to_q``, so that one sign serves all key formats; the names are
those that the bases' own code and their trainers' save code give. What has a sign and no ``FamilyFacts`` is known and
not supported: Livery has no base for it, and no table to convert it by.
"""

import re
from collections import Counter
from collections.abc import Iterable, Mapping

from app.lora_files.families import known
from app.lora_files.families.facts import Architecture, sign
from app.lora_files.keys.weights import DOWN, ENDINGS, UP, Shaped

_ENDINGS = sorted(ENDINGS, key=len, reverse=True)
_DENOISER = re.compile(
    r"(lora_unet__?|lora_transformer_|lycoris_|base_model\.model\.|diffusion_model\.|transformer\.|unet\.)?"
)
_TEXT = re.compile(r"(lora_te\d?_|text_encoders?\.|text_encoder_\d\.|text_model\.|lora_prior_te_|clip_[lg]\.|t5xxl\.)")
_XLABS = re.compile(r"\.processor\.(?:qkv|proj)_lora[12]?\.(?:down|up)\.weight$")
_READS_TOKENS = re.compile(
    r"_(to_q|to_query|to_qkv|add_q_proj|q|q_proj|wq|qkv|attn_qkv|linear1|to_qkv_mlp_proj|(img|txt)_mlp_0"
    r"|ff_net_0_proj|proj_mlp|img_qkv_proj|feed_forward_w1|feed_forward_linear_1)$"
)
_CROSS = re.compile(r"^transformer_blocks_\d+_attn2_to_[kv]$")
_GIVES_TOKENS = re.compile(r"_(to_out_0|to_out|proj|o|output_proj|wo|out|linear2|(img|txt)_mlp_2|ff_net_2|proj_out)$")


FOREIGN = (
    sign("chroma", r"distilled_guidance_layer"),
    sign("stable_diffusion_3", r"^joint_blocks_\d"),
    sign("auraflow", r"^(joint_transformer_blocks|double_layers)_\d"),
    sign("hunyuan_image", r"individual_token_refiner|token_refiner_refiner_blocks", 3584),
    sign("hunyuan_video", r"individual_token_refiner|token_refiner_refiner_blocks|_(img|txt)_mlp_fc\d|_mod_linear$"),
    sign("krea_2", r"text_fusion|txtfusion|^blocks_\d+_attn_w[qkvo]$|^transformer_blocks_\d+_(attn_to_gate|ff_gate)"),
    sign("krea_2", r"^blocks_\d+_mlp_(gate|up|down)$|^transformer_blocks_\d+_ff_(up|down)$"),
    sign("cosmos", r"^llm_adapter|^blocks_\d+_(self|cross)_attn_(q|k|v|output)_proj$|^blocks_\d+_adaln_modulation_"),
    sign("wan", r"^blocks_\d+_(self|cross)_attn_(q|k|v|o|k_img|v_img)$|^blocks_\d+_(ffn_\d|ffn_net|attn[12]_to_)"),
    sign("hidream", r"^(double|single)_stream_blocks_\d"),
    sign("kandinsky_5", r"^(visual|text)_transformer_blocks_\d"),
    sign("lumina_2", r"^(layers|noise_refiner|context_refiner)_\d+_(attn_to_|feed_forward_linear_)"),
    sign("lumina_2", r"^(layers|noise_refiner|context_refiner)_\d+_(attention|feed_forward)_", 2304),
    sign("ltx", r"^transformer_blocks_\d+_audio_attn|^transformer_blocks_\d+_(audio_to_video|video_to_audio)_attn"),
    sign("cosmos", r"^transformer_blocks_\d+_norm[123]_linear_[12]$"),
    sign("mochi", r"^transformer_blocks_\d+_attn1_(add_[qkv]_proj|to_add_out)$"),
    sign("pixart", r"^transformer_blocks_\d+_attn[12]_", 1152),
    sign("sana", r"^transformer_blocks_\d+_attn[12]_", 1120, 2240),
    sign("ltx", r"^transformer_blocks_\d+_attn[12]_", 2048, 4096),
    sign("cosmos", r"^transformer_blocks_\d+_attn[12]_", 5120),
    sign("cogvideox", r"^transformer_blocks_\d+_attn1_", 1920, 3072),
    sign("stable_diffusion_3", r"^transformer_blocks_\d+_(attn_|ff_|norm1_)", 1536, 2432),
    sign("hunyuan_video", r"^(transformer|double|single|single_transformer)_blocks_\d+_", 2048),
    sign("hunyuan_image", r"^(transformer|double|single|single_transformer)_blocks_\d+_", 3584),
)
"""In this order: the first whose layers are there counts."""

_FLUX_LAYERS = re.compile(r"^(double|single|transformer|single_transformer)_blocks_(\d+)_")
_ONLY_IN_FLUX = re.compile(r"^(double|single|single_transformer)_blocks_\d")
_OTHER_TRANSFORMERS = re.compile(r"^(blocks|layers|transformer_blocks|noise_refiner|context_refiner)_\d")
_MODULATION = re.compile(r"_mod_lin$|_modulation_lin$|_norm1?(_context)?_linear$")
_WORDS: dict[str, Architecture] = {
    r"chroma": "chroma",
    r"hunyuan[-_ ]?video|framepack": "hunyuan_video",
    r"hunyuan[-_ ]?image": "hunyuan_image",
    r"krea[-_ ]?2": "krea_2",
    r"sd3|stable[-_ ]?diffusion[-_ ]?(v?3|xl3)|sd[-_ ]?3": "stable_diffusion_3",
}
"""The header's words for bases whose attention has FLUX.1's very names and, some of them, its width."""
WORD_KEYS = ("modelspec.architecture", "ss_base_model_version", "base_model", "ss_sd_model_name")


def foreign(entries: Mapping[str, Shaped], metadata: Mapping[str, str]) -> Architecture | None:
    """The architecture of a file of no base that Livery knows the layers of; ``unknown`` for one that looks like
    another size of a known one; None for every other."""
    stems = denoiser_stems(entries)
    if not stems:
        return None
    width = width_of(stems, entries)
    if _widths(stems, entries, _CROSS, 1) == 1024:
        return "cosmos"  # its text is half as wide as its tokens
    for one in (*(one for facts in known.FAMILIES for one in facts.signs), *FOREIGN):
        if (not one.widths or width in one.widths) and any(one.layers.search(stem) for stem in stems):
            return one.architecture
    if any("_attn_qkv." in f"{name}." and "." in name.partition("_attn_qkv")[0] for name in entries):
        return "hunyuan_video"  # its own code joins with "_" what FLUX.1's joins with "."
    if any(stem.startswith("transformer_blocks_") for stem in stems) and not any(map(_ONLY_IN_FLUX.match, stems)):
        if any(re.match(r"transformer_blocks_\d+_attn[12]_", stem) for stem in stems):
            return "unknown"
        if width == 6144 and _highest(stems, "transformer") >= 8:
            return "krea_2"
    if any(map(_FLUX_LAYERS.match, stems)):
        return _like_flux(stems, width, metadata)
    if width is not None and any(re.match(r"(layers|noise_refiner|context_refiner)_\d", stem) for stem in stems):
        is_z_image = width in _widths_of("z_image") and any(
            re.search(r"_(attention|feed_forward)_", stem) for stem in stems
        )
        return None if is_z_image or _is_language(stems) else "unknown"
    return "unknown" if any(re.match(r"blocks_\d", stem) for stem in stems) else None


def _like_flux(stems: Mapping[str, list[str]], width: int | None, metadata: Mapping[str, str]) -> Architecture | None:
    """Of attention named like FLUX.1's: told by width, number of blocks and the header's words."""
    said = next((found for words, found in _WORDS.items() if re.search(words, header_words(metadata))), None)
    is_modulated = any(map(_MODULATION.search, stems))
    if said is not None and not (said == "chroma" and is_modulated):
        return said
    if width is not None and width not in _widths_of("flux_1", "flux_2", "qwen_image"):
        return "unknown"
    singles = max(_highest(stems, "single"), _highest(stems, "single_transformer"))
    doubles = max(_highest(stems, "double"), _highest(stems, "transformer"))
    has_original = any(stem.startswith(("double_", "single_")) for stem in stems)
    if width in _widths_of("flux_1") and (38 <= singles < 40 or (doubles == 19 and (singles >= 0 or has_original))):
        return "hunyuan_video"
    return None


def _widths_of(*architectures: Architecture) -> frozenset[int]:
    return frozenset().union(*(known.get(one).widths for one in architectures))


def denoiser_stems(entries: Mapping[str, Shaped]) -> dict[str, list[str]]:
    """Flat names of the denoiser's layers, without prefix and ending → the names of their tensors."""
    found: dict[str, list[str]] = {}
    for name in entries:
        if _TEXT.match(name) or _XLABS.search(name):
            continue
        ending = next((one for one in _ENDINGS if name.endswith(one)), None)
        path = name.removesuffix(ending) if ending else name
        prefix = _DENOISER.match(path)
        assert prefix is not None
        found.setdefault(path[prefix.end() :].replace(".", "_"), []).append(name)
    return found


def is_of_text(name: str) -> bool:
    """Whether a tensor of this name belongs to a text encoder."""
    return _TEXT.match(name) is not None


def width_of(stems: Mapping[str, Iterable[str]], entries: Mapping[str, Shaped]) -> int | None:
    """How wide the tokens are, by the layers that read or give them; None where no layer of the file says it."""
    reads = _widths(stems, entries, _READS_TOKENS, 1)
    return reads if reads is not None else _widths(stems, entries, _GIVES_TOKENS, 0)


def _widths(
    stems: Mapping[str, Iterable[str]], entries: Mapping[str, Shaped], layers: re.Pattern[str], side: int
) -> int | None:
    """The commonest number of columns (1) or rows (0) of these layers; None where none says it."""
    found = Counter(
        width
        for stem, names in stems.items()
        if layers.search(stem) and (width := _side(names, entries, side)) is not None
    )
    return found.most_common(1)[0][0] if found else None


def _side(names: Iterable[str], entries: Mapping[str, Shaped], side: int) -> int | None:
    """Columns (1) or rows (0) of the change that these tensors make; None where they do not say it."""
    parts = {ENDINGS[ending]: entries[name].shape for name in names for ending in _ENDINGS if name.endswith(ending)}
    if side == 1:
        whole = parts.get(DOWN) or parts.get("hada_w1_b")
    else:
        whole = parts.get(UP) or parts.get("hada_w1_a")
    if whole is not None:
        return whole[side] if len(whole) > 1 else None
    low = "b" if side == 1 else "a"
    first, second = (parts.get(f"lokr_w{n}") or parts.get(f"lokr_w{n}_{low}") for n in (1, 2))
    if first is None or second is None or len(first) < 2 or len(second) < 2:
        return None
    return first[side] * second[side]


def header_words(metadata: Mapping[str, str]) -> str:
    """What the header says about the base, in lower case; a model's name counts where nothing else is said."""
    said = [metadata.get(key, "None")[:500].lower() for key in WORD_KEYS]
    told = [words for words in said[:2] if words not in ("", "none")]
    return " ".join(told or said[2:])


def _highest(stems: Iterable[str], kind: str) -> int:
    """The highest number of a block of this kind; -1 where there is none."""
    found = (re.match(rf"{kind}_blocks_(\d{{1,4}})_", stem) for stem in stems)
    return max((int(one[1]) for one in found if one), default=-1)


def _is_language(stems: Iterable[str]) -> bool:
    return any(re.search(r"_(self_attn|mlp)_(q|k|v|o|gate|up|down)_proj$", stem) for stem in stems)
