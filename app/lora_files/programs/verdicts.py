"""Which programs load a file, and how much of it: by what each of their loaders looks for."""

from collections.abc import Callable

from app.lora_files.keys.bases import LANGUAGE_MODEL
from app.lora_files.keys.layers import Layer
from app.lora_files.keys.weights import INPUT_MAGNITUDE, LOHA, LOKR, MAGNITUDE, MID
from app.lora_files.programs.fit import NEEDS_CONFIG, OTHER_NAMES, Contents, Fit, none
from app.lora_files.programs.libraries import diffusers, invokeai, kohya
from app.lora_files.programs.webuis import a1111, comfyui, forge

_JUDGES: tuple[Callable[[Contents], Fit], ...] = (comfyui, a1111, forge, diffusers, kohya, invokeai)


def fits(contents: Contents) -> list[Fit]:
    """One for each program, in the order in which people ask."""
    if contents.architecture == LANGUAGE_MODEL:
        if contents.key_format == "peft":
            return [Fit("transformers", "transformers, vLLM", contents.total, contents.total, NEEDS_CONFIG)]
        return [none(contents, "transformers", "transformers", OTHER_NAMES)]
    return [judge(contents) for judge in _JUDGES]


def kinds_of(layer: Layer) -> str:
    """LoRA, LoCon, DoRA, LoKr or LoHa, for people."""
    if any(part in LOKR for part in layer.names):
        return "LoKr"
    if any(part in LOHA for part in layer.names):
        return "LoHa"
    if MAGNITUDE in layer.names or INPUT_MAGNITUDE in layer.names:
        return "DoRA"
    return "LoCon" if MID in layer.names else "LoRA"
