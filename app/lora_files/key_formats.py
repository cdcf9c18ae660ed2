"""The names that programs give a LoRA's tensors, and how to get from one to the other. Pure: no model library.

*Canonical* is what diffusers and PEFT write: ``unet.down_blocks.0.….to_q.lora_A.weight`` (A, rank × in) and ``lora_B``,
with alpha in the header. *kohya* is what A1111, ComfyUI and sd-scripts share: the module's path with underscores,
``lora_unet_down_blocks_0_…_to_q.lora_down.weight`` and ``lora_up``, with alpha in a tensor of its own. *ComfyUI* is the
original implementation's path behind ``diffusion_model.``. All hold the same numbers: ΔW = (alpha / rank) · B @ A.

Everything is read into diffusers' names, and written from there. Kronecker and Hadamard products (LyCORIS' LoKr and
LoHa) are renamed as they are; what a key format cannot hold exactly is refused with a sentence.
"""

from collections.abc import Mapping

from app.lora_files import flux_2_mark
from app.lora_files.families import known
from app.lora_files.families.facts import Architecture, KeyFormat, WrittenFormat
from app.lora_files.keys import file_kinds, qkv, signs
from app.lora_files.keys.alpha_scaling import (
    alpha_in_weights,
    alpha_of,
    alphas_and_ranks,
    diffusers_header,
    settings_in,
)
from app.lora_files.keys.architectures import architecture_of
from app.lora_files.keys.bases import LANGUAGE_MODEL, UnknownKeyFormat, check_supported
from app.lora_files.keys.layers import HEADER_KEY, PLAIN, CannotHold, Layer, Lora, Names
from app.lora_files.keys.module_names import with_dots
from app.lora_files.keys.original_layers import diffusers_modules, original_layers
from app.lora_files.keys.tensor_names import detect, is_extra, layer_and_weight, stem_and_weight
from app.lora_files.keys.weights import DOWN, INPUT_MAGNITUDE, LOHA, LOKR, MAGNITUDE, MID, UP, Shaped
from app.lora_files.safetensors_file import Tensor, float32_tensor


def parse(entries: Mapping[str, Shaped], metadata: Mapping[str, str], hint: Architecture | None = None) -> Names:
    """Read the names. ``hint`` decides where they fit more than one architecture.

    Of a base that Livery has no table of, the layers keep the names that they have in the file.
    Raises ``UnknownKeyFormat`` with the first name that belongs to none, ``UnknownAdapterKind`` for what is no LoRA.
    """
    key_format = detect(entries)
    file_kinds.check(entries)
    told = signs.foreign(entries, metadata) if hint is None else hint
    if hint is None and told is not None and known.find(told) is None:
        return _foreign_names(entries, key_format, told)
    if key_format == "unknown":
        raise UnknownKeyFormat(name=next(iter(entries), ""))
    found: dict[tuple[str, str], dict[str, str]] = {}
    left_out = []
    for name in entries:
        if is_extra(name):
            left_out.append(name)
            continue
        component, path, part = layer_and_weight(name)
        parts = found.setdefault((component, path), {})
        if part in parts:
            raise UnknownKeyFormat(name=name)
        parts[part] = name
    if hint is None and told is not None:
        architecture = told
    else:
        architecture = architecture_of(found, entries, metadata, hint)
    denoiser = "unet" if known.is_u_net(architecture) else "transformer"
    if architecture == LANGUAGE_MODEL:
        denoiser = ""
    layers = tuple(
        Layer(denoiser if component == "denoiser" else component, path, names)
        for (component, path), names in sorted(found.items())
    )
    return Names(key_format, architecture, layers, tuple(left_out))


def _foreign_names(entries: Mapping[str, Shaped], key_format: KeyFormat, architecture: Architecture) -> Names:
    layers: dict[tuple[str, str], dict[str, str]] = {}
    left_out = []
    for name in entries:
        stem, part = stem_and_weight(name)
        parts = layers.setdefault(("text_encoder" if signs.is_of_text(name) else "transformer", stem), {})
        if part is None or part in parts:
            left_out.append(name)
        else:
            parts[part] = name
    found = tuple(Layer(*place, parts) for place, parts in sorted(layers.items()) if set(parts) - {"alpha"})
    if not found:
        raise UnknownKeyFormat(name=next(iter(entries), ""))
    return Names(key_format, architecture, found, tuple(left_out))


def read(tensors: Mapping[str, Tensor], metadata: Mapping[str, str], hint: Architecture | None = None) -> Lora:
    """The adapter under diffusers' names, with true alphas.

    Raises ``UnknownKeyFormat`` for a name of no known key format, or a tensor whose other half is missing or does not
    fit; ``NoBase`` and ``UnknownBase``, which are such, for a base whose layers Livery has no table of.
    """
    return read_as(parse(tensors, metadata, hint), tensors, metadata)


