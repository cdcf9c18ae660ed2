"""Base models' files on this machine's disk: what is fetched of a repository, where it lies, whether it is whole.

``<cache>/base-models/<workspace>/<key>`` holds the files as diffusers and transformers expect them, and ``copy.json``
once all of them are there and checked. Each workspace has its own folder, so that nobody gets at what another one's
token opened.
"""

import contextlib
import fcntl
import json
import re
import secrets
import shutil
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from app.errors import N_
from worker.engines.contracts import EngineError
from worker.files.hub import HubFile, Repository

FOLDER = "base-models"
PARTS = ".parts"
"""Ending of the folder with what checkpoints of one file do not hold, named after the catalogue's base."""
MARKER = "copy.json"
MACHINE = "machine"
LOCK = ".in-use"
UNUSED_KEPT_SECONDS = 7 * 24 * 3600.0
SMALL = (".json", ".txt", ".model", ".jinja")
"""Endings of configurations and word lists."""
NOT_NEEDED = {"safety_checker", "feature_extractor", "image_encoder"}
MOST_SMALL_BYTES = 50_000_000
WHOLE = re.compile(r"(?:^|/)(?:model|diffusion_pytorch_model)\.safetensors$")
SHARD = re.compile(r"(?:^|/)(?:model|diffusion_pytorch_model)-\d{5}-of-\d{5}\.safetensors$")
INDEX = re.compile(r"(?:^|/)(?:model|diffusion_pytorch_model)\.safetensors\.index\.json$")
HALF = re.compile(r"((?:^|/)(?:model|diffusion_pytorch_model))\.(?:fp16|bf16)\.safetensors$")
NO_PIPELINE = N_(
    "This repository contains no base model that can be used as it is: it has neither a model_index.json, as "
    "picture models do, nor a config.json, as language models do. If it contains one checkpoint file, enter "
    "the name of that file when you add it."
)
ONLY_PICKLES = N_(
    "The weights in this repository are in a format that can contain programs (.bin, .ckpt or .pt), which "
    "Livery does not open. Choose a repository or a file with safetensors."
)
NO_WEIGHTS = N_(
    "This repository contains no language model in safetensors format: it has no model.safetensors. Choose the "
    "repository that it was made from."
)
NO_SUCH_FILE = N_(
    "The repository has no file with that name. Please check the name on the hub and add the base model again."
)


@dataclass(frozen=True)
class Wanted:
    """A file of a repository and its place in our folder."""

    file: HubFile
    path: str


@dataclass(frozen=True)
class Copy:
    """A whole copy on this disk."""

    folder: Path
    commit: str
    byte_count: int
    file: str | None
    """The checkpoint, where the whole base model is one file."""


def folder_of(cache: Path, workspace_id: str, key: str) -> Path:
    return cache / FOLDER / workspace_id / key


def machine_of(cache: Path) -> str:
    """The name of this cache folder; workers that share the folder read the same."""
    path = cache / FOLDER / MACHINE
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        aside = path.with_name(f"{MACHINE}.{secrets.token_hex(4)}")
        aside.write_text(secrets.token_hex(16))
        try:
            path.hardlink_to(aside)
        except FileExistsError:
            pass
        finally:
            aside.unlink()
    return path.read_text().strip()[:32]


def whole(folder: Path) -> Copy | None:
    """The copy in ``folder`` if nothing of it is missing."""
    try:
        told = json.loads((folder / MARKER).read_text())
        sizes: dict[str, int] = told["files"]
        if any((folder / path).stat().st_size != size for path, size in sizes.items()):
            return None
        return Copy(folder, str(told["commit"]), sum(sizes.values()), told.get("file"))
    except (OSError, ValueError, KeyError, TypeError):
        return None


def mark_whole(folder: Path, repository: Repository, wanted: list[Wanted], file: str | None) -> Copy:
    told = {
        "repository": repository.name,
        "commit": repository.commit,
        "file": file,
        "files": {one.path: one.file.size for one in wanted},
    }
    aside = folder / f"{MARKER}.part"
    aside.write_text(json.dumps(told, indent=1))
    aside.replace(folder / MARKER)
    return Copy(folder, repository.commit, sum(one.file.size for one in wanted), file)


