"""Reads a voice that was trained elsewhere: PEFT's folder as a ZIP, or one safetensors file with the configuration in
its header. Reads without trust: no pickles, no paths, nothing larger than a LoRA. No model library.

The base is told by its name and by the widths of the layers; where the two disagree, a sentence says so.
"""

import json
import re
import tempfile
import zipfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

from app.adapters import inspecting
from app.adapters.voice.files import CONFIGURATION
from app.base_models.catalogue import TextModelEntry
from app.errors import N_, Invalid
from app.lora_files import safetensors_file
from app.lora_files.safetensors_file import Tensor, UnsafeFile
from app.lora_files.text import one_line
from app.reading import zips
from app.reading.net import otherwise

LARGEST_BYTES = 600_000_000
LARGEST_CONFIGURATION = 100_000
MOST_ENTRIES = 1_000
LAYER = re.compile(r"base_model\.model\.[\w.]+\.lora_[AB]\.weight")
IN_A_BLOCK = re.compile(r"base_model\.model\.model\.layers\.(\d{1,4})\.(?:self_attn|mlp)\.(\w+)")
COPIES = re.compile(r"(?:-unsloth)?-(?:bnb-4bit|bnb-8bit|4bit|8bit|gguf|awq|gptq|fp8|int8|int4)$")
"""Endings by which makers of smaller copies call the same model."""
KEPT = ("r", "lora_alpha", "target_modules", "use_rslora", "rank_pattern", "alpha_pattern")
"""What decides the adapter's effect; all else of PEFT's configuration is left behind."""


class NotAVoice(Invalid):
    sentence = N_(
        "Livery cannot read this voice: %(reason)s. Upload a PEFT folder as a ZIP, with adapter_config.json "
        "and adapter_model.safetensors, or a safetensors file created by Livery."
    )


class ForeignBase(Invalid):
    sentence = N_(
        "This voice was trained on “%(base)s”, which is not among the language models here. Available models: "
        "%(known)s."
    )


class OtherLayers(Invalid):
    sentence = N_(
        "This voice names “%(base)s” as its base, but its layers do not fit that model: %(layer)s has %(here)s "
        "numbers where that model has %(there)s. The voice was trained on another base model."
    )


class HalfALayer(Invalid):
    sentence = N_("This voice is damaged: the two halves of %(layer)s do not match.")


@dataclass(frozen=True)
class ImportedVoice:
    """The adapter as it will be stored."""

    content: bytes
    base: TextModelEntry
    rank: int
    alpha: float
    named_base: str
    """What its own configuration calls the base, one line; may be empty or somebody's folder."""
    is_doubtful: bool
    """The base is told from the layers alone, and its name says something else."""


def read_voice(file: BinaryIO, bases: Sequence[TextModelEntry]) -> ImportedVoice:
    """A voice over one of ``bases``, the language models that the workspace may use.

    Raises ``NotAVoice``, ``ForeignBase``, ``OtherLayers``, ``HalfALayer`` or ``UnsafeFile``."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "adapter.safetensors"
        configuration = _unpacked(file, path)
        tensors, header = inspecting.read(path)
    if configuration is None:
        configuration = _parsed(header.get(CONFIGURATION, "").encode())
    rank, alpha = configuration.get("r"), configuration.get("lora_alpha")
    if str(configuration.get("peft_type", "LORA")).upper() != "LORA" or configuration.get("use_dora"):
        raise NotAVoice(reason="only plain LoRA is read")
    if not isinstance(rank, int) or not 1 <= rank <= 256 or not isinstance(alpha, int | float) or not 0 < alpha <= 512:
        raise NotAVoice(reason="its rank or alpha is missing or out of bounds")
    foreign = next((name for name in tensors if not LAYER.fullmatch(name)), None)
    if foreign is not None:
        raise NotAVoice(reason=f"it holds {foreign[:80]}")
    named = one_line(str(configuration.get("base_model_name_or_path") or ""))
    sides = _sides(tensors)
    base, is_doubtful = recognised(named, sides, bases)
    kept = {name: configuration[name] for name in KEPT if name in configuration} | {
        "peft_type": "LORA",
        "task_type": "CAUSAL_LM",
        "base_model_name_or_path": base.hub_name or base.source,
        "inference_mode": True,
        "bias": "none",
    }
    content = safetensors_file.to_bytes(tensors, {CONFIGURATION: json.dumps(kept, sort_keys=True)})
    return ImportedVoice(content, base, rank, float(alpha), named, is_doubtful)


def recognised(
    name: str, sides: dict[str, tuple[int, int]], bases: Sequence[TextModelEntry]
) -> tuple[TextModelEntry, bool]:
    """The one of ``bases`` that goes by this name and has these layers, and whether there is doubt.

    ``sides`` holds what goes in and comes out of each layer. A name that nobody knows is no reason to refuse (it may be
    a folder, or a model trained on from one of ours) as long as the layers fit one model and no other; but then there
    is doubt. Raises ``ForeignBase`` and ``OtherLayers``.
    """
    for entry in bases:
        if _goes_by(entry, name):
            layer = next((one for one, given in sides.items() if _of_base(entry, one) != given), None)
            if layer is not None:
                here, there = sides[layer], _of_base(entry, layer)
                raise OtherLayers(
                    base=name[:100],
                    layer=layer,
                    here=" × ".join(map(str, here)),
                    there=" × ".join(map(str, there)) if there else "0",
                )
            return entry, False
    fitting = [one for one in bases if _fits_whole(one, sides)]
    if len(fitting) == 1:
        return fitting[0], True
    known = ", ".join(entry.hub_name or entry.source for entry in bases)
    raise ForeignBase(base=name[:100] or "?", known=known)


def _goes_by(entry: TextModelEntry, name: str) -> bool:
    """With or without its maker's name, or as the folder of a copy."""
    wanted = name.replace("\\", "/").strip("/").casefold()
    own = (entry.hub_name or entry.source).casefold()
    last = COPIES.sub("", wanted.rsplit("/", 1)[-1])
    return wanted == entry.key or last == own.rsplit("/", 1)[-1]


