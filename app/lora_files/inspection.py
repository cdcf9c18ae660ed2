"""The report of an adapter file: what it is, read from its header and the few bytes of its alphas.

A header of 300 bytes can claim 45 million rows: for files from outside, let a process do this that may be lost.

Nothing of it is believed: lengths are limited, JSON inside is read carefully, and what cannot be read is left out.
"""

import hashlib
import json
import math
import re
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any, BinaryIO

from pydantic import BaseModel

from app.lora_files import dry_run, header_settings, key_formats, metadata
from app.lora_files.families import known
from app.lora_files.header_settings import Setting
from app.lora_files.key_formats import Names
from app.lora_files.keys import signs
from app.lora_files.keys.bases import LANGUAGE_MODEL, UnknownAdapterKind, UnknownKeyFormat, name_of
from app.lora_files.programs import verdicts as programs
from app.lora_files.programs.fit import Contents
from app.lora_files.safetensors_file import Header, Place, Tensor
from app.lora_files.text import LONGEST_LINE, all_keepable, one_line

MOST_TAGS = 60
MOST_ENTRIES = 150
LONGEST_ENTRY = 2000
CHUNK = 2**20
FOLDER = re.compile(r"\d{1,4}_(?=.)")
"""How the folders of a training are called: how often its pictures count, and what they show."""
NO_WORDS = frozenset({"img", "image", "images", "data", "dataset", "train", "training", "pictures", "none"})
MOST_SUGGESTIONS, LONGEST_SUGGESTION = 4, 60
KEY_FORMAT_NAMES: dict[str, str] = {
    "canonical": "diffusers",
    "diffusers_old": "diffusers (2023)",
    "kohya": "kohya",
    "kohya_sgm": "kohya",
    "comfyui": "ComfyUI",
    "onetrainer": "OneTrainer",
    "xlabs": "XLabs",
    "peft": "PEFT",
    "lycoris": "LyCORIS",
    "unknown": "",
}


class PartFacts(BaseModel, defer_build=True):
    """One component of the base, such as its text encoder."""

    component: str
    layers: int
    kinds: list[str]
    """LoRA, LoCon, DoRA, LoKr, LoHa."""
    ranks: list[tuple[int, int]]
    """Rank and how many layers have it, the commonest first."""
    alphas: list[tuple[float, int]] | None
    """Likewise; None where the file does not say it."""
    dtypes: list[str]
    numbers: int
    """How many numbers were learned."""


class ProgramFit(BaseModel, defer_build=True):
    """How much of the file a program loads: tensors, alphas not counted."""

    program: str
    name: str
    loaded: int | None
    total: int
    reason: str
    params: dict[str, str]


class Hashes(BaseModel, defer_build=True):
    """``told`` ones stand in the header; the others need every byte and are there once the whole file is."""

    told_model: str | None = None
    told_legacy: str | None = None
    told_modelspec: str | None = None
    model: str | None = None
    """As A1111 computes it, over the tensors: it shows the first twelve digits."""
    legacy: str | None = None
    sha256: str | None = None
    """Over the whole file; Civitai's AutoV2 is its first ten digits."""


class MetadataReport(BaseModel, defer_build=True):
    byte_count: int
    tensor_count: int
    dialect: str
    """Its key format."""
    dialect_name: str
    architecture: str
    base_name: str
    """Of the family; empty where it is not known."""
    base_told: str
    """What the header calls the base."""
    made_with: str
    modality: str
    """``picture`` or ``text``."""
    parts: list[PartFacts]
    trigger_words: list[str]
    suggested_words: list[str] = []
    """Where the header names no trigger word: what folders of its training and the commonest tag let one guess."""
    title: str
    author: str
    license: str
    description: str
    tags: list[tuple[str, int]]
    """From the captions it was trained on, the commonest first."""
    tells_about_pictures: bool
    """Whether the header holds captions, folder names or counts of the training pictures."""
    settings: dict[str, Any]
    """Of its training, as far as the header tells them."""
    hashes: Hashes
    programs: list[ProgramFit]
    dialects: list[str]
    """The key formats it can be converted into, tried on its shapes."""
    can_be_drawn: bool | None = None
    """Whether Livery draws with this kind of adapter, tried likewise; None in reports of an older Livery."""
    left_out: int
    """Tensors beside the layers that a conversion leaves out, such as bundled embeddings."""
    metadata: dict[str, str]
    unknown_name: str | None
    """The first name that belongs to no known key format."""
    unknown_kind: str = ""
    """What the file is instead of a LoRA, such as OFT; empty where it is one or nobody knows."""
    has_base: bool = True
    """Whether Livery knows the layers of its base. If not, it is neither used nor converted here."""
    width: int | None = None
    """Of the base's tokens, where the file's shapes say it: sizes of one family differ in it."""


