"""Which module draws and trains which family of base models. A family is imported when it is first used."""

import gc
import sys
from importlib import import_module
from typing import cast

from worker.engines.contracts import Engine, EngineError
from worker.engines.text_contracts import TextEngine

FAMILIES = {
    "flux": "worker.engines.image.families.flux",
    "flux2_klein": "worker.engines.image.families.flux2_klein",
    "stable_diffusion": "worker.engines.image.families.stable_diffusion",
    "stable_diffusion_xl": "worker.engines.image.families.stable_diffusion_xl",
}
"""Family name of the catalogue → module that has ``train`` and ``generate``. A new family is one file and one line."""


TEXT_FAMILIES = {
    "causal_lm": "worker.engines.text.causal_lm",
}
"""The same for language models: a module that has ``train`` and ``write``."""


def engine_for(family: str) -> Engine:
    """Return the engine of a family. Raises ``EngineError`` (``unknown_family``) for a name not in the table."""
    return cast(Engine, import_module(_module(FAMILIES, family)))


def text_engine_for(family: str) -> TextEngine:
    """Return the engine of a family of language models. Raises ``EngineError`` (``unknown_family``)."""
    return cast(TextEngine, import_module(_module(TEXT_FAMILIES, family)))


KEPT = {"worker.engines.image.base.model_cache": "drop", "worker.engines.text.base": "drop_loaded"}
"""Module that keeps a base model between jobs → its function that forgets it."""


def drop_kept() -> None:
    """Forget the base models kept between jobs; the next job loads its own anew. Imports nothing."""
    for name, drop in KEPT.items():
        if name in sys.modules:
            getattr(sys.modules[name], drop)()


def collect() -> None:
    """Free what only points at itself, as models and their hooks do, and give the card back what is free on it."""
    gc.collect()
    torch = sys.modules.get("torch")
    if torch is not None and torch.cuda.is_initialized():
        torch.cuda.empty_cache()


def _module(families: dict[str, str], family: str) -> str:
    path = families.get(family)
    if path is None:
        known = ", ".join(sorted(families))
        raise EngineError("unknown_family", f"No engine knows the model family “{family}”. Known are: {known}.")
    return path