def read_as(names: Names, tensors: Mapping[str, Tensor], metadata: Mapping[str, str]) -> Lora:
    """``read``, with the names read already. Raises like it."""
    if names.architecture != LANGUAGE_MODEL:
        check_supported(names.architecture)
    settings = settings_in(metadata) if names.key_format in ("canonical", "peft") else {}
    canonical: dict[str, Tensor] = {}
    alphas: dict[str, float] = {}
    for layer in names.layers:
        parts = {part: tensors[name] for part, name in layer.names.items()}
        if flux_2_mark.is_one(names.architecture, layer, parts) and len(names.layers) > 1:
            continue
        alpha = alpha_of(layer, parts, settings)
        for module, own, its_alpha in diffusers_modules(names, layer, parts, alpha):
            if module in alphas:
                raise UnknownKeyFormat(name=module)
            alphas[module] = its_alpha
            canonical |= {f"{module}.{part}": tensor for part, tensor in own.items()}
    return Lora(canonical, alphas, names.architecture, names.left_out)


def write(lora: Lora, key_format: WrittenFormat) -> tuple[dict[str, Tensor], dict[str, str]]:
    """The tensors under a key format's names, and what its header needs beside them.

    Raises ``CannotHold`` for what has no place in it, ``UnknownKeyFormat`` for a module without a name there.
    """
    match key_format:
        case "canonical":
            return _to_diffusers(scaled_for(lora, key_format))
        case "diffusers_old":
            return _to_diffusers_old(lora), {}
        case "kohya":
            return to_kohya(lora, lora.architecture), {}
        case "comfyui":
            return _to_comfyui(scaled_for(lora, key_format)), {}


def scaled_for(lora: Lora, key_format: WrittenFormat) -> Lora:
    """The adapter as it stands in a file of this key format.

    In diffusers' names the numbers take alpha / rank on: of its header, where alphas would stand, ComfyUI, Forge and
    InvokeAI read nothing. In FLUX.2's original names too, as diffusers refuses alphas there.
    """
    facts = known.find(lora.architecture)
    folds = key_format == "canonical" or (
        key_format == "comfyui" and facts is not None and facts.comfyui_alpha_in_weights
    )
    return alpha_in_weights(lora) if folds else lora


def key_formats_for(architecture: Architecture) -> tuple[WrittenFormat, ...]:
    """The key formats in which an adapter of this architecture can be written, the usual one first."""
    facts = known.find(architecture)
    return facts.key_formats if facts is not None else ()


def from_diffusers(tensors: Mapping[str, Tensor], metadata: Mapping[str, str]) -> Lora:
    """Read the alphas of a canonical file from its header; without one alpha is the rank, as every reader takes it.

    Raises ``UnknownKeyFormat`` when a tensor has another kind of name or its other half is missing.
    """
    if tensors and detect(tensors) != "canonical":
        raise UnknownKeyFormat(name=next(iter(tensors)))
    return read(tensors, metadata)


def from_kohya(tensors: Mapping[str, Tensor], architecture: Architecture) -> Lora:
    """Canonical names for a kohya file; a module without ``.alpha`` gets its rank, as sd-scripts takes it.

    Raises ``UnknownKeyFormat`` for a name of another key format or a tensor whose other half is missing.
    """
    lora = read(tensors, {}, architecture)
    allowed = kohya_prefixes(architecture)
    for module in lora.alphas:
        if lora.architecture != architecture or module.split(".")[0] not in allowed:
            raise UnknownKeyFormat(name=module)
    return lora


def kohya_prefixes(architecture: Architecture) -> dict[str, str]:
    """Component → what its layers' names begin with in kohya's format; the denoiser's is always the same."""
    facts = known.find(architecture)
    if facts is None:
        return {}
    denoiser = "unet" if facts.is_u_net else "transformer"
    return {denoiser: "lora_unet_"} | {component: one.kohya for component, one in facts.text_encoders.items()}


def to_kohya(lora: Lora, architecture: Architecture) -> dict[str, Tensor]:
    """The same numbers under kohya's names, with the true alpha of each module as a float32 number.

    Raises ``UnknownKeyFormat`` for a module that the key format has no name for.
    """
    prefixes = kohya_prefixes(architecture)
    tensors: dict[str, Tensor] = {}
    for component, path, parts, alpha in original_layers(lora, architecture):
        if component not in prefixes:
            raise UnknownKeyFormat(name=f"{component}.{path}")
        flat = path.replace(".", "_")
        if with_dots(flat) != path:
            raise UnknownKeyFormat(name=f"{component}.{path}")
        _add(tensors, prefixes[component] + flat, parts, _WORDS)
        tensors[f"{prefixes[component]}{flat}.alpha"] = float32_tensor(alpha)
    return tensors