def alpha_places(header: Header) -> list[tuple[str, Place]]:
    """Where the single numbers are that the alphas stand in, in the order of the file."""
    return sorted(
        (
            (name, place)
            for name, place in header.tensors.items()
            if name.endswith(".alpha") and math.prod(place.shape) == 1
        ),
        key=lambda item: item[1].start,
    )


def alphas_of(file: BinaryIO, header: Header) -> dict[str, float]:
    """The alphas of a file whose header this is, by the names of their tensors."""
    found = {}
    for name, place in alpha_places(header):
        file.seek(header.data_start + place.start)
        found[name] = _number(Tensor(place.dtype, place.shape, file.read(place.end - place.start)))
    return found


def alphas_in(data: bytes, header: Header) -> dict[str, float]:
    """The alphas of a file from their bytes alone, one behind the other in the order of ``alpha_places``; those that
    ``data`` is too short for are left out."""
    found, at = {}, 0
    for name, place in alpha_places(header):
        length = place.end - place.start
        one = data[at : at + length]
        at += length
        if len(one) == length:
            found[name] = _number(Tensor(place.dtype, place.shape, one))
    return found


def of_header(
    header: Header, byte_count: int, alphas: Mapping[str, float], settings: Mapping[str, Setting]
) -> MetadataReport:
    """The report from a checked header, the values of its alpha tensors, and the settings to look for."""
    told = header.metadata
    unknown_name, unknown_kind = None, ""
    try:
        names = key_formats.parse(header.tensors, told)
        layers = key_formats.alphas_and_ranks(names, header.tensors, told, alphas)
    except UnknownKeyFormat as error:
        names, layers = Names("unknown", "unknown", (), ()), []
        unknown_name = str(error.params.get("name", ""))[:LONGEST_LINE]
        unknown_kind = str(error.params["kind"]) if isinstance(error, UnknownAdapterKind) else ""
    untold = [
        alpha / rank for layer, rank, alpha in layers if alpha is not None and rank and "alpha" not in layer.names
    ]
    has_base = names.architecture == LANGUAGE_MODEL or known.find(names.architecture) is not None
    fits = programs.fits(Contents(names, header.tensors, untold)) if names.layers and has_base else []
    tags, width = _tags(told), signs.width_of(signs.denoiser_stems(header.tensors), header.tensors)
    return MetadataReport(
        byte_count=byte_count,
        tensor_count=len(header.tensors),
        dialect=names.key_format,
        dialect_name=KEY_FORMAT_NAMES[names.key_format],
        architecture=names.architecture,
        base_name=name_of(names.architecture, width),
        base_told=one_line(
            _first(told, "ss_sd_model_name", "ss_base_model_version", "modelspec.architecture", "base_model")
        ),
        made_with=_made_with(told),
        modality="text" if names.architecture == LANGUAGE_MODEL else "picture",
        parts=_parts(names, layers, header),
        trigger_words=_trigger_words(told),
        suggested_words=_suggested_words(told, tags),
        title=one_line(_first(told, "modelspec.title", "ss_output_name")),
        author=one_line(_first(told, "modelspec.author")),
        license=one_line(_first(told, "modelspec.license")),
        description=_first(told, "modelspec.description", "modelspec.usage_hint", "ss_training_comment")[
            :LONGEST_ENTRY
        ],
        tags=tags[:MOST_TAGS],
        tells_about_pictures=_tells_about_pictures(told),
        settings=all_keepable(header_settings.read(told, settings)),
        hashes=Hashes(
            told_model=_hash(told.get("sshs_model_hash")),
            told_legacy=_hash(told.get("sshs_legacy_hash")),
            told_modelspec=_hash(told.get("modelspec.hash_sha256", "").removeprefix("0x")),
        ),
        programs=[
            ProgramFit(
                program=fit.program,
                name=fit.name,
                loaded=fit.loaded,
                total=fit.total,
                reason=fit.reason,
                params=fit.params,
            )
            for fit in fits
        ],
        dialects=[*dry_run.possible_key_formats(names, header.tensors, told)],
        can_be_drawn=dry_run.can_be_drawn(names, header.tensors, told),
        left_out=len(names.left_out),
        metadata={key[:LONGEST_LINE]: value[:LONGEST_ENTRY] for key, value in sorted(told.items())[:MOST_ENTRIES]},
        unknown_name=unknown_name,
        unknown_kind=unknown_kind,
        has_base=has_base,
        width=width,
    )


def hashes_of(path: Path, header: Header) -> dict[str, str]:
    """The hashes that need every byte: over the tensors, over the whole, and A1111's older one."""
    whole, tensors = hashlib.sha256(), hashlib.sha256()
    with path.open("rb") as file:
        beginning = file.read(header.data_start)
        whole.update(beginning)
        while chunk := file.read(CHUNK):
            whole.update(chunk)
            tensors.update(chunk)
        file.seek(2**20)
        legacy = hashlib.sha256(file.read(2**16)).hexdigest()[:8]
    return {"sha256": whole.hexdigest(), "model": tensors.hexdigest(), "legacy": legacy}


