"""Pins every number that the engines train and draw: run before a change that must not change one, and after it.

    python -m tests.tools.pins write FILE [CASE …]      before
    python -m tests.tools.pins compare FILE [CASE …]    after

Tiny pipelines with random weights, of the very classes of the real ones, go through the cases of ``pinned_cases``.
FILE gets the SHA-256 of all they leave; the checkpoints from which trainings go on lie beside it, in FILE.checkpoints,
and ``compare`` goes on from those, as an installation does after an update. Hashes hold for one machine and its
libraries, so FILE belongs to nobody else. CASE is the beginning of a case's name; without any, all are run.
"""

import argparse
import hashlib
import json
import logging
import os
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from dataclasses import asdict, is_dataclass
from pathlib import Path
from typing import Any

os.environ.setdefault("OMP_NUM_THREADS", "1")

import numpy as np
import torch
from PIL import Image
from safetensors import safe_open

from tests.tools import pinned_runs
from tests.tools.pinned_cases import CASES
from worker.engines import registry

MACHINE_FIELDS = {"seconds", "seconds_per_step", "peak_memory_bytes"}
"""Of what engines report: what a clock or the system says."""


def digest(value: Any) -> str:
    """SHA-256 of tensors, numbers, texts and whatever holds them; of a dictionary whatever its order."""
    found = hashlib.sha256()
    for part in _parts(value):
        found.update(part)
        found.update(b"\0")
    return found.hexdigest()


def _parts(value: Any) -> Iterator[bytes]:
    if isinstance(value, torch.Tensor):
        held = value.detach().cpu().contiguous()
        yield f"{held.dtype} {tuple(held.shape)}".encode()
        yield held.view(torch.uint8).numpy().tobytes() if held.ndim else repr(held.item()).encode()
    elif isinstance(value, np.ndarray):
        yield f"{value.dtype} {value.shape}".encode()
        yield np.ascontiguousarray(value).tobytes()
    elif isinstance(value, Mapping):
        yield f"{len(value)} entries".encode()
        for key in sorted(value, key=repr):
            yield repr(key).encode()
            yield from _parts(value[key])
    elif isinstance(value, list | tuple):
        yield f"{len(value)} items".encode()
        for one in value:
            yield from _parts(one)
    elif is_dataclass(value) and not isinstance(value, type):
        yield from _parts({name: one for name, one in asdict(value).items() if name not in MACHINE_FIELDS})
    elif isinstance(value, Path):
        yield value.name.encode()
    else:
        yield repr(value).encode()


def of_file(path: Path) -> str:
    """SHA-256 of what a file holds: tensors and header of a safetensors file, whose entries may stand in any order;
    pixels of a picture; the bytes of all others."""
    if path.suffix == ".safetensors":
        with safe_open(path, "pt") as file:
            header = {key: _maybe_json(value) for key, value in (file.metadata() or {}).items()}
            return digest([header, {name: file.get_tensor(name) for name in file.keys()}])  # noqa: SIM118
    if path.suffix == ".pt":
        return digest(torch.load(path, weights_only=True, map_location="cpu"))
    if path.suffix == ".json":
        return digest(json.loads(path.read_text()))
    if path.suffix == ".png":
        with Image.open(path) as image:
            return digest([image.mode, image.info, np.asarray(image)])
    return hashlib.sha256(path.read_bytes()).hexdigest()


def _maybe_json(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        return text


def run(cases: Mapping[str, pinned_runs.Case], kept: Path, *, is_first: bool) -> dict[str, str]:
    """What each case left: its name and that of a file or value → SHA-256. ``kept`` is the folder of checkpoints, which
    the first run fills and later ones go on from."""
    torch.set_num_threads(1)
    logging.getLogger("bitsandbytes").setLevel(logging.ERROR)  # says at each product what it casts
    found: dict[str, str] = {}
    with tempfile.TemporaryDirectory() as folder:
        bases = pinned_runs.Bases(Path(folder, "bases"))
        for name, case in cases.items():
            began = time.monotonic()
            out = Path(folder, "out", name)
            out.mkdir(parents=True)
            told = case(bases, pinned_runs.Room(out, kept / name, is_first=is_first))
            found |= {f"{name}: {key}": digest(value) for key, value in told.items()}
            for path in sorted(out.rglob("*")):
                # A manifest holds the hashes of files whose entries stand in any order.
                if path.is_file() and path.name != "manifest.json":
                    found[f"{name}: {path.relative_to(out)}"] = of_file(path)
            print(f"{time.monotonic() - began:6.1f} s  {name}", flush=True)
        registry.drop_kept()
    return found


def differences(before: Mapping[str, str], now: Mapping[str, str]) -> list[str]:
    """One line for each value that is another, is missing or is new."""
    lines = [f"missing    {name}" for name in before if name not in now]
    lines += [f"new        {name}" for name in now if name not in before]
    return lines + [f"different  {name}" for name, value in before.items() if now.get(name, value) != value]


def main(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=["write", "compare"])
    parser.add_argument("file", type=Path)
    parser.add_argument("case", nargs="*", help="beginning of a case's name")
    asked = parser.parse_args(arguments)
    chosen = {name: case for name, case in CASES.items() if not asked.case or name.startswith(tuple(asked.case))}
    kept = asked.file.with_name(asked.file.name + ".checkpoints")
    now = run(chosen, kept, is_first=asked.what == "write")
    if asked.what == "write":
        asked.file.write_text(json.dumps(now, indent=1))
        print(f"{len(now)} values of {len(chosen)} cases are in {asked.file}.")
        return 0
    before = {
        name: value for name, value in json.loads(asked.file.read_text()).items() if name.split(": ")[0] in chosen
    }
    found = differences(before, now)
    print("\n".join([*found, f"{len(found)} of {len(before)} values of {len(chosen)} cases differ."]))
    return int(bool(found))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