def _to_comfyui(lora: Lora) -> dict[str, Tensor]:
    facts = known.find(lora.architecture)
    if facts is None:
        raise UnknownKeyFormat(name=next(iter(lora.alphas), ""))
    names = {"unet": "diffusion_model.", "transformer": "diffusion_model."}
    names |= {component: one.comfyui for component, one in facts.text_encoders.items() if one.comfyui}
    tensors: dict[str, Tensor] = {}
    ranks = lora.ranks
    # Without alphas every reader takes the rank.
    needs_alphas = any(alpha != ranks[module] for module, alpha in lora.alphas.items())
    for component, path, parts, alpha in original_layers(lora, lora.architecture, facts.comfyui_keeps_split, True):
        if component not in names:
            raise UnknownKeyFormat(name=f"{component}.{path}")
        name = names[component] + path
        # A core in the middle is only looked for beside the older words.
        _add(tensors, name, parts, _WORDS if MID in parts else _WORDS | {DOWN: DOWN, UP: UP})
        if needs_alphas:
            tensors[f"{name}.alpha"] = float32_tensor(alpha)
    return tensors | (flux_2_mark.needed_by(tensors) if lora.architecture == "flux_2" and _is_plain(lora) else {})


def _is_plain(lora: Lora) -> bool:
    return all(set(lora.weights_of(module)) <= PLAIN for module in lora.alphas)


def _to_diffusers(lora: Lora) -> tuple[dict[str, Tensor], dict[str, str]]:
    tensors: dict[str, Tensor] = {}
    for module in lora.alphas:
        parts = lora.weights_of(module)
        _refuse(parts, "diffusers", {*LOKR, *LOHA, INPUT_MAGNITUDE})
        if MID in parts:
            parts[DOWN] = qkv.without_mid(parts[DOWN], parts.pop(MID))
        tensors |= {f"{module}.{part}": tensor for part, tensor in parts.items()}
    return tensors, diffusers_header(lora)


def _to_diffusers_old(lora: Lora) -> dict[str, Tensor]:
    """Their readers know no alpha, so the up matrices take it on."""
    if not known.is_u_net(lora.architecture):
        raise CannotHold(format="diffusers (2023)", what=lora.architecture)
    tensors: dict[str, Tensor] = {}
    ranks = lora.ranks
    for module, alpha in lora.alphas.items():
        parts = lora.weights_of(module)
        _refuse(parts, "diffusers (2023)", {*LOKR, *LOHA, MAGNITUDE, INPUT_MAGNITUDE})
        if MID in parts:
            parts[DOWN] = qkv.without_mid(parts[DOWN], parts.pop(MID))
        word = "lora" if module.startswith("unet.") else "lora_linear_layer"
        tensors[f"{module}.{word}.down.weight"] = parts[DOWN]
        tensors[f"{module}.{word}.up.weight"] = qkv.scaled(parts[UP], alpha / ranks[module])
    return tensors


def _refuse(parts: Mapping[str, Tensor], key_format: str, forbidden: set[str]) -> None:
    for part in parts:
        if part in forbidden:
            what = "LoKr" if part in LOKR else "LoHa" if part in LOHA else "DoRA"
            raise CannotHold(format=key_format, what=what)


_WORDS = {DOWN: "lora_down.weight", UP: "lora_up.weight", MAGNITUDE: "dora_scale", INPUT_MAGNITUDE: "dora_scale"}


def _add(tensors: dict[str, Tensor], name: str, parts: Mapping[str, Tensor], words: Mapping[str, str]) -> None:
    for part, tensor in parts.items():
        shaped = qkv.reshaped(tensor, _standing(parts[UP])) if part == MAGNITUDE else tensor
        tensors[f"{name}.{words.get(part, part)}"] = shaped


def _standing(up: Tensor) -> tuple[int, ...]:
    return (up.shape[0], *(1 for _ in up.shape[1:]))


__all__ = [
    "HEADER_KEY",
    "PLAIN",
    "CannotHold",
    "Layer",
    "Lora",
    "Names",
    "UnknownKeyFormat",
    "alphas_and_ranks",
    "detect",
    "diffusers_header",
    "from_diffusers",
    "from_kohya",
    "key_formats_for",
    "parse",
    "read",
    "scaled_for",
    "to_kohya",
    "write",
]  # fmt: skip
