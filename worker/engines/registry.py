"""Which module draws and trains which family of base models. A family is imported when it is first used."""

from importlib import import_module
from typing import cast

from worker.engines.contracts import Engine, EngineError

FAMILIES = {
    "stable_diffusion": "worker.engines.image.stable_diffusion",
}
"""Family name of the catalogue → module that has ``train`` and ``generate``. A new family is one file and one line."""


def engine_for(family: str) -> Engine:
    """Return the engine of a family. Raises ``EngineError`` (``unknown_family``) for a name not in the table."""
    path = FAMILIES.get(family)
    if path is None:
        known = ", ".join(sorted(FAMILIES))
        raise EngineError("unknown_family", f"No engine knows the model family “{family}”. Known are: {known}.")
    return cast(Engine, import_module(path))
