"""The names that programs give a LoRA's tensors, and how to get from one to the other. Pure: no model library.

*Canonical* is what diffusers and PEFT write: ``unet.down_blocks.0.….to_q.lora_A.weight`` (A, rank × in) and ``lora_B``,
with alpha in the header. *kohya* is what A1111, ComfyUI and sd-scripts share: the module's path with underscores,
``lora_unet_down_blocks_0_…_to_q.lora_down.weight`` and ``lora_up``, with alpha in a tensor of its own. Both hold the
same numbers: ΔW = (alpha / rank) · B @ A.
"""

import json
import math
import re
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from app.adapters.safetensors_file import Tensor, float32_tensor
from app.errors import N_, Invalid

Dialect = Literal["canonical", "diffusers_old", "kohya", "kohya_sgm", "comfyui", "peft", "lycoris", "unknown"]
Architecture = Literal["stable_diffusion_1"]

KOHYA_PREFIXES: dict[Architecture, dict[str, str]] = {
    # Programs built on SD 1.5 know one text encoder and look for lora_te_; lora_te1_ and lora_te2_ belong to SDXL,
    # whose U-Net also has other names in this dialect (input_blocks, …) and would need a map beside this table.
    "stable_diffusion_1": {"unet": "lora_unet_", "text_encoder": "lora_te_"},
}
HEADER_KEY = "lora_adapter_metadata"

# Names of modules that hold an underscore themselves; any other underscore of a kohya name is a dot.
_JOINED = {
    "down_blocks", "up_blocks", "mid_block", "transformer_blocks", "to_q", "to_k", "to_v", "to_out", "proj_in",
    "proj_out", "time_emb_proj", "conv_shortcut", "time_embedding", "linear_1", "linear_2", "conv_in", "conv_out",
    "text_model", "self_attn", "q_proj", "k_proj", "v_proj", "out_proj",
}  # fmt: skip
_PLAIN = {
    "attentions", "resnets", "downsamplers", "upsamplers", "conv", "conv1", "conv2", "attn1", "attn2", "ff", "net",
    "proj", "encoder", "layers", "mlp", "fc1", "fc2",
}  # fmt: skip


class UnknownDialect(Invalid):
    sentence = N_("The adapter's layers have names that Livery does not know (%(name)s), so it cannot be converted.")


@dataclass(frozen=True)
class Lora:
    """An adapter under canonical names."""

    tensors: dict[str, Tensor]
    alphas: dict[str, float]
    """Module (``unet.….to_q``) → alpha, for every module."""

    @property
    def ranks(self) -> dict[str, int]:
        """Module → rank, for every module."""
        return {module: self.tensors[f"{module}.lora_A.weight"].shape[0] for module in self.alphas}


def detect(names: Iterable[str]) -> Dialect:
    """Which dialect a file's tensor names are in, judged by all of them."""
    names = list(names)
    if any(part in name for name in names for part in ("lokr_", "hada_", "lora_mid", "dora_scale", "lora_magnitude")):
        return "lycoris"
    if any(name.startswith("base_model.model.") for name in names):
        return "peft"
    if any(name.startswith("diffusion_model.") for name in names):
        return "comfyui"
    if names and all(name.startswith("lora_") for name in names):
        sgm = ("lora_unet_input_blocks_", "lora_unet_middle_block_", "lora_unet_output_blocks_")
        return "kohya_sgm" if any(name.startswith(sgm) for name in names) else "kohya"
    if names and all(name.split(".")[0] in ("unet", "text_encoder", "text_encoder_2", "transformer") for name in names):
        new = all(name.endswith((".lora_A.weight", ".lora_B.weight")) for name in names)
        return "canonical" if new else "diffusers_old"
    return "unknown"


def from_canonical(tensors: Mapping[str, Tensor], metadata: Mapping[str, str]) -> Lora:
    """Read the alphas of a canonical file from its header; without one alpha is the rank, as every reader takes it.

    Raises ``UnknownDialect`` when a tensor has another kind of name or its other half is missing.
    """
    modules = _modules(tensors, ".lora_A.weight", ".lora_B.weight")
    settings = _settings(metadata)
    alphas = {}
    for module in modules:
        rank = tensors[f"{module}.lora_A.weight"].shape[0]
        component, _, inside = module.partition(".")
        alphas[module] = _alpha(settings, component, inside, rank)
    return Lora(dict(tensors), alphas)


def canonical_header(lora: Lora) -> dict[str, str]:
    """The header entry with which readers of canonical files find rank and alpha of every module.

    PEFT's configuration per component, with the commonest rank and alpha as the rule and the others as exceptions.
    """
    content: dict[str, Any] = {}
    for component in sorted({module.split(".")[0] for module in lora.alphas}):
        inside = {m.partition(".")[2]: m for m in sorted(lora.alphas) if m.split(".")[0] == component}
        ranks = {name: lora.ranks[module] for name, module in inside.items()}
        alphas = {name: lora.alphas[module] for name, module in inside.items()}
        rank, alpha = _commonest(ranks.values()), _commonest(alphas.values())
        settings = {
            "r": rank,
            "lora_alpha": alpha,
            "target_modules": sorted(inside),
            "lora_dropout": 0.0,
            "bias": "none",
            "use_rslora": False,
            "use_dora": False,
            # "^" makes the whole path count; PEFT would take a bare name for the end of any path.
            "rank_pattern": {f"^{name}": value for name, value in ranks.items() if value != rank},
            "alpha_pattern": {f"^{name}": value for name, value in alphas.items() if value != alpha},
        }
        content |= {f"{component}.{key}": value for key, value in settings.items()}
    return {HEADER_KEY: json.dumps(content, indent=2, sort_keys=True)}


