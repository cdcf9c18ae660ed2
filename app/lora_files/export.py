"""Adapter files for other programs, made from the canonical file that a training leaves. Pure: no model library."""

import json
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from app.lora_files import key_formats, metadata, safetensors_file
from app.lora_files.families import known
from app.lora_files.families.facts import Architecture, WrittenFormat
from app.lora_files.key_formats import HEADER_KEY, CannotHold, Lora
from app.lora_files.keys import lycoris
from app.lora_files.keys.bases import UnknownKeyFormat, check_supported
from app.lora_files.metadata import AdapterFacts
from app.lora_files.safetensors_file import Tensor


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

    What it adds to each weight is unchanged. Raises ``UnsafeFile`` or ``UnknownKeyFormat`` for a source that is not an
    adapter, ``CannotHold`` for one that has no place in these names.
    """
    tensors, header = safetensors_file.read(source)
    lora = key_formats.read(tensors, header, facts.base.family)
    tensors, own, written = _in_diffusers_names(tensors, header, lora)
    if written is not lora:
        facts = replace(facts, alpha=_commonest(written.alphas))
    return _write(target, tensors, metadata.header(facts, tensors, clean) | own)


def _in_diffusers_names(
    tensors: dict[str, Tensor], header: Mapping[str, str], lora: Lora
) -> tuple[dict[str, Tensor], dict[str, str], Lora]:
    """The tensors, what their header needs, and the adapter as it stands there."""
    if key_formats.detect(tensors) == "canonical" and HEADER_KEY in header and lycoris.is_lycoris(lora):
        # What PEFT itself wrote about its Kronecker and Hadamard products is more than we know of them.
        return tensors, {HEADER_KEY: header[HEADER_KEY]}, lora
    return *key_formats.write(lora, "canonical"), key_formats.scaled_for(lora, "canonical")


def kohya_file(source: Path, target: Path, facts: AdapterFacts, clean: bool = False) -> ExportedFile:
    """Write the adapter for all other programs, with its true alpha: in kohya's names where A1111 and sd-scripts know
    the family, in ComfyUI's where they do not.

    What it adds to each weight is unchanged. Raises like ``diffusers_file``.
    """
    lora = read(source, facts.base.family)
    key_format = usual_key_format(lora.architecture)
    written = key_formats.scaled_for(lora, key_format)
    tensors, own = key_formats.write(written, key_format)
    if written is not lora:
        facts = replace(facts, alpha=_commonest(written.alphas))
    return _write(target, tensors, metadata.header(facts, tensors, clean) | own)


def usual_key_format(architecture: Architecture) -> WrittenFormat:
    """The key format that most programs know for this family. Raises ``UnknownKeyFormat`` where there is none."""
    possible = key_formats.key_formats_for(architecture)
    if not possible:
        raise UnknownKeyFormat(name=architecture)
    return possible[0]


def read(source: Path, hint: Architecture | None = None) -> Lora:
    """Read an adapter in any key format. Raises ``UnsafeFile`` or ``UnknownKeyFormat``."""
    return key_formats.read(*safetensors_file.read(source), hint)


def converted(source: Path, target: Path, key_format: WrittenFormat, *, name: str, clean: bool = False) -> ExportedFile:
    """Write any adapter in another key format, with what its header says about it; ``clean`` without its training.

    ``name`` is what A1111 shall call it where the file has no name of its own. Raises like ``diffusers_file``.
    """
    tensors, header = safetensors_file.read(source)
    lora = key_formats.read(tensors, header)
    check_supported(lora.architecture)
    if key_format == "canonical":
        tensors, own, written = _in_diffusers_names(tensors, header, lora)
    else:
        tensors, own = key_formats.write(lora, key_format)
        written = key_formats.scaled_for(lora, key_format)
    kept = completed(header, written, tensors, name)
    if clean:
        kept = metadata.cleaned(kept)
    return _write(target, tensors, kept | metadata.hashes(tensors, kept) | own)


def untrained_encoders(lora: Lora) -> set[str]:
    """Text encoders that it changes and that engines leave as they are, such as FLUX.1's T5."""
    facts = known.find(lora.architecture)
    encoders = facts.text_encoders if facts is not None else {}
    changed = {module.partition(".")[0] for module in lora.alphas}
    return {component for component in changed if component in encoders and not encoders[component].is_trained}


def is_for_livery_alone(lora: Lora, header: Mapping[str, str]) -> bool:
    """Whether ``for_engines`` writes this adapter in a form that is ours alone: products whose shapes PEFT would not
    choose, so that no configuration of it would describe them, and DoRA's lengths of columns, which PEFT has not."""
    return lycoris.has_column_magnitudes(lora) or (lycoris.is_lycoris(lora) and HEADER_KEY not in header)


def for_engines(source: Path, target: Path, *, name: str, clean: bool = False) -> ExportedFile:
    """Write any adapter as our engines read it, with what its header says about it; ``clean`` without its training.

    Raises like ``converted``, and ``NotForDrawing``.
    """
    tensors, header = safetensors_file.read(source)
    lora = key_formats.read(tensors, header)
    check_supported(lora.architecture)
    if not is_for_livery_alone(lora, header):
        return converted(source, target, "canonical", name=name, clean=clean)
    tensors = lycoris.for_engines(lora)
    kept = completed(header, lora, tensors, name)
    if clean:
        kept = metadata.cleaned(kept)
    return _write(target, tensors, kept | metadata.hashes(tensors, kept))


def completed(header: Mapping[str, str], lora: Lora, tensors: Mapping[str, Tensor], name: str) -> dict[str, str]:
    """A foreign header with what programs need to recognise the file, and without what no longer holds."""
    gone = {HEADER_KEY, "sshs_model_hash", "sshs_legacy_hash", "modelspec.hash_sha256"}
    kept = {key: value for key, value in header.items() if key not in gone}
    facts = known.get(lora.architecture)
    module, args = metadata.network_of(tensors, lora.architecture)
    ranks = [rank for rank in lora.ranks.values() if rank] or [1]
    general = {
        "format": "pt",
        "ss_v2": str(facts.sd_scripts_v2),
        "ss_base_model_version": facts.sd_scripts,
        "ss_output_name": name,
        "modelspec.sai_model_spec": "1.0.1",
        "modelspec.architecture": f"{facts.modelspec}/lora",
        "modelspec.title": name,
        "modelspec.resolution": metadata.resolution_of(header, lora.architecture),
    }
    shape = {
        "ss_network_module": module,
        "ss_network_dim": str(max(set(ranks), key=ranks.count)),
        "ss_network_alpha": str(_commonest(lora.alphas)),
        "ss_network_args": json.dumps(args),
        "modelspec.implementation": metadata.implementation_of(tensors, lora.architecture),
        "modelspec.hash_sha256": "0x" + safetensors_file.hash_of_tensors(tensors),
    }
    return general | kept | shape


def _commonest(alphas: Mapping[str, float]) -> float:
    return Counter(alphas.values()).most_common(1)[0][0]


def _write(target: Path, tensors: Mapping[str, Tensor], header: dict[str, str]) -> ExportedFile:
    byte_count, sha256 = safetensors_file.write(target, tensors, header)
    return ExportedFile(target, byte_count, sha256, header["sshs_model_hash"])


__all__ = ["CannotHold", "ExportedFile", "converted", "diffusers_file", "kohya_file", "read", "usual_key_format"]
