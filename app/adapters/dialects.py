"""The names that programs give a LoRA's tensors, and how to get from one to the other. Pure: no model library.

*Canonical* is what diffusers and PEFT write: ``unet.down_blocks.0.….to_q.lora_A.weight`` (A, rank × in) and ``lora_B``,
with alpha in the header. *kohya* is what A1111, ComfyUI and sd-scripts share: the module's path with underscores,
``lora_unet_down_blocks_0_…_to_q.lora_down.weight`` and ``lora_up``, with alpha in a tensor of its own. *ComfyUI* is the
original implementation's path behind ``diffusion_model.``. All hold the same numbers: ΔW = (alpha / rank) · B @ A.

Everything is read into canonical names, and written from there. Kronecker and Hadamard products (LyCORIS' LoKr and
LoHa) are renamed as they are; what a dialect cannot hold exactly is refused with a sentence.
"""

import json
import math
import re
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from app.adapters import fusing
from app.adapters.architectures import architecture_of
from app.adapters.fusing import LowRank
from app.adapters.module_names import (
    TRANSFORMERS,
    U_NETS,
    Architecture,
    UnknownDialect,
    fused_name,
    original_of,
    stack_of,
    u_net_from_original,
    u_net_to_original,
    unfused_original,
    with_dots,
)
from app.adapters.parts import (
    ALL_PARTS,
    DOWN,
    ENDINGS,
    INPUT_MAGNITUDE,
    LOHA,
    LOKR,
    MAGNITUDE,
    MID,
    UP,
    Shaped,
    first_number,
    rank_of,
)
from app.adapters.safetensors_file import Tensor, float32_tensor
from app.errors import N_, Invalid

Dialect = Literal[
    "canonical", "diffusers_old", "kohya", "kohya_sgm", "comfyui", "onetrainer", "xlabs", "peft", "lycoris", "unknown"
]
"""``canonical`` and ``diffusers_old`` are diffusers' names; ``lycoris`` is its own prefix, not its way of learning."""
Written = Literal["canonical", "diffusers_old", "kohya", "comfyui"]
HEADER_KEY = "lora_adapter_metadata"
Algorithm = Literal["lora", "lokr", "loha"]