def _of_base(entry: TextModelEntry, layer: str) -> tuple[int, int] | None:
    """What goes in and comes out there; None where the base has no such layer."""
    found = IN_A_BLOCK.fullmatch(layer)
    if found is None or int(found[1]) >= entry.layout.layers:
        return None
    return entry.layout.sides(found[2])


def _fits_whole(entry: TextModelEntry, sides: dict[str, tuple[int, int]]) -> bool:
    """Every layer is one of the base's, and the last one is the base's last: a deeper base would not end there."""
    deepest = max((int(found[1]) for layer in sides if (found := IN_A_BLOCK.fullmatch(layer))), default=-1)
    return deepest + 1 == entry.layout.layers and all(_of_base(entry, one) == given for one, given in sides.items())


def _sides(tensors: dict[str, Tensor]) -> dict[str, tuple[int, int]]:
    """What goes in and comes out of each layer. Raises ``HalfALayer``."""
    sides = {}
    for name, tensor in tensors.items():
        layer, half = name.removesuffix(".weight").rsplit(".", 1)
        other = tensors.get(f"{layer}.lora_{'B' if half == 'lora_A' else 'A'}.weight")
        if other is None or len(tensor.shape) != 2 or len(other.shape) != 2:
            raise HalfALayer(layer=layer[:100])
        if half == "lora_A":
            if tensor.shape[0] != other.shape[1]:
                raise HalfALayer(layer=layer[:100])
            sides[layer] = (tensor.shape[1], other.shape[0])
    return sides


def _unpacked(file: BinaryIO, target: Path) -> dict[str, Any] | None:
    """Write the tensors' file to ``target``; the configuration, where it comes beside them."""
    told = zips.directory_of(file)
    if told is None:
        _copy(file, target)
        return None
    if max(told[0], told[1] // zips.BYTES_PER_ENTRY) > MOST_ENTRIES:
        raise NotAVoice(reason=f"it holds more than {MOST_ENTRIES} files")
    with otherwise(NotAVoice(reason="the ZIP cannot be read")), _opened(file) as packed:
        found = {entry.filename.rsplit("/", 1)[-1]: entry for entry in packed.infolist() if _is_shallow(entry)}
        if not {"adapter_config.json", "adapter_model.safetensors"} <= set(found):
            raise NotAVoice(reason="one of the two files is missing in it")
        both = found["adapter_config.json"], found["adapter_model.safetensors"]
        if not all(map(zips.is_unpacked_in_steps, both)):
            raise NotAVoice(reason="it is packed in an unusual way")
        with packed.open(both[0]) as opened:
            configuration = _parsed(opened.read(LARGEST_CONFIGURATION + 1))
        with packed.open(both[1]) as opened:
            _copy(opened, target)
    return configuration


def _opened(file: BinaryIO) -> zipfile.ZipFile:
    try:
        return zipfile.ZipFile(file)
    except OSError as error:  # a place before the file's beginning
        raise NotAVoice(reason="the ZIP cannot be read") from error


def _is_shallow(entry: zipfile.ZipInfo) -> bool:
    return entry.filename.count("/") <= 1


def _copy(source: Any, target: Path) -> None:
    """Stops at the limit, whatever a header says of the size."""
    left = LARGEST_BYTES
    with target.open("wb") as written:
        while piece := source.read(1_000_000):
            left -= len(piece)
            if left < 0:
                raise UnsafeFile(reason=f"it is larger than {LARGEST_BYTES // 1_000_000} MB")
            written.write(piece)


def _parsed(text: bytes) -> dict[str, Any]:
    try:
        found = json.loads(text) if len(text) <= LARGEST_CONFIGURATION else None
    except (ValueError, RecursionError) as error:
        raise NotAVoice(reason="its configuration cannot be read") from error
    if not isinstance(found, dict):
        raise NotAVoice(reason="its configuration cannot be read")
    return found
