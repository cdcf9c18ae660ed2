"""The names that programs give a LoRA's tensors, and how to get from one to the other. Pure: no model library.

*Canonical* is what diffusers and PEFT write: ``unet.down_blocks.0.….to_q.lora_A.weight`` (A, rank × in) and ``lora_B``,
with alpha in the header. *kohya* is what A1111, ComfyUI and sd-scripts share: the module's path with underscores,
``lora_unet_down_blocks_0_…_to_q.lora_down.weight`` and ``lora_up``, with alpha in a tensor of its own. *ComfyUI* is the
original implementation's path behind ``diffusion_model.``. All hold the same numbers: ΔW = (alpha / rank) · B @ A.

Everything is read into canonical names, and written from there. Kronecker and Hadamard products (LyCORIS' LoKr and
LoHa) are renamed as they are; what a dialect cannot hold exactly is refused with a sentence.
"""

from collections.abc import Mapping

from app.lora_files import flux_2_mark
from app.lora_files.families import known
from app.lora_files.families.facts import Architecture, KeyFormat, WrittenFormat
from app.lora_files.keys import file_kinds, qkv, signs
from app.lora_files.keys.alpha_scaling import alpha_of, alphas_and_ranks, canonical_header, in_the_numbers, settings_in
from app.lora_files.keys.architectures import architecture_of
from app.lora_files.keys.bases import LANGUAGE_MODEL, UnknownDialect, check_supported
from app.lora_files.keys.layers import HEADER_KEY, PLAIN, CannotHold, Layer, Lora, Names
from app.lora_files.keys.module_names import with_dots
from app.lora_files.keys.original_layers import canonical_modules, original_layers
from app.lora_files.keys.tensor_names import detect, halves_of, is_extra, taken_apart
from app.lora_files.keys.weights import DOWN, INPUT_MAGNITUDE, LOHA, LOKR, MAGNITUDE, MID, UP, Shaped
from app.lora_files.safetensors_file import Tensor, float32_tensor


def parse(entries: Mapping[str, Shaped], metadata: Mapping[str, str], hint: Architecture | None = None) -> Names:
    """Read the names. ``hint`` decides where they fit more than one architecture.

    Of a base that Livery has no table of, the layers keep the names that they have in the file.
    Raises ``UnknownDialect`` with the first name that belongs to none, ``UnknownKind`` for what is no LoRA.
    """
    dialect = detect(entries)
    file_kinds.check(entries)
    told = signs.foreign(entries, metadata) if hint is None else hint
    if hint is None and told is not None and known.find(told) is None:
        return _foreign_names(entries, dialect, told)
    if dialect == "unknown":
        raise UnknownDialect(name=next(iter(entries), ""))
    found: dict[tuple[str, str], dict[str, str]] = {}
    left_out = []
    for name in entries:
        if is_extra(name):
            left_out.append(name)
            continue
        component, path, part = taken_apart(name)
        parts = found.setdefault((component, path), {})
        if part in parts:
            raise UnknownDialect(name=name)
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
    return Names(dialect, architecture, layers, tuple(left_out))


def _foreign_names(entries: Mapping[str, Shaped], dialect: KeyFormat, architecture: Architecture) -> Names:
    layers: dict[tuple[str, str], dict[str, str]] = {}
    left_out = []
    for name in entries:
        stem, part = halves_of(name)
        parts = layers.setdefault(("text_encoder" if signs.is_of_text(name) else "transformer", stem), {})
        if part is None or part in parts:
            left_out.append(name)
        else:
            parts[part] = name
    found = tuple(Layer(*place, parts) for place, parts in sorted(layers.items()) if set(parts) - {"alpha"})
    if not found:
        raise UnknownDialect(name=next(iter(entries), ""))
    return Names(dialect, architecture, found, tuple(left_out))