KOHYA_PREFIXES: dict[Architecture, dict[str, str]] = {
    # Programs built on SD 1.5 know one text encoder and look for lora_te_; lora_te1_ and lora_te2_ belong to SDXL
    # (CLIP-L and bigG), lora_te3_ to FLUX, whose second text encoder is a T5.
    "stable_diffusion_1": {"unet": "lora_unet_", "text_encoder": "lora_te_"},
    "stable_diffusion_2": {"unet": "lora_unet_", "text_encoder": "lora_te_"},
    "stable_diffusion_xl": {"unet": "lora_unet_", "text_encoder": "lora_te1_", "text_encoder_2": "lora_te2_"},
    "flux_1": {"transformer": "lora_unet_", "text_encoder": "lora_te1_", "text_encoder_2": "lora_te3_"},
    "flux_2": {"transformer": "lora_unet_"},
    "z_image": {"transformer": "lora_unet_"},
    "qwen_image": {"transformer": "lora_unet_"},
}
_COMFYUI_TEXT: dict[Architecture, dict[str, str]] = {
    "stable_diffusion_1": {"text_encoder": "text_encoders.clip_l.transformer."},
    "stable_diffusion_xl": {
        "text_encoder": "text_encoders.clip_l.transformer.",
        "text_encoder_2": "text_encoders.clip_g.transformer.",
    },
    "flux_1": {
        "text_encoder": "text_encoders.clip_l.transformer.",
        "text_encoder_2": "text_encoders.t5xxl.transformer.",
    },
}
_FLAT = {
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
"""Embeddings that OneTrainer puts beside the layers; no part of the low-rank change."""


PLAIN = frozenset({DOWN, UP, MAGNITUDE})
"""What PEFT holds in a LoRA."""


class CannotHold(Invalid):
    sentence = N_(
        "The names of %(dialect)s have no place for %(what)s, which this adapter uses. Converting it would change what "
        "it does, so it stays as it is."
    )


@dataclass(frozen=True)
class Lora:
    """An adapter under canonical names."""

    tensors: dict[str, Tensor]
    alphas: dict[str, float]
    """Module (``unet.….to_q``) → alpha, for every module."""
    architecture: Architecture = "stable_diffusion_1"
    left_out: tuple[str, ...] = ()
    """Names of tensors that are no part of it, such as bundled embeddings."""

    @property
    def ranks(self) -> dict[str, int]:
        """Module → rank, for every module; 0 for one that is made of whole matrices."""
        return {module: rank_of(self.parts_of(module)) for module in self.alphas}

    def parts_of(self, module: str) -> dict[str, Tensor]:
        """Everything that this module has, by its part: ``lora_A.weight``, ``lokr_w1``, …"""
        found = {part: self.tensors.get(f"{module}.{part}") for part in ALL_PARTS}
        return {part: tensor for part, tensor in found.items() if tensor is not None}


@dataclass(frozen=True)
class Layer:
    """One layer as a file names it."""

    component: str
    """``unet``, ``transformer``, ``text_encoder``, ``text_encoder_2``, or empty for a language model."""
    path: str
    """With dots, in diffusers' or the original's words."""
    names: dict[str, str] = field(default_factory=dict)
    """Part → the tensor's name in the file."""

    @property
    def algorithm(self) -> Algorithm:
        if any(part in LOKR for part in self.names):
            return "lokr"
        return "loha" if any(part in LOHA for part in self.names) else "lora"


@dataclass(frozen=True)
class Names:
    """What a file's names and shapes tell, without its numbers."""

    dialect: Dialect
    architecture: Architecture
    layers: tuple[Layer, ...]
    left_out: tuple[str, ...]


def detect(names: Iterable[str]) -> Dialect:
    """Which dialect a file's tensor names are in, judged by all of them."""
    names = [name for name in names if not name.startswith(_EXTRA)]
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


def parse(entries: Mapping[str, Shaped], metadata: Mapping[str, str], hint: Architecture | None = None) -> Names:
    """Read the names. ``hint`` decides where they fit more than one architecture.

    Raises ``UnknownDialect`` with the first name that belongs to none.
    """
    dialect = detect(entries)
    if dialect == "unknown":
        raise UnknownDialect(name=next(iter(entries), ""))
    found: dict[tuple[str, str], dict[str, str]] = {}
    left_out = []
    for name in entries:
        if name.startswith(_EXTRA):
            left_out.append(name)
            continue
        component, path, part = _taken_apart(name)
        parts = found.setdefault((component, path), {})
        if part in parts:
            raise UnknownDialect(name=name)
        parts[part] = name
    architecture = architecture_of(found, entries, metadata, hint)
    denoiser = "unet" if architecture in U_NETS else "transformer"
    if architecture == "language_model":
        denoiser = ""
    layers = tuple(
        Layer(denoiser if component == "denoiser" else component, path, names)
        for (component, path), names in sorted(found.items())
    )
    return Names(dialect, architecture, layers, tuple(left_out))


def read(tensors: Mapping[str, Tensor], metadata: Mapping[str, str], hint: Architecture | None = None) -> Lora:
    """The adapter under canonical names, with true alphas.

    Raises ``UnknownDialect`` for a name of no known dialect, or a tensor whose other half is missing or does not fit.
    """
    names = parse(tensors, metadata, hint)
    settings = _settings(metadata) if names.dialect in ("canonical", "peft") else {}
    canonical: dict[str, Tensor] = {}
    alphas: dict[str, float] = {}
    for layer in names.layers:
        parts = {part: tensors[name] for part, name in layer.names.items()}
        alpha = _alpha_of(layer, parts, settings)
        for module, own, its_alpha in _canonical_modules(names, layer, parts, alpha):
            if module in alphas:
                raise UnknownDialect(name=module)
            alphas[module] = its_alpha
            canonical |= {f"{module}.{part}": tensor for part, tensor in own.items()}
    return Lora(canonical, alphas, names.architecture, names.left_out)


def write(lora: Lora, dialect: Written) -> tuple[dict[str, Tensor], dict[str, str]]:
    """The tensors under a dialect's names, and what its header needs beside them.

    Raises ``CannotHold`` for what the dialect has no place for, ``UnknownDialect`` for a module without a name in it.
    """
    match dialect:
        case "canonical":
            return _to_canonical(lora)
        case "diffusers_old":
            return _to_diffusers_old(lora), {}
        case "kohya":
            return to_kohya(lora, lora.architecture), {}
        case "comfyui":
            return _to_comfyui(lora), {}


def dialects_for(architecture: Architecture) -> tuple[Written, ...]:
    """The dialects in which an adapter of this architecture can be written, the usual one first."""
    if architecture in U_NETS:
        return ("kohya", "canonical", "diffusers_old")
    if architecture == "flux_1":
        return ("kohya", "canonical", "comfyui")
    return ("comfyui", "canonical") if architecture in TRANSFORMERS else ()


def from_canonical(tensors: Mapping[str, Tensor], metadata: Mapping[str, str]) -> Lora:
    """Read the alphas of a canonical file from its header; without one alpha is the rank, as every reader takes it.

    Raises ``UnknownDialect`` when a tensor has another kind of name or its other half is missing.
    """
    if tensors and detect(tensors) != "canonical":
        raise UnknownDialect(name=next(iter(tensors)))
    return read(tensors, metadata)


def from_kohya(tensors: Mapping[str, Tensor], architecture: Architecture) -> Lora:
    """Canonical names for a kohya file; a module without ``.alpha`` gets its rank, as sd-scripts takes it.

    Raises ``UnknownDialect`` for a name of another dialect or a tensor whose other half is missing.
    """
    lora = read(tensors, {}, architecture)
    allowed = KOHYA_PREFIXES[architecture]
    for module in lora.alphas:
        if lora.architecture != architecture or module.split(".")[0] not in allowed:
            raise UnknownDialect(name=module)
    return lora


def canonical_header(lora: Lora) -> dict[str, str]:
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
        settings = {
            "r": rank,
            "lora_alpha": alpha,
            "target_modules": sorted(inside),
            "lora_dropout": 0.0,
            "bias": "none",
            "use_rslora": False,
            "use_dora": any(f"{module}.{MAGNITUDE}" in lora.tensors for module in inside.values()),
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
    prefixes = KOHYA_PREFIXES.get(architecture, {})
    tensors: dict[str, Tensor] = {}
    for component, path, parts, alpha in _original_layers(lora, architecture):
        if component not in prefixes:
            raise UnknownDialect(name=f"{component}.{path}")
        flat = path.replace(".", "_")
        if with_dots(flat) != path:
            raise UnknownDialect(name=f"{component}.{path}")
        _add(tensors, prefixes[component] + flat, parts, _WORDS)
        tensors[f"{prefixes[component]}{flat}.alpha"] = float32_tensor(alpha)
    return tensors


def _to_comfyui(lora: Lora) -> dict[str, Tensor]:
    names = {"unet": "diffusion_model.", "transformer": "diffusion_model."} | _COMFYUI_TEXT.get(lora.architecture, {})
    tensors: dict[str, Tensor] = {}
    keeps_split = lora.architecture == "z_image"  # ComfyUI reads Z-Image's attention apart, as its trainers write it
    ranks = lora.ranks
    # Without alphas every reader takes the rank; some readers of these names do not know the word.
    needs_alphas = any(alpha != ranks[module] for module, alpha in lora.alphas.items())
    for component, path, parts, alpha in _original_layers(lora, lora.architecture, keeps_split, True):
        if component not in names:
            raise UnknownDialect(name=f"{component}.{path}")
        name = names[component] + path
        # A core in the middle is only looked for beside the older words.
        _add(tensors, name, parts, _WORDS if MID in parts else _WORDS | {DOWN: DOWN, UP: UP})
        if needs_alphas:
            tensors[f"{name}.alpha"] = float32_tensor(alpha)
    return tensors


def _to_canonical(lora: Lora) -> tuple[dict[str, Tensor], dict[str, str]]:
    tensors: dict[str, Tensor] = {}
    for module in lora.alphas:
        parts = lora.parts_of(module)
        _refuse(parts, "diffusers", {*LOKR, *LOHA, INPUT_MAGNITUDE})
        if MID in parts:
            parts[DOWN] = fusing.without_mid(parts[DOWN], parts.pop(MID))
        tensors |= {f"{module}.{part}": tensor for part, tensor in parts.items()}
    return tensors, canonical_header(lora)


def _to_diffusers_old(lora: Lora) -> dict[str, Tensor]:
    """Their readers know no alpha, so the up matrices take it on."""
    if lora.architecture not in U_NETS:
        raise CannotHold(dialect="diffusers (2023)", what=lora.architecture)
    tensors: dict[str, Tensor] = {}
    ranks = lora.ranks
    for module, alpha in lora.alphas.items():
        parts = lora.parts_of(module)
        _refuse(parts, "diffusers (2023)", {*LOKR, *LOHA, MAGNITUDE, INPUT_MAGNITUDE})
        if MID in parts:
            parts[DOWN] = fusing.without_mid(parts[DOWN], parts.pop(MID))
        word = "lora" if module.startswith("unet.") else "lora_linear_layer"
        tensors[f"{module}.{word}.down.weight"] = parts[DOWN]
        tensors[f"{module}.{word}.up.weight"] = fusing.scaled(parts[UP], alpha / ranks[module])
    return tensors


def _refuse(parts: Mapping[str, Tensor], dialect: str, forbidden: set[str]) -> None:
    for part in parts:
        if part in forbidden:
            what = "LoKr" if part in LOKR else "LoHa" if part in LOHA else "DoRA"
            raise CannotHold(dialect=dialect, what=what)


_WORDS = {DOWN: "lora_down.weight", UP: "lora_up.weight", MAGNITUDE: "dora_scale", INPUT_MAGNITUDE: "dora_scale"}


def _add(tensors: dict[str, Tensor], name: str, parts: Mapping[str, Tensor], words: Mapping[str, str]) -> None:
    for part, tensor in parts.items():
        shaped = fusing.reshaped(tensor, _standing(parts[UP])) if part == MAGNITUDE else tensor
        tensors[f"{name}.{words.get(part, part)}"] = shaped


def _standing(up: Tensor) -> tuple[int, ...]:
    return (up.shape[0], *(1 for _ in up.shape[1:]))


def _original_layers(
    lora: Lora, architecture: Architecture, keeps_split: bool = False, u_net_original: bool = False
) -> list[tuple[str, str, dict[str, Tensor], float]]:
    """Component, path in the original's words, parts, alpha; layers that are one in the original are put together."""
    found: list[tuple[str, str, dict[str, Tensor], float]] = []
    stacks: dict[str, list[str | None]] = {}
    for module, alpha in lora.alphas.items():
        component, _, path = module.partition(".")
        if component in ("unet", "transformer"):
            place = None if architecture in U_NETS else original_of(architecture, path)
            if architecture in U_NETS:
                sgm = architecture == "stable_diffusion_xl" or u_net_original
                path = u_net_to_original(path, architecture) if sgm else path
            elif (whole := unfused_original(architecture, path)) is not None:
                path = whole
            elif place is None:
                raise UnknownDialect(name=module)
            elif len(place[1].parts) > 1 and not keeps_split:
                stacks.setdefault(place[0], [None] * len(place[1].parts))[place[2]] = module
                continue
            elif not keeps_split:
                parts = lora.parts_of(module)
                if place[1].is_turned:
                    parts, alpha = _in_low_rank(parts, alpha, fusing.turned, module)
                found.append((component, place[0], parts, alpha))
                continue
        elif component == "text_encoder" and not path.startswith("text_model.") and path != "text_projection":
            # Newer transformers leave this level of CLIP out; the dialect was made when it was there.
            path = f"text_model.{path}"
        elif component == "text_encoder_2" and architecture == "stable_diffusion_xl":
            path = path if path.startswith(("text_model.", "text_projection")) else f"text_model.{path}"
        found.append((component, path, lora.parts_of(module), alpha))
    for original, modules in stacks.items():
        found.append(("transformer", original, *_stacked(lora, architecture, original, modules)))
    return found


def _stacked(
    lora: Lora, architecture: Architecture, original: str, modules: list[str | None]
) -> tuple[dict[str, Tensor], float]:
    stack = stack_of(architecture, original)
    assert stack is not None
    parts = [
        None if module is None else _low_rank(lora.parts_of(module), lora.alphas[module], module) for module in modules
    ]
    try:
        whole = fusing.stack(parts, stack.heights)
    except ValueError as error:
        there = next(module for module in modules if module is not None)
        raise CannotHold(dialect="the original", what="DoRA" if "magnitudes" in str(error) else there) from error
    return _from_low_rank(whole), whole.alpha


def _low_rank(parts: Mapping[str, Tensor], alpha: float, module: str) -> LowRank:
    if set(parts) - {DOWN, UP, MAGNITUDE}:
        what = (
            "LoKr" if any(part in LOKR for part in parts) else "LoHa" if any(part in LOHA for part in parts) else "DoRA"
        )
        raise CannotHold(dialect="the original", what=what)
    return LowRank(parts[DOWN], parts[UP], alpha, parts.get(MAGNITUDE))


def _from_low_rank(one: LowRank) -> dict[str, Tensor]:
    parts = {DOWN: one.down, UP: one.up}
    if one.magnitude is not None:
        parts[MAGNITUDE] = fusing.reshaped(one.magnitude, (one.up.shape[0],))
    return parts


def _in_low_rank(
    parts: Mapping[str, Tensor], alpha: float, change: Callable[[LowRank], LowRank], module: str
) -> tuple[dict[str, Tensor], float]:
    changed = change(_low_rank(parts, alpha, module))
    return _from_low_rank(changed), changed.alpha


def _taken_apart(name: str) -> tuple[str, str, str]:
    """``lora_unet_mid_block_…_to_q.alpha`` → ``denoiser``, ``mid_block.….to_q``, ``alpha``.

    Raises ``UnknownDialect``.
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
        raise UnknownDialect(name=name)
    path, part = name.removesuffix(ending), ENDINGS[ending]
    for prefix, component in _FLAT.items():
        if path.startswith(prefix):
            return component, _plain_path(component, with_dots(path.removeprefix(prefix))), part
    for prefix, component in _DOTTED.items():
        if path.startswith(prefix):
            return component, _plain_path(component, path.removeprefix(prefix)), part
    if _BARE.match(name):
        return "denoiser", _plain_path("denoiser", path), part
    raise UnknownDialect(name=name)


def _plain_path(component: str, path: str) -> str:
    """Without the names of attention processors, which diffusers put into its paths in 2023."""
    if not path or not re.fullmatch(r"[\w.-]+", path):
        raise UnknownDialect(name=path)
    path = path.replace(".processor.", ".")
    if component != "denoiser":
        for old, new in ((".to_q", ".q_proj"), (".to_k", ".k_proj"), (".to_v", ".v_proj"), (".to_out", ".out_proj")):
            if path.endswith(f"self_attn{old}"):
                return path.removesuffix(old) + new
        return path
    if re.search(r"attn[12]\.to_out$", path):
        return f"{path}.0"
    return u_net_from_original(path) if path.startswith(_ORIGINAL_U_NET) else path


def _canonical_modules(
    names: Names, layer: Layer, parts: dict[str, Tensor], alpha: float
) -> list[tuple[str, dict[str, Tensor], float]]:
    """The canonical modules behind a layer, with their parts and alphas."""
    parts = {part: tensor for part, tensor in parts.items() if part != "alpha"}
    _check(layer, parts)
    if MAGNITUDE in parts:
        parts = _with_magnitude(parts, layer)
    prefix = f"{layer.component}." if layer.component else ""
    stack = stack_of(names.architecture, layer.path) if layer.component == "transformer" else None
    if names.dialect == "xlabs" and stack is not None and layer.path.endswith("linear1"):
        stack = type(stack)(stack.parts[:3], (1, 1, 1))  # of the fused layer, it changes the attention alone
    if stack is None or stack.parts == (layer.path,):
        return [(prefix + layer.path, parts, alpha)]
    if layer.algorithm != "lora" or MID in parts or INPUT_MAGNITUDE in parts:
        if len(stack.parts) == 1 and not stack.is_turned:
            return [(prefix + stack.parts[0], parts, alpha)]
        fused = fused_name(names.architecture, layer.path)
        if fused is None:
            raise UnknownDialect(name=layer.path)
        return [(prefix + fused, parts, alpha)]
    whole = _low_rank(parts, alpha, layer.path)
    if stack.is_turned:
        whole = fusing.turned(whole)
    try:
        pieces = fusing.cut(whole, stack.heights) if len(stack.parts) > 1 else [whole]
    except ValueError as error:
        raise UnknownDialect(name=layer.path) from error
    return [
        (prefix + name, _from_low_rank(piece), piece.alpha)
        for name, piece in zip(stack.parts, pieces, strict=True)
        if piece is not None
    ]


def _check(layer: Layer, parts: Mapping[str, Tensor]) -> None:
    """Raises ``UnknownDialect`` where a half is missing or two do not fit together."""
    name = next(iter(layer.names.values()))
    if layer.algorithm == "lora":
        down, up = parts.get(DOWN), parts.get(UP)
        if down is None or up is None or len(down.shape) < 2 or len(up.shape) < 2:
            raise UnknownDialect(name=name)
        if down.shape[0] != up.shape[1] or 0 in (*down.shape, *up.shape):
            raise UnknownDialect(name=name)
        mid = parts.get(MID)
        if mid is not None and (len(mid.shape) < 3 or mid.shape[:2] != (down.shape[0], down.shape[0])):
            raise UnknownDialect(name=name)
    elif layer.algorithm == "loha":
        needed = {"hada_w1_a", "hada_w1_b", "hada_w2_a", "hada_w2_b"}
        if needed - set(parts):
            raise UnknownDialect(name=name)
    elif not all(f"lokr_w{n}" in parts or {f"lokr_w{n}_a", f"lokr_w{n}_b"} <= set(parts) for n in (1, 2)):
        raise UnknownDialect(name=name)
    if layer.algorithm != "lora" and (DOWN in parts or UP in parts):
        raise UnknownDialect(name=name)


def _with_magnitude(parts: dict[str, Tensor], layer: Layer) -> dict[str, Tensor]:
    """DoRA's lengths as PEFT shapes them: (out) for a matrix, (1, out, 1, 1) for a convolution."""
    lengths = parts[MAGNITUDE]
    up = parts.get(UP)
    rows = up.shape[0] if up is not None else None
    others = {part: tensor for part, tensor in parts.items() if part != MAGNITUDE}
    if rows is None or math.prod(lengths.shape) != rows or (len(lengths.shape) == 2 and lengths.shape[0] != rows):
        return others | {INPUT_MAGNITUDE: lengths}
    assert up is not None
    shape = (rows,) if len(up.shape) == 2 else (1, rows, *(1 for _ in up.shape[2:]))
    return others | {MAGNITUDE: fusing.reshaped(lengths, shape)}


def _alpha_of(layer: Layer, parts: dict[str, Tensor], settings: Mapping[str, Any]) -> float:
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
            parts["lokr_w1"] = fusing.scaled(parts["lokr_w1"], alpha / int(written or 1))
        return 1.0
    if not math.isfinite(alpha):
        raise UnknownDialect(name=next(iter(layer.names.values())))
    return alpha


def _settings(metadata: Mapping[str, str]) -> dict[str, Any]:
    try:
        settings = json.loads(metadata.get(HEADER_KEY, "{}"))
    except (ValueError, RecursionError) as error:
        raise UnknownDialect(name=HEADER_KEY) from error
    if not isinstance(settings, dict):
        raise UnknownDialect(name=HEADER_KEY)
    return settings


def _alpha(settings: Mapping[str, Any], component: str, inside: str, rank: int) -> float:
    def setting(name: str) -> Any:
        return settings.get(f"{component}.{name}", settings.get(name))

    alpha = next((value for name in ("lora_alpha", "alpha") if (value := setting(name)) is not None), rank)
    patterns = setting("alpha_pattern") or {}
    if not isinstance(patterns, dict):
        raise UnknownDialect(name=HEADER_KEY)
    for pattern, value in patterns.items():
        # PEFT's rule: a pattern fits the path or its end after a dot. Plain names only, no foreign expressions.
        plain = pattern.removeprefix("^")
        if not re.fullmatch(r"[\w.-]+", plain):
            raise UnknownDialect(name=pattern)
        if inside == plain or (not pattern.startswith("^") and inside.endswith(f".{plain}")):
            alpha = value
            break
    try:
        alpha = float(alpha)
    except (TypeError, ValueError) as error:
        raise UnknownDialect(name=HEADER_KEY) from error
    # Rank-stabilised LoRA scales by alpha / √rank; the other dialects know alpha / rank only.
    return alpha * math.sqrt(rank) if setting("use_rslora") else alpha


def _commonest(values: Iterable[Any]) -> Any:
    return Counter(values).most_common(1)[0][0]


def alphas_and_ranks(
    names: Names, entries: Mapping[str, Shaped], metadata: Mapping[str, str], alphas: Mapping[str, float]
) -> list[tuple[Layer, int, float | None]]:
    """Rank and alpha of every layer from a header and the few bytes of its alpha tensors (name → number).

    Alpha is None where the file does not say it, as in PEFT's, which keep it in a file beside them.
    Raises ``UnknownDialect`` for settings that make no sense.
    """
    settings = _settings(metadata) if names.dialect in ("canonical", "peft") else {}
    found: list[tuple[Layer, int, float | None]] = []
    for layer in names.layers:
        rank = rank_of({part: entries[name] for part, name in layer.names.items()})
        own = alphas.get(layer.names.get("alpha", ""))
        if own is not None:
            found.append((layer, rank, own))
        elif settings:
            found.append((layer, rank, _alpha(settings, layer.component, layer.path, rank)))
        else:
            found.append((layer, rank, None if names.dialect == "peft" or "alpha" in layer.names else float(rank)))
    return found
