"""A training's state on disk, from which it goes on as if it had never stopped.

A checkpoint is a folder: ``adapter.safetensors`` (float32), ``optimizer.pt``, ``state.json`` and ``manifest.json`` with
the SHA-256 of the others. It is written aside, flushed and renamed, so that a folder with its final name is complete.

The learning rate and the order of the pictures or texts are functions of the step, so the step is their state. All
random numbers of a training come from one generator on the CPU, whose state is kept here; none from the process's own.

It does not know whether a checkpoint comes from someone else: ``torch.load(weights_only=True)`` and hashes protect
against damage and accident, not against an attacker who can write into the store.
"""

import hashlib
import json
import os
import shutil
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file, save_file

from worker.engines.contracts import EngineError

FULL_DISK_BYTES = 16 * 2**20
"""Less free space than this counts as a full disk when a write has failed."""

FILES = ("adapter.safetensors", "optimizer.pt", "state.json")


@dataclass(frozen=True)
class Checkpoint:
    step: int
    order: str
    """Recipe, base model and pictures, as text: what the state was made for."""
    losses: list[float]
    sampled: bool
    """Whether the sample pictures of this step have been handed over."""
    adapter: dict[str, torch.Tensor]
    optimizer: dict[str, Any]
    random_state: torch.Tensor
    average: dict[str, torch.Tensor] = field(default_factory=dict)
    """Moving average of the adapter; empty where none is kept."""
    caches: dict[str, torch.Tensor] = field(default_factory=dict)
    """Latents drawn at the start, never drawn again: another card would draw them a little differently."""
    notes: dict[str, Any] = field(default_factory=dict)
    """Further facts needed to go on, as JSON."""
    loss_scale: dict[str, Any] = field(default_factory=dict)
    """``LossScaling.state``; empty in what was written before losses were scaled."""


def write(folder: Path, checkpoint: Checkpoint) -> None:
    """Write the checkpoint as ``folder``, complete or not at all; an existing folder of that name is replaced.

    Raises ``EngineError`` (``disk_full``) when there is no room; the part that was written is removed.
    """
    part = folder.with_name(f".{folder.name}.part")
    shutil.rmtree(part, ignore_errors=True)
    try:
        part.mkdir(parents=True)
        save_file(checkpoint.adapter, part / "adapter.safetensors")
        tensors = {
            "optimizer": checkpoint.optimizer,
            "random_state": checkpoint.random_state,
            "average": checkpoint.average,
            "caches": checkpoint.caches,
        }
        torch.save(tensors, part / "optimizer.pt")
        facts = {
            "step": checkpoint.step,
            "order": checkpoint.order,
            "losses": checkpoint.losses,
            "sampled": checkpoint.sampled,
            "notes": checkpoint.notes,
            "loss_scale": checkpoint.loss_scale,
        }
        (part / "state.json").write_text(json.dumps(facts))
        manifest = {name: _sha256(part / name) for name in FILES}
        (part / "manifest.json").write_text(json.dumps(manifest, indent=1))
        for file in part.iterdir():
            _flush(file)
        _flush(part)
        shutil.rmtree(folder, ignore_errors=True)
        part.replace(folder)
        _flush(folder.parent)
    except Exception as error:
        # Writers name a full disk differently (OSError, RuntimeError, SafetensorError), so the disk itself is asked.
        free = shutil.disk_usage(folder.parent).free
        shutil.rmtree(part, ignore_errors=True)
        if free > FULL_DISK_BYTES:
            raise
        raise EngineError("disk_full", "The disk is full: no checkpoint could be written. Free some space.") from error


def read(folder: Path) -> Checkpoint:
    """Read a checkpoint after checking every file against the manifest.

    Raises ``EngineError`` (``bad_checkpoint``) when a file is missing, damaged or not what its name says.
    """
    try:
        manifest = json.loads((folder / "manifest.json").read_text())
        if {name: _sha256(folder / name) for name in FILES} != manifest:
            raise ValueError("a file differs from the manifest")
        facts = json.loads((folder / "state.json").read_text())
        tensors = torch.load(folder / "optimizer.pt", weights_only=True, map_location="cpu")
        return Checkpoint(
            step=facts["step"],
            order=facts["order"],
            losses=facts["losses"],
            sampled=facts["sampled"],
            adapter=load_file(folder / "adapter.safetensors"),
            optimizer=tensors["optimizer"],
            random_state=tensors["random_state"],
            average=tensors["average"],
            caches=tensors["caches"],
            notes=facts.get("notes", {}),
            loss_scale=facts.get("loss_scale", {}),
        )
    except Exception as error:  # any unreadable file, whatever a reader makes of it
        raise EngineError("bad_checkpoint", f"The checkpoint {folder.name} is damaged or incomplete.") from error


def keep_latest(parent: Path, count: int) -> None:
    """Remove all but the latest ``count`` checkpoints in ``parent`` (their names sort by step)."""
    for folder in sorted(parent.glob("step-*"))[:-count]:
        shutil.rmtree(folder, ignore_errors=True)


def folder_of(parent: Path, step: int) -> Path:
    return parent / f"step-{step:06d}"


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _flush(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