def read(tensors: Mapping[str, Tensor], metadata: Mapping[str, str], hint: Architecture | None = None) -> Lora:
    """The adapter under canonical names, with true alphas.

    Raises ``UnknownDialect`` for a name of no known dialect, or a tensor whose other half is missing or does not fit;
    ``NoBase`` and ``UnknownBase``, which are such, for a base whose layers Livery has no table of.
    """
    return read_as(parse(tensors, metadata, hint), tensors, metadata)


def read_as(names: Names, tensors: Mapping[str, Tensor], metadata: Mapping[str, str]) -> Lora:
    """``read``, with the names taken apart already. Raises like it."""
    if names.architecture != LANGUAGE_MODEL:
        check_supported(names.architecture)
    settings = settings_in(metadata) if names.dialect in ("canonical", "peft") else {}
    canonical: dict[str, Tensor] = {}
    alphas: dict[str, float] = {}
    for layer in names.layers:
        parts = {part: tensors[name] for part, name in layer.names.items()}
        if flux_2_mark.is_one(names.architecture, layer, parts) and len(names.layers) > 1:
            continue
        alpha = alpha_of(layer, parts, settings)
        for module, own, its_alpha in canonical_modules(names, layer, parts, alpha):
            if module in alphas:
                raise UnknownDialect(name=module)
            alphas[module] = its_alpha
            canonical |= {f"{module}.{part}": tensor for part, tensor in own.items()}
    return Lora(canonical, alphas, names.architecture, names.left_out)


def write(lora: Lora, dialect: WrittenFormat) -> tuple[dict[str, Tensor], dict[str, str]]:
    """The tensors under a dialect's names, and what its header needs beside them.

    Raises ``CannotHold`` for what the dialect has no place for, ``UnknownDialect`` for a module without a name in it.
    """
    match dialect:
        case "canonical":
            return _to_canonical(as_written(lora, dialect))
        case "diffusers_old":
            return _to_diffusers_old(lora), {}
        case "kohya":
            return to_kohya(lora, lora.architecture), {}
        case "comfyui":
            return _to_comfyui(as_written(lora, dialect)), {}


def as_written(lora: Lora, dialect: WrittenFormat) -> Lora:
    """The adapter as it stands in a file of this dialect.

    In diffusers' names the numbers take alpha / rank on: of its header, where alphas would stand, ComfyUI, Forge and
    InvokeAI read nothing. In FLUX.2's original names too, as diffusers refuses alphas there.
    """
    facts = known.find(lora.architecture)
    folds = dialect == "canonical" or (dialect == "comfyui" and facts is not None and facts.comfyui_alpha_in_weights)
    return in_the_numbers(lora) if folds else lora