@contextlib.contextmanager
def held(folder: Path, wait: Callable[[float], None]) -> Iterator[None]:
    """Alone in ``folder``; ``wait`` lets time pass while another worker fetches into it, and may raise."""
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / LOCK).open("wb") as lock:
        while True:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                wait(1.0)
        yield


def remove(folder: Path) -> None:
    """The marker first: what is half removed is no copy."""
    (folder / MARKER).unlink(missing_ok=True)
    shutil.rmtree(folder, ignore_errors=True)


def untouched(cache: Path, moment: float | None = None) -> list[Path]:
    """Folders of base models in which nothing has changed for a week, whole ones too."""
    limit = (moment or time.time()) - UNUSED_KEPT_SECONDS
    return [
        folder
        for folder in (cache / FOLDER).glob("*/*")
        if folder.is_dir()
        and max((path.stat().st_mtime for path in folder.rglob("*")), default=folder.stat().st_mtime) < limit
    ]


# What is fetched of a repository ---------------------------------------------------------------------------------


def of_pipeline(
    repository: Repository, index: dict[str, Any], *, without: frozenset[str] = frozenset()
) -> list[Wanted]:
    """Configurations and safetensors of every part that a pipeline has; ``without`` the weights of these parts.

    Raises ``EngineError``: ``no_pipeline``, ``only_pickles``.
    """
    files = repository.files
    if "model_index.json" not in files:
        raise EngineError("no_pipeline", NO_PIPELINE)
    wanted = [Wanted(files["model_index.json"], "model_index.json")]
    for part, classes in sorted(index.items()):
        if part.startswith("_") or not isinstance(classes, list) or part in NOT_NEEDED or not any(classes):
            continue
        inside = [file for path, file in files.items() if path.startswith(f"{part}/") and path.count("/") == 1]
        wanted += [Wanted(file, file.path) for file in inside if file.path.endswith(SMALL) and not _is_index(file.path)]
        if part not in without:
            wanted += _weights(inside)
    return wanted


def of_language_model(repository: Repository) -> list[Wanted]:
    """Everything at the top of the repository that is configuration, word list or safetensors.

    Raises ``EngineError``: ``no_pipeline``, ``only_pickles``, ``no_weights``.
    """
    inside = [file for path, file in repository.files.items() if "/" not in path]
    if "config.json" not in repository.files:
        raise EngineError("no_pipeline", NO_PIPELINE)
    small = [Wanted(file, file.path) for file in inside if file.path.endswith(SMALL) and not _is_index(file.path)]
    weights = _weights(inside)
    if not weights:
        raise EngineError("no_weights", NO_WEIGHTS)
    return small + weights


def of_one_file(repository: Repository, path: str) -> list[Wanted]:
    """Raises ``EngineError`` (``not_on_hub``)."""
    file = repository.files.get(path)
    if file is None:
        raise EngineError("not_on_hub", NO_SUCH_FILE)
    return [Wanted(file, path.rsplit("/", 1)[-1])]


def _is_index(path: str) -> bool:
    return path.endswith(".index.json")


def _weights(inside: list[HubFile]) -> list[Wanted]:
    """The safetensors of one part under the names that loaders look for, in full precision where there is a choice.

    One file where there is one, else all shards with their index; never the same numbers again in another form.
    """
    whole_ones = [file for file in inside if WHOLE.search(file.path)]
    if whole_ones:
        return [Wanted(whole_ones[0], whole_ones[0].path)]
    shards = [file for file in inside if SHARD.search(file.path)]
    if shards:
        return [Wanted(file, file.path) for file in (*shards, *(file for file in inside if INDEX.search(file.path)))]
    halves = [file for file in inside if HALF.search(file.path)]
    if halves:
        return [Wanted(halves[0], HALF.sub(r"\1.safetensors", halves[0].path))]
    if any(file.path.endswith((".bin", ".ckpt", ".pt", ".pth", ".pkl")) for file in inside):
        raise EngineError("only_pickles", ONLY_PICKLES)
    return []
