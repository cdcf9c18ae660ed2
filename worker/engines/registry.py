"""Which module draws and trains which family of base models. A family is imported when it is first used."""

import gc
import sys
from collections.abc import Iterable
from importlib import import_module
from typing import cast

from app.lora_files.families import known
from worker.engines.contracts import Engine, EngineError, Enlarger
from worker.engines.text_contracts import TextEngine

IMAGE_FAMILIES = "worker.engines.image.families"
"""Where each family has a module of its name with ``train`` and ``generate``."""
TEXT_FAMILIES = {
    "causal_lm": "worker.engines.text.causal_lm",
}
"""Family of language models → module that has ``train`` and ``write``."""


def engine_for(family: str) -> Engine:
    """Return the engine of a family. Raises ``EngineError`` (``unknown_family``) for one that nobody knows."""
    if known.by_key(family) is None:
        raise _unknown(family, [one.key for one in known.with_engine()])
    return cast(Engine, import_module(f"{IMAGE_FAMILIES}.{family}"))


def text_engine_for(family: str) -> TextEngine:
    """Return the engine of a family of language models. Raises ``EngineError`` (``unknown_family``)."""
    path = TEXT_FAMILIES.get(family)
    if path is None:
        raise _unknown(family, TEXT_FAMILIES)
    return cast(TextEngine, import_module(path))


def enlarger() -> Enlarger:
    return cast(Enlarger, import_module("worker.engines.image.enlarging.enlarge"))


KEPT = {
    "worker.engines.image.base.model_cache": "drop",
    "worker.engines.image.enlarging.photographs": "drop",
    "worker.engines.text.base": "drop_loaded",
}
"""Module that keeps a model between jobs → its function that forgets it."""


def drop_kept() -> None:
    """Forget the models kept between jobs; the next job loads its own anew. Imports nothing."""
    for name, drop in KEPT.items():
        if name in sys.modules:
            getattr(sys.modules[name], drop)()


def collect() -> None:
    """Free what only points at itself, as models and their hooks do, and give the card back what is free on it."""
    gc.collect()
    torch = sys.modules.get("torch")
    if torch is not None and torch.cuda.is_initialized():
        torch.cuda.empty_cache()


def _unknown(family: str, families: Iterable[str]) -> EngineError:
    known_ones = ", ".join(sorted(families))
    return EngineError("unknown_family", f"No engine knows the model family “{family}”. Known are: {known_ones}.")
