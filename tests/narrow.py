"""Base models as narrow as tests' files, which no real base is."""

from dataclasses import replace

import pytest

from app.lora_files.families import known


def narrow(monkeypatch: pytest.MonkeyPatch, *widths: int, only: str = "", instead: bool = False) -> None:
    """Tokens of every family, or of the ``only`` one, may be these numbers wide too, or ``instead`` of their own."""
    made = [
        replace(one, widths=frozenset(widths) if instead else one.widths | set(widths))
        if one.widths and only in ("", one.architecture)
        else one
        for one in known.FAMILIES
    ]
    monkeypatch.setattr(known, "FAMILIES", tuple(made))
