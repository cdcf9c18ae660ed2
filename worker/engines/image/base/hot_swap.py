"""Adapters put into and taken out of a loaded base model, which itself is never loaded again for it."""

import contextlib
import hashlib
from collections.abc import Callable
from typing import Any

from worker.engines.contracts import AdapterFile, EngineError
from worker.engines.image.base import fusing
from worker.engines.image.base.model_cache import Loaded

KEPT = 4
"""Adapters that stay loaded beside the base; the one used longest ago makes room."""


def mismatch() -> EngineError:
    return EngineError(
        "adapter_mismatch", "The adapter was trained on another base model: its layers do not fit this one."
    )


def name_of(
    loaded: Loaded, adapter: AdapterFile, keep: tuple[AdapterFile, ...], load: Callable[[Any, AdapterFile, str], bool]
) -> str:
    """The adapter's name in the model; lets ``load`` read it if it is not there, and makes room first.

    ``load`` says whether the adapter changes a text encoder too.
    """
    fusing.restore(loaded)
    name = loaded.adapters.get(adapter.key)
    if name is not None:
        loaded.adapters.move_to_end(adapter.key)
        return name
    needed = {other.key for other in keep}
    for key in [key for key in loaded.adapters if key not in needed]:
        if len(loaded.adapters) < KEPT:
            break
        gone = loaded.adapters.pop(key)
        loaded.on_text_encoder.discard(gone)
        loaded.pipeline.delete_adapters(gone)
    # PEFT joins names with dots, so a key is not a name.
    name = "a" + hashlib.sha256(adapter.key.encode()).hexdigest()[:24]
    if load(loaded.pipeline, adapter, name):
        loaded.on_text_encoder.add(name)
    loaded.adapters[adapter.key] = name
    return name


def remove(pipeline: Any, name: str) -> None:
    """Take out whatever of this adapter got into the model."""
    with contextlib.suppress(ValueError, KeyError, AttributeError):
        pipeline.delete_adapters(name)


def set_strengths(loaded: Loaded, names: list[str], strengths: list[float]) -> None:
    """Let the adapters act with these multipliers; if all are zero they are off and the base draws alone, exactly."""
    fusing.restore(loaded)  # of a run that nobody ended
    pipeline = loaded.pipeline
    acting = zip(names, strengths, strict=True)
    loaded.acting_on_text_encoder = tuple(
        (name, value) for name, value in acting if value and name in loaded.on_text_encoder
    )
    if not loaded.adapters:
        return
    if not any(strengths):
        pipeline.disable_lora()
        return
    pipeline.enable_lora()
    pipeline.set_adapters(names, strengths)


def forget(loaded: Loaded) -> None:
    """Take every adapter out of the model again; its layers are the plain ones afterwards."""
    fusing.restore(loaded)
    loaded.adapters.clear()
    loaded.on_text_encoder.clear()
    loaded.acting_on_text_encoder = ()
    loaded.pipeline.unload_lora_weights()
