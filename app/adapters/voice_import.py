"""Reads a voice that was trained elsewhere: PEFT's folder as a ZIP, or one safetensors file with the configuration in
its header. Reads without trust: no pickles, no paths, nothing larger than a LoRA. No model library.

Whether each layer fits the base's, only the worker can say when it puts the adapter on; a mismatch is a sentence then.
"""

import json
import re
import tempfile
import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

from app.adapters import safetensors_file
from app.adapters.safetensors_file import UnsafeFile
from app.adapters.voice_files import CONFIGURATION
from app.base_models import catalogue
from app.base_models.catalogue import TextModelEntry
from app.errors import N_, Invalid

LARGEST_BYTES = 600_000_000
LARGEST_CONFIGURATION = 100_000
LAYER = re.compile(r"base_model\.model\.[\w.]+\.lora_[AB]\.weight")
KEPT = ("r", "lora_alpha", "target_modules", "use_rslora", "rank_pattern", "alpha_pattern")
"""What decides the adapter's effect; all else of PEFT's configuration is left behind."""


class NotAVoice(Invalid):
    sentence = N_(
        "This is not a voice that Livery can read: %(reason)s. Give it PEFT's folder as a ZIP, with "
        "adapter_config.json and adapter_model.safetensors, or a safetensors file that Livery made."
    )


class ForeignBase(Invalid):
    sentence = N_(
        "This voice was trained on “%(base)s”, which is not among the language models here. Known are: %(known)s."
    )


@dataclass(frozen=True)
class ImportedVoice:
    """The adapter as it will be stored."""

    content: bytes
    base: TextModelEntry
    rank: int
    alpha: float


def read_voice(file: BinaryIO) -> ImportedVoice:
    """Raises ``NotAVoice``, ``ForeignBase`` or ``UnsafeFile``."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "adapter.safetensors"
        configuration = _unpacked(file, path)
        tensors, header = safetensors_file.read(path)
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
    base = recognised(str(configuration.get("base_model_name_or_path") or ""))
    kept = {name: configuration[name] for name in KEPT if name in configuration} | {
        "peft_type": "LORA",
        "task_type": "CAUSAL_LM",
        "base_model_name_or_path": base.hub_name or base.source,
        "inference_mode": True,
        "bias": "none",
    }
    content = safetensors_file.to_bytes(tensors, {CONFIGURATION: json.dumps(kept, sort_keys=True)})
    return ImportedVoice(content, base, rank, float(alpha))


def recognised(name: str) -> TextModelEntry:
    """The catalogue's model that goes by this name, with or without its maker's. Raises ``ForeignBase``."""
    wanted = name.strip("/").casefold()
    for entry in catalogue.text_models():
        own = (entry.hub_name or entry.source).casefold()
        if wanted in (own, own.rsplit("/", 1)[-1], entry.key):
            return entry
    known = ", ".join(entry.hub_name or entry.source for entry in catalogue.text_models())
    raise ForeignBase(base=name[:100] or "?", known=known)


def _unpacked(file: BinaryIO, target: Path) -> dict[str, Any] | None:
    """Write the tensors' file to ``target``; the configuration, where it comes beside them."""
    if not zipfile.is_zipfile(file):
        file.seek(0)
        _copy(file, target)
        return None
    file.seek(0)
    try:
        with zipfile.ZipFile(file) as packed:
            names = {name.rsplit("/", 1)[-1]: name for name in packed.namelist() if name.count("/") <= 1}
            if not {"adapter_config.json", "adapter_model.safetensors"} <= set(names):
                raise NotAVoice(reason="one of the two files is missing in it")
            with packed.open(names["adapter_config.json"]) as opened:
                configuration = _parsed(opened.read(LARGEST_CONFIGURATION + 1))
            with packed.open(names["adapter_model.safetensors"]) as opened:
                _copy(opened, target)
    except (zipfile.BadZipFile, RuntimeError, NotImplementedError) as error:
        raise NotAVoice(reason="the ZIP cannot be read") from error
    return configuration


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
    except ValueError as error:
        raise NotAVoice(reason="its configuration cannot be read") from error
    if not isinstance(found, dict):
        raise NotAVoice(reason="its configuration cannot be read")
    return found
