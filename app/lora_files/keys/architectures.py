"""Which base an adapter belongs to, told by names, widths and the header's words."""

import re
from collections.abc import Mapping

from app.lora_files.families import known
from app.lora_files.families.facts import Architecture
from app.lora_files.keys.signs import denoiser_stems, width_of
from app.lora_files.keys.weights import DOWN, UP, Shaped

T5 = re.compile(r"(^|[._])block[._]\d+[._]layer[._]\d")
"""Names of a T5's layers; where a second text encoder is one, the base is FLUX.1."""


def architecture_of(
    found: Mapping[tuple[str, str], Mapping[str, str]],
    entries: Mapping[str, Shaped],
    metadata: Mapping[str, str],
    hint: Architecture | None,
) -> Architecture:
    """Told by the names where they can, else by widths, else by what the header says, else by the hint.

    Without a hint only where the width is one that the base has.
    """
    told = _told(found, entries, metadata, hint)
    facts = known.find(told)
    if hint is None and facts is not None and facts.widths:
        width = width_of(denoiser_stems(entries), entries)
        if width is not None and width not in facts.widths:
            return "unknown"
    return told


def _told(
    found: Mapping[tuple[str, str], Mapping[str, str]],
    entries: Mapping[str, Shaped],
    metadata: Mapping[str, str],
    hint: Architecture | None,
) -> Architecture:
    paths = {path for component, path in found if component == "denoiser"}
    if any(
        re.match(r"model\.(layers|language_model)\b|transformer\.h\.|model\.decoder\.|gpt_neox\.", path)
        for path in paths
    ):
        return "language_model"
    if any(path.startswith(("down_blocks.", "up_blocks.", "mid_block.", "add_embedding.")) for path in paths):
        return _u_net(found, entries, metadata, hint)
    for facts in reversed(known.FAMILIES):
        if any(re.search(pattern, path) for pattern in facts.layers for path in paths):
            return facts.architecture
    if any(
        "double_blocks." in path or "single_blocks." in path or "single_transformer_blocks." in path for path in paths
    ):
        return _flux(found, entries, metadata, hint)
    if any(path.startswith("transformer_blocks.") for path in paths):
        if any(".norm1.linear" in path or ".ff.net." in path or ".norm1_context." in path for path in paths):
            return "flux_1"
        if any(".ff.linear_in" in path or ".ff.linear_out" in path for path in paths):
            return "flux_2"
        said = told_by(metadata)
        if known.is_transformer(said):
            return said
        if hint is not None and known.is_transformer(hint):
            return hint
        # Attention alone, and 60 blocks: only Qwen-Image has that many.
        numbers = [int(path.split(".")[1]) for path in paths if re.match(r"transformer_blocks\.\d+\.", path)]
        return "qwen_image" if max(numbers, default=0) >= 19 else "flux_1"
    if not paths and any(component == "text_encoder_2" and T5.search(path) for component, path in found):
        return "flux_1"
    if not paths:
        said = told_by(metadata)
        if said != "unknown" or hint:
            return said if said != "unknown" else hint or "unknown"
        return _u_net_with(two_encoders=any(component == "text_encoder_2" for component, _ in found))
    if hint is not None:
        return hint
    return told_by(metadata)


def _u_net(
    found: Mapping[tuple[str, str], Mapping[str, str]],
    entries: Mapping[str, Shaped],
    metadata: Mapping[str, str],
    hint: Architecture | None,
) -> Architecture:
    if any(component == "text_encoder_2" or path.startswith("add_embedding.") for component, path in found):
        return _u_net_with(two_encoders=True)
    widths = {
        entries[names[DOWN]].shape[1]
        for (_, path), names in found.items()
        if path.endswith(("attn2.to_k", "attn2.to_v")) and DOWN in names and len(entries[names[DOWN]].shape) > 1
    }
    by_width = {facts.text_width: facts.architecture for facts in known.u_nets()}
    if len(widths) == 1 and (width := widths.pop()) in by_width:
        return by_width[width]
    said = told_by(metadata)
    if known.is_u_net(said):
        return said
    if hint is not None and known.is_u_net(hint):
        return hint
    paths = [path for component, path in found if component == "denoiser"]
    if any(re.search(r"transformer_blocks\.[1-9]", path) for path in paths):
        return _u_net_with(two_encoders=True)
    if any(
        re.match(r"(down|up)_blocks\.3\.|down_blocks\.0\.attentions|up_blocks\.2\.attentions", path) for path in paths
    ):
        return _u_net_with(two_encoders=False)
    originals = ("lora_unet_input_blocks_", "lora_unet_output_blocks_", "lora_unet_middle_block_")
    return _u_net_with(two_encoders=any(name.startswith(originals) for name in entries))


def _u_net_with(*, two_encoders: bool) -> Architecture:
    """The first of the U-Nets with one text encoder, or with two."""
    return next(facts.architecture for facts in known.u_nets() if facts.has_two_encoders == two_encoders)


def _flux(
    found: Mapping[tuple[str, str], Mapping[str, str]],
    entries: Mapping[str, Shaped],
    metadata: Mapping[str, str],
    hint: Architecture | None,
) -> Architecture:
    for (_, path), names in found.items():
        if "to_qkv_mlp_proj" in path or "stream_modulation" in path or ".linear_in" in path:
            return "flux_2"
        if re.search(r"_mod\.lin$|modulation\.lin$|\.norm1?\.linear$|proj_mlp$", path):
            return "flux_1"
        if any(len(entries[names[half]].shape) < 2 if half in names else True for half in (UP, DOWN)):
            continue
        rows, columns = entries[names[UP]].shape[0], entries[names[DOWN]].shape[1]
        # FLUX.1's feed-forward is four times as wide as the model, FLUX.2's three times and gated.
        ratio = {"linear1": (7, 1, 9, 1), "img_mlp.0": (4, 1, 6, 1), "txt_mlp.0": (4, 1, 6, 1), "linear2": (1, 5, 1, 4)}
        for ending, (up1, down1, up2, down2) in ratio.items():
            if path.endswith(f".{ending}"):
                if rows * down1 == columns * up1:
                    return "flux_1"
                if rows * down2 == columns * up2:
                    return "flux_2"
    if hint in ("flux_1", "flux_2"):
        return hint
    width = width_of(denoiser_stems(entries), entries)
    if width is not None and width not in known.get("flux_1").widths:
        return "flux_2"
    said = told_by(metadata)
    return said if said in ("flux_1", "flux_2") else "flux_1"


def told_by(metadata: Mapping[str, str]) -> Architecture:
    """What the header's own words say about the base."""
    words = " ".join(
        metadata.get(key, "").lower()
        for key in ("modelspec.architecture", "ss_base_model_version", "base_model", "ss_sd_model_name")
    )
    for facts in reversed(known.FAMILIES):
        if facts.header_words and re.search(facts.header_words, words):
            return facts.architecture
    return "language_model" if metadata.get("livery.modality") == "text" else "unknown"
