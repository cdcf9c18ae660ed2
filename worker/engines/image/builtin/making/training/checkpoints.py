"""Training checkpoints: written whole or not at all."""

import json
from pathlib import Path
from typing import Any

import torch


def save_checkpoint(path: Path, state: dict[str, Any]) -> None:
    """Write `state` beside `path`, then move it into place, so that a crash leaves the old one."""
    path.parent.mkdir(parents=True, exist_ok=True)
    fresh = path.with_suffix(".new")
    torch.save(state, fresh)
    fresh.replace(path)


def load_checkpoint(path: Path) -> dict[str, Any] | None:
    """The state last saved, on the CPU, or None if there is none."""
    return torch.load(path, map_location="cpu", weights_only=True) if path.exists() else None


def history(work: Path) -> dict[str, dict[str, float]]:
    """Minutes and samples that each part of the model has been trained for in this folder, by part."""
    path = work / "history.json"
    return json.loads(path.read_text()) if path.exists() else {}


def note(work: Path, part: str, minutes: float, seen: int) -> None:
    """Add minutes and samples to the history of a part."""
    rows = history(work)
    row = rows.setdefault(part, {"minutes": 0.0, "seen": 0})
    row["minutes"] += minutes
    row["seen"] += seen
    (work / "history.json").write_text(json.dumps(rows, indent=1))
