"""How strong each layer is: alpha, from a tensor of its own or from the header, and back into one. Pure."""

import json
import math
import re
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any

from app.lora_files.keys import qkv
from app.lora_files.keys.bases import UnknownKeyFormat
from app.lora_files.keys.layers import HEADER_KEY, PLAIN, Layer, Lora, Names
from app.lora_files.keys.weights import MAGNITUDE, MID, UP, Shaped, first_number, rank_of
from app.lora_files.safetensors_file import Tensor

TEXT_MODEL = "text_model."


def diffusers_header(lora: Lora) -> dict[str, str]:
    """The header entry with which readers of canonical files find rank and alpha of every module.

    PEFT's configuration per component, with the commonest rank and alpha as the rule and the others as exceptions.
    """
    content: dict[str, Any] = {}
    all_ranks = lora.ranks
    for component in sorted({module.split(".")[0] for module in lora.alphas}):
        inside = {m.partition(".")[2]: m for m in sorted(lora.alphas) if m.split(".")[0] == component}
        ranks = {name: all_ranks[module] for name, module in inside.items()}
        alphas = {name: lora.alphas[module] for name, module in inside.items()}
        rank, alpha = _commonest(ranks.values()), _commonest(alphas.values())
        words = {name: _words(component, name) for name in inside}
        settings = {
            "r": rank,
            "lora_alpha": alpha,
            "target_modules": sorted(words[name][0] for name in inside),
            "lora_dropout": 0.0,
            "bias": "none",
            "use_rslora": False,
            "use_dora": any(f"{module}.{MAGNITUDE}" in lora.tensors for module in inside.values()),
            "rank_pattern": {words[name][1]: value for name, value in ranks.items() if value != rank},
            "alpha_pattern": {words[name][1]: value for name, value in alphas.items() if value != alpha},
        }
        content |= {f"{component}.{key}": value for key, value in settings.items()}
    return {HEADER_KEY: json.dumps(content, indent=2, sort_keys=True)}


def _words(component: str, name: str) -> tuple[str, str]:
    """A layer's name among the targets, and as a pattern.

    PEFT takes a bare name for the end of any path, and with "^" for the whole of it. CLIP's classes have lost the level
    ``text_model`` with transformers 5.6, and diffusers takes it off the tensors' names alone: without it both the
    older and the newer class have the layer.
    """
    if component.startswith("text_encoder") and name.startswith(TEXT_MODEL):
        plain = name.removeprefix(TEXT_MODEL)
        return plain, plain
    return name, f"^{name}"


def alpha_of(layer: Layer, parts: dict[str, Tensor], settings: Mapping[str, Any]) -> float:
    """The alpha of a layer; makes a LoKr of whole matrices stand for itself, as LyCORIS reads it."""
    rank = rank_of(parts)
    own = parts.get("alpha")
    if own is not None:
        alpha = first_number(own)
    elif settings:
        alpha = _alpha(settings, layer.component, layer.path, rank)
    else:
        alpha = float(rank)
    if layer.algorithm == "lokr" and rank == 0:
        if settings and own is None and "lokr_w1" in parts:
            # PEFT scales these by alpha / r, LyCORIS does not.
            written = settings.get(f"{layer.component}.r", settings.get("r"))
            alpha = _alpha(settings, layer.component, layer.path, int(written or 1))
            parts["lokr_w1"] = qkv.scaled(parts["lokr_w1"], alpha / int(written or 1))
        return 1.0
    if not math.isfinite(alpha):
        raise UnknownKeyFormat(name=next(iter(layer.names.values())))
    return alpha


def alpha_in_weights(lora: Lora) -> Lora:
    """The same with alpha = rank: B takes on what alpha / rank was, in float32 unless its own kind of number holds that
    exactly. What is no LoRA stays as it is."""
    ranks, tensors, alphas = lora.ranks, dict(lora.tensors), dict(lora.alphas)
    for module, alpha in lora.alphas.items():
        if set(lora.weights_of(module)) <= PLAIN | {MID}:
            tensors[f"{module}.{UP}"] = qkv.scaled(tensors[f"{module}.{UP}"], alpha / ranks[module])
            alphas[module] = float(ranks[module])
    return replace(lora, tensors=tensors, alphas=alphas)


def settings_in(metadata: Mapping[str, str]) -> dict[str, Any]:
    """PEFT's configuration in a header; empty where there is none. Raises ``UnknownKeyFormat`` for anything else."""
    try:
        settings = json.loads(metadata.get(HEADER_KEY, "{}"))
    except (ValueError, RecursionError) as error:
        raise UnknownKeyFormat(name=HEADER_KEY) from error
    if not isinstance(settings, dict):
        raise UnknownKeyFormat(name=HEADER_KEY)
    return settings


def _alpha(settings: Mapping[str, Any], component: str, inside: str, rank: int) -> float:
    def setting(name: str) -> Any:
        return settings.get(f"{component}.{name}", settings.get(name))

    alpha = next((value for name in ("lora_alpha", "alpha") if (value := setting(name)) is not None), rank)
    patterns = setting("alpha_pattern") or {}
    if not isinstance(patterns, dict):
        raise UnknownKeyFormat(name=HEADER_KEY)
    for pattern, value in patterns.items():
        # PEFT's rule: a pattern fits the path or its end after a dot. Plain names only, no foreign expressions.
        plain = pattern.removeprefix("^")
        if not re.fullmatch(r"[\w.-]+", plain):
            raise UnknownKeyFormat(name=pattern)
        if inside == plain or (not pattern.startswith("^") and inside.endswith(f".{plain}")):
            alpha = value
            break
    try:
        alpha = float(alpha)
    except (TypeError, ValueError) as error:
        raise UnknownKeyFormat(name=HEADER_KEY) from error
    # Rank-stabilised LoRA scales by alpha / √rank; the other key formats know alpha / rank only.
    return alpha * math.sqrt(rank) if setting("use_rslora") else alpha


def _commonest(values: Iterable[Any]) -> Any:
    return Counter(values).most_common(1)[0][0]


def alphas_and_ranks(
    names: Names, entries: Mapping[str, Shaped], metadata: Mapping[str, str], alphas: Mapping[str, float]
) -> list[tuple[Layer, int, float | None]]:
    """Rank and alpha of every layer from a header and the few bytes of its alpha tensors (name → number).

    Alpha is None where the file does not say it, as in PEFT's, which keep it in a file beside them.
    Raises ``UnknownKeyFormat`` for settings that make no sense.
    """
    settings = settings_in(metadata) if names.key_format in ("canonical", "peft") else {}
    found: list[tuple[Layer, int, float | None]] = []
    for layer in names.layers:
        rank = rank_of({part: entries[name] for part, name in layer.names.items()})
        own = alphas.get(layer.names.get("alpha", ""))
        if own is not None:
            found.append((layer, rank, own))
        elif settings:
            found.append((layer, rank, _alpha(settings, layer.component, layer.path, rank)))
        else:
            found.append((layer, rank, None if names.key_format == "peft" or "alpha" in layer.names else float(rank)))
    return found