def to_kohya(lora: Lora, architecture: Architecture) -> dict[str, Tensor]:
    """The same numbers under kohya's names, with the true alpha of each module as a float32 number.

    Raises ``UnknownDialect`` for a module that the dialect has no name for.
    """
    prefixes = KOHYA_PREFIXES[architecture]
    tensors = {}
    for module, alpha in lora.alphas.items():
        component, _, path = module.partition(".")
        if component not in prefixes:
            raise UnknownDialect(name=module)
        if component == "text_encoder" and not path.startswith("text_model."):
            # Newer transformers leave this level of CLIP out; the dialect was made when it was there.
            path = f"text_model.{path}"
        flat = path.replace(".", "_")
        if _with_dots(flat) != path:
            raise UnknownDialect(name=module)
        name = prefixes[component] + flat
        tensors[f"{name}.lora_down.weight"] = lora.tensors[f"{module}.lora_A.weight"]
        tensors[f"{name}.lora_up.weight"] = lora.tensors[f"{module}.lora_B.weight"]
        tensors[f"{name}.alpha"] = float32_tensor(alpha)
    return tensors


def from_kohya(tensors: Mapping[str, Tensor], architecture: Architecture) -> Lora:
    """Canonical names for a kohya file; a module without ``.alpha`` gets its rank, as sd-scripts takes it.

    Raises ``UnknownDialect`` for a name of another dialect or a tensor whose other half is missing.
    """
    weights = {name: tensor for name, tensor in tensors.items() if not name.endswith(".alpha")}
    canonical: dict[str, Tensor] = {}
    alphas = {}
    for flat in _modules(weights, ".lora_down.weight", ".lora_up.weight"):
        module = _canonical_module(flat, architecture)
        down, up = weights[f"{flat}.lora_down.weight"], weights[f"{flat}.lora_up.weight"]
        alpha = tensors.get(f"{flat}.alpha")
        canonical[f"{module}.lora_A.weight"] = down
        canonical[f"{module}.lora_B.weight"] = up
        alphas[module] = float(alpha.as_float32().reshape(-1)[0]) if alpha is not None else float(down.shape[0])
    return Lora(canonical, alphas)


def _modules(tensors: Mapping[str, Tensor], down: str, up: str) -> list[str]:
    modules = sorted({name.removesuffix(down).removesuffix(up) for name in tensors})
    for name in tensors:
        if not name.endswith((down, up)):
            raise UnknownDialect(name=name)
    for module in modules:
        if module + down not in tensors or module + up not in tensors:
            raise UnknownDialect(name=module)
        a, b = tensors[module + down].shape, tensors[module + up].shape
        if len(a) < 2 or len(b) < 2 or a[0] != b[1] or a[0] == 0:
            raise UnknownDialect(name=module)
    return modules


def _canonical_module(flat: str, architecture: Architecture) -> str:
    for component, prefix in KOHYA_PREFIXES[architecture].items():
        if flat.startswith(prefix):
            return f"{component}.{_with_dots(flat.removeprefix(prefix))}"
    raise UnknownDialect(name=flat)


def _with_dots(flat: str) -> str:
    """``mid_block_attentions_0_…_to_out_0`` → ``mid_block.attentions.0.….to_out.0``."""
    words, path, at = flat.split("_"), [], 0
    while at < len(words):
        for length in (3, 2):
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


def _settings(metadata: Mapping[str, str]) -> dict[str, Any]:
    try:
        settings = json.loads(metadata.get(HEADER_KEY, "{}"))
    except (ValueError, RecursionError) as error:
        raise UnknownDialect(name=HEADER_KEY) from error
    if not isinstance(settings, dict):
        raise UnknownDialect(name=HEADER_KEY)
    return settings


def _alpha(settings: Mapping[str, Any], component: str, inside: str, rank: int) -> float:
    alpha = settings.get(f"{component}.lora_alpha", rank)
    for pattern, value in (settings.get(f"{component}.alpha_pattern") or {}).items():
        # PEFT's rule: a pattern fits the path or its end after a dot. Plain names only, no foreign expressions.
        plain = pattern.removeprefix("^")
        if not re.fullmatch(r"[\w.]+", plain):
            raise UnknownDialect(name=pattern)
        if inside == plain or (not pattern.startswith("^") and inside.endswith(f".{plain}")):
            alpha = value
            break
    try:
        alpha = float(alpha)
    except (TypeError, ValueError) as error:
        raise UnknownDialect(name=HEADER_KEY) from error
    # Rank-stabilised LoRA scales by alpha / √rank; the other dialects know alpha / rank only.
    return alpha * math.sqrt(rank) if settings.get(f"{component}.use_rslora") else alpha


def _commonest(values: Iterable[Any]) -> Any:
    return Counter(values).most_common(1)[0][0]