def _parts(names: Names, layers: list[tuple[key_formats.Layer, int, float | None]], header: Header) -> list[PartFacts]:
    found = []
    for component in dict.fromkeys(layer.component for layer in names.layers):
        own = [(layer, rank, alpha) for layer, rank, alpha in layers if layer.component == component]
        places = [header.tensors[name] for layer, _, _ in own for part, name in layer.names.items() if part != "alpha"]
        alphas = [alpha for layer, rank, alpha in own if alpha is not None]
        found.append(
            PartFacts(
                component=component,
                layers=len(own),
                kinds=sorted({programs.kinds_of(layer) for layer, _, _ in own}),
                ranks=Counter(rank for _, rank, _ in own).most_common(8),
                alphas=Counter(round(alpha, 6) for alpha in alphas).most_common(8) if alphas else None,
                dtypes=sorted({place.dtype for place in places}),
                numbers=sum(math.prod(place.shape) for place in places),
            )
        )
    return found


def _number(tensor: Tensor) -> float:
    """Not a number and infinity become 0: they say nothing, and JSON has no word for them."""
    try:
        value = float(tensor.as_float32().reshape(-1)[0])
    except (UnknownKeyFormat, ValueError):
        return 0.0
    return value if math.isfinite(value) else 0.0


def _first(told: Mapping[str, str], *keys: str) -> str:
    return next((told[key] for key in keys if told.get(key, "None") not in ("", "None")), "")


def _hash(text: str | None) -> str | None:
    return text.lower()[:64] if text and all(letter in "0123456789abcdefABCDEF" for letter in text) else None


def _json(text: str | None) -> Any:
    try:
        return all_keepable(json.loads(text or "null"))
    except (ValueError, RecursionError):
        return None


def _tags(told: Mapping[str, str]) -> list[tuple[str, int]]:
    folders = _json(told.get("ss_tag_frequency"))
    counted: Counter[str] = Counter()
    for folder in folders.values() if isinstance(folders, dict) else ():
        for tag, count in folder.items() if isinstance(folder, dict) else ():
            if type(count) is int and 0 < count < 10**9 and tag.strip():
                counted[one_line(tag)] += count
    return counted.most_common(MOST_TAGS)


def _trigger_words(told: Mapping[str, str]) -> list[str]:
    words = _first(told, "modelspec.trigger_phrase", "trigger_words", "trigger_word", "activation text")
    listed = _json(words)
    if isinstance(listed, list):
        return [one_line(str(word)) for word in listed if str(word).strip()][:8]
    return [one_line(words)] if words.strip() else []


def _suggested_words(told: Mapping[str, str], tags: list[tuple[str, int]]) -> list[str]:
    """``zxc woman`` of the folder ``10_zxc woman``, as sd-scripts wants them called, and the commonest tag."""
    if _trigger_words(told):
        return []
    folders = [name for key in ("ss_dataset_dirs", "ss_tag_frequency") for name in _keys(_json(told.get(key)))]
    words = [FOLDER.sub("", name).strip() for name in folders if FOLDER.match(name)]
    words += [tag for tag, count in tags[:1] if count > 1]
    plain = (one_line(word.replace("_", " ")) for word in words if word.lower() not in NO_WORDS)
    return [word for word in dict.fromkeys(plain) if 0 < len(word) <= LONGEST_SUGGESTION][:MOST_SUGGESTIONS]


def _keys(listed: Any) -> list[str]:
    return [str(key) for key in listed] if isinstance(listed, dict) else []


def _made_with(told: Mapping[str, str]) -> str:
    software = _json(told.get("software"))
    if isinstance(software, dict) and software.get("name"):
        return one_line(f"{software['name']} {software.get('version', '')}")
    if any(key.startswith("ot_") for key in told):
        return "OneTrainer"
    if "lycoris" in told.get("ss_network_module", ""):
        return "LyCORIS"
    implementation = one_line(_first(told, "modelspec.implementation"))
    if any(key.startswith("livery.") for key in told):
        return "Livery"
    if implementation.startswith("http"):
        implementation = ""  # whose layers' names it bears
    return (
        "kohya sd-scripts" if "sd-scripts" in implementation or "ss_sd_scripts_commit_hash" in told else implementation
    )


def _tells_about_pictures(told: Mapping[str, str]) -> bool:
    private = ("ss_tag_frequency", "ss_dataset_dirs", "ss_datasets", "ss_bucket_info", "ss_num_train_images")
    return any(told.get(key, "None") not in ("", "None", "{}") for key in (*private, *header_settings.PRIVATE)) and set(
        told
    ) != set(metadata.cleaned(told))