def dialects_for(architecture: Architecture) -> tuple[WrittenFormat, ...]:
    """The dialects in which an adapter of this architecture can be written, the usual one first."""
    facts = known.find(architecture)
    return facts.key_formats if facts is not None else ()


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
    allowed = kohya_prefixes(architecture)
    for module in lora.alphas:
        if lora.architecture != architecture or module.split(".")[0] not in allowed:
            raise UnknownDialect(name=module)
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

    Raises ``UnknownDialect`` for a module that the dialect has no name for.
    """
    prefixes = kohya_prefixes(architecture)
    tensors: dict[str, Tensor] = {}
    for component, path, parts, alpha in original_layers(lora, architecture):
        if component not in prefixes:
            raise UnknownDialect(name=f"{component}.{path}")
        flat = path.replace(".", "_")
        if with_dots(flat) != path:
            raise UnknownDialect(name=f"{component}.{path}")
        _add(tensors, prefixes[component] + flat, parts, _WORDS)
        tensors[f"{prefixes[component]}{flat}.alpha"] = float32_tensor(alpha)
    return tensors


def _to_comfyui(lora: Lora) -> dict[str, Tensor]:
    facts = known.find(lora.architecture)
    if facts is None:
        raise UnknownDialect(name=next(iter(lora.alphas), ""))
    names = {"unet": "diffusion_model.", "transformer": "diffusion_model."}
    names |= {component: one.comfyui for component, one in facts.text_encoders.items() if one.comfyui}
    tensors: dict[str, Tensor] = {}
    ranks = lora.ranks
    # Without alphas every reader takes the rank.
    needs_alphas = any(alpha != ranks[module] for module, alpha in lora.alphas.items())
    for component, path, parts, alpha in original_layers(lora, lora.architecture, facts.comfyui_keeps_split, True):
        if component not in names:
            raise UnknownDialect(name=f"{component}.{path}")
        name = names[component] + path
        # A core in the middle is only looked for beside the older words.
        _add(tensors, name, parts, _WORDS if MID in parts else _WORDS | {DOWN: DOWN, UP: UP})
        if needs_alphas:
            tensors[f"{name}.alpha"] = float32_tensor(alpha)
    return tensors | (flux_2_mark.needed_by(tensors) if lora.architecture == "flux_2" and _is_plain(lora) else {})


def _is_plain(lora: Lora) -> bool:
    return all(set(lora.parts_of(module)) <= PLAIN for module in lora.alphas)


def _to_canonical(lora: Lora) -> tuple[dict[str, Tensor], dict[str, str]]:
    tensors: dict[str, Tensor] = {}
    for module in lora.alphas:
        parts = lora.parts_of(module)
        _refuse(parts, "diffusers", {*LOKR, *LOHA, INPUT_MAGNITUDE})
        if MID in parts:
            parts[DOWN] = qkv.without_mid(parts[DOWN], parts.pop(MID))
        tensors |= {f"{module}.{part}": tensor for part, tensor in parts.items()}
    return tensors, canonical_header(lora)


def _to_diffusers_old(lora: Lora) -> dict[str, Tensor]:
    """Their readers know no alpha, so the up matrices take it on."""
    if not known.is_u_net(lora.architecture):
        raise CannotHold(dialect="diffusers (2023)", what=lora.architecture)
    tensors: dict[str, Tensor] = {}
    ranks = lora.ranks
    for module, alpha in lora.alphas.items():
        parts = lora.parts_of(module)
        _refuse(parts, "diffusers (2023)", {*LOKR, *LOHA, MAGNITUDE, INPUT_MAGNITUDE})
        if MID in parts:
            parts[DOWN] = qkv.without_mid(parts[DOWN], parts.pop(MID))
        word = "lora" if module.startswith("unet.") else "lora_linear_layer"
        tensors[f"{module}.{word}.down.weight"] = parts[DOWN]
        tensors[f"{module}.{word}.up.weight"] = qkv.scaled(parts[UP], alpha / ranks[module])
    return tensors


def _refuse(parts: Mapping[str, Tensor], dialect: str, forbidden: set[str]) -> None:
    for part in parts:
        if part in forbidden:
            what = "LoKr" if part in LOKR else "LoHa" if part in LOHA else "DoRA"
            raise CannotHold(dialect=dialect, what=what)


_WORDS = {DOWN: "lora_down.weight", UP: "lora_up.weight", MAGNITUDE: "dora_scale", INPUT_MAGNITUDE: "dora_scale"}


def _add(tensors: dict[str, Tensor], name: str, parts: Mapping[str, Tensor], words: Mapping[str, str]) -> None:
    for part, tensor in parts.items():
        shaped = qkv.reshaped(tensor, _standing(parts[UP])) if part == MAGNITUDE else tensor
        tensors[f"{name}.{words.get(part, part)}"] = shaped


def _standing(up: Tensor) -> tuple[int, ...]:
    return (up.shape[0], *(1 for _ in up.shape[1:]))


__all__ = [
    "HEADER_KEY", "PLAIN", "CannotHold", "Layer", "Lora", "Names", "UnknownDialect", "alphas_and_ranks",
    "as_written", "canonical_header", "detect", "dialects_for", "from_canonical", "from_kohya", "parse", "read",
    "to_kohya", "write",
]  # fmt: skip
