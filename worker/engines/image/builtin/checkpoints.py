"""Training checkpoints: written whole or not at all."""

import os
from pathlib import Path
from typing import Any

import torch


def save_checkpoint(path: Path, state: dict[str, Any]) -> None:
    """Write `state` beside `path`, then move it into place, so that a crash leaves the old one."""
    path.parent.mkdir(parents=True, exist_ok=True)
    fresh = path.with_suffix(".new")
    torch.save(state, fresh)
    os.replace(fresh, path)


def load_checkpoint(path: Path) -> dict[str, Any] | None:
    """The state last saved, on the CPU, or None if there is none."""
    return torch.load(path, map_location="cpu", weights_only=True) if path.exists() else None
