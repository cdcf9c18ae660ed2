"""Adapter files for other programs, made from the canonical file that a training leaves. Pure: no model library."""

import hashlib
from dataclasses import dataclass
from pathlib import Path

from app.adapters import dialects, metadata, safetensors_file
from app.adapters.metadata import AdapterFacts


@dataclass(frozen=True)
class ExportedFile:
    path: Path
    byte_count: int
    sha256: str
    """Over the whole file."""
    model_hash: str
    """``sshs_model_hash``: over the tensors alone; A1111 shows its first twelve digits."""


def diffusers_file(source: Path, target: Path, facts: AdapterFacts, clean: bool = False) -> ExportedFile:
    """Write the adapter for diffusers and everything built on PEFT. ``source`` is the canonical file of a training.

    The tensors are those of the source, unchanged. Raises ``UnsafeFile`` or ``UnknownDialect`` for a source that is not
    canonical.
    """
    lora = canonical(source)
    header = metadata.header(facts, lora.tensors, clean) | dialects.canonical_header(lora)
    return _write(target, lora.tensors, header)


def kohya_file(source: Path, target: Path, facts: AdapterFacts, clean: bool = False) -> ExportedFile:
    """Write the adapter for A1111, Forge, ComfyUI, InvokeAI and sd-scripts, with its true alpha.

    The weights are those of the source, unchanged. Raises like ``diffusers_file``.
    """
    lora = canonical(source)
    tensors = dialects.to_kohya(lora, "stable_diffusion_1")
    return _write(target, tensors, metadata.header(facts, tensors, clean))


def canonical(source: Path) -> dialects.Lora:
    """Read an adapter in the canonical or kohya's dialect. Raises ``UnsafeFile`` or ``UnknownDialect``."""
    tensors, header = safetensors_file.read(source)
    dialect = dialects.detect(tensors)
    if dialect == "canonical":
        return dialects.from_canonical(tensors, header)
    if dialect == "kohya":
        return dialects.from_kohya(tensors, "stable_diffusion_1")
    raise dialects.UnknownDialect(name=next(iter(tensors)))


def _write(target: Path, tensors: dict[str, safetensors_file.Tensor], header: dict[str, str]) -> ExportedFile:
    content = safetensors_file.to_bytes(tensors, header)
    target.write_bytes(content)
    return ExportedFile(target, len(content), hashlib.sha256(content).hexdigest(), header["sshs_model_hash"])
