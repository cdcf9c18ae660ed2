"""The folder of checkpoints that the person who runs the machine has put there: what is in it, told from headers."""

import json
from pathlib import Path
from typing import Any

from app.adapters import inspecting
from app.base_models import recognition
from app.base_models.models import OfferedBase
from app.errors import N_, AppError
from app.lora_files import safetensors_file
from worker.files import language_models

MOST_BYTES = 200 * 2**30
"""Of one checkpoint file."""
MOST_ENTRIES = 200
MOST_CONFIGURATION_BYTES = 1_000_000
CONFIGURATIONS = {
    "scheduler": "scheduler/scheduler_config.json",
    "unet": "unet/config.json",
    "transformer": "transformer/config.json",
}
PICKLES = (".ckpt", ".pt", ".pth", ".bin", ".pkl")
NO_SAFETENSORS = N_("its format can contain programs; Livery opens only safetensors files")
NO_NUMBERS = N_("the folder has a config.json, but no model.safetensors")
NO_INDEX = N_("the folder has neither a readable model_index.json nor a readable config.json")


def entry(folder: Path | None, name: str) -> Path | None:
    """The entry of that name; never anything outside the folder."""
    if folder is None or name != Path(name).name or name.startswith("."):
        return None
    path = folder / name
    return path.absolute() if path.exists() else None


def look(folder: Path | None, machine: str) -> list[OfferedBase]:
    """Every checkpoint in it by name, those that cannot be used with the reason."""
    if folder is None or not folder.is_dir():
        return []
    found: list[OfferedBase] = []
    for path in sorted(folder.iterdir())[: 10 * MOST_ENTRIES]:
        if path.name.startswith(".") or len(path.name) > 200 or len(found) >= MOST_ENTRIES:
            continue
        if path.is_dir() or path.suffix == ".safetensors" or path.suffix in PICKLES:
            found.append(_looked_at(path, machine))
    return found


def _looked_at(path: Path, machine: str) -> OfferedBase:
    seen = OfferedBase(machine=machine, name=path.name, byte_count=0, family="", facts={}, problem="")
    try:
        seen.byte_count = (
            sum(one.stat().st_size for one in path.rglob("*") if one.is_file())
            if path.is_dir()
            else path.stat().st_size
        )
        facts = _facts(path)
        seen.family, seen.facts = facts.family, facts.model_dump(mode="json")
    except safetensors_file.UnsafeFile as error:
        seen.problem = str(error.params.get("reason", error))
    except AppError as error:
        seen.problem = str(error)[:500]
        seen.facts = {"sentence": error.sentence, "params": error.params}  # for readers of other languages
    except ValueError as error:
        seen.problem = str(error)[:500]
    except OSError as error:
        seen.problem = error.strerror or str(error)
    return seen


def _facts(path: Path) -> recognition.Facts:
    if path.is_dir():
        top = {one.name: one.stat().st_size for one in path.iterdir() if one.is_file()}
        if language_models.is_one(top):
            return _language_model(path, top)
        if _has_only_pickles(path):
            raise ValueError(NO_SAFETENSORS)
        index = _json(path / "model_index.json")
        if index is None:
            raise ValueError(NO_INDEX)
        parts = {part: _json(path / place) for part, place in CONFIGURATIONS.items()}
        return recognition.of_pipeline(index, **parts)
    if path.suffix != ".safetensors":
        raise ValueError(NO_SAFETENSORS)
    with path.open("rb") as file:
        header = inspecting.header_of(file, path.stat().st_size, most_bytes=MOST_BYTES)
    return recognition.of_tensors(header.tensors)


def _language_model(folder: Path, sizes: dict[str, int]) -> recognition.Facts:
    if not any(name.endswith(".safetensors") for name in sizes):
        raise ValueError(NO_SAFETENSORS if any(name.endswith(PICKLES) for name in sizes) else NO_NUMBERS)

    def read(name: str, count: int) -> bytes:
        with (folder / name).open("rb") as file:
            return file.read(count)

    return language_models.facts_of(sizes, read)


def _has_only_pickles(folder: Path) -> bool:
    """Whether a part of the pipeline has weights, but none in safetensors."""
    return any(
        any(one.suffix in PICKLES for one in part.iterdir())
        and not any(one.suffix == ".safetensors" for one in part.iterdir())
        for part in folder.iterdir()
        if part.is_dir() and part.name not in ("safety_checker", "feature_extractor")
    )


def _json(path: Path) -> dict[str, Any] | None:
    try:
        if path.stat().st_size > MOST_CONFIGURATION_BYTES:
            return None
        content = json.loads(path.read_text())
    except (OSError, ValueError):
        return None
    return content if isinstance(content, dict) else None
