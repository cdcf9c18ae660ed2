"""The settings of a training as words in a header, and back: sd-scripts' own where it has one, else ``livery.…``. Pure.

What a training did not use – the noise offset of a flow model, the rate of a text encoder that stayed as it was – is
the text "None", as sd-scripts writes it, and is not read back.
"""

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from app.lora_files.text import all_keepable

OPTIMIZERS = {
    "adamw": "torch.optim.adamw.AdamW",
    "adamw_8bit": "bitsandbytes.optim.adamw.AdamW8bit",
    "prodigy": "prodigyopt.prodigy.Prodigy",
}
"""As sd-scripts names them; their settings stand behind in brackets."""
SAMPLINGS = {
    "sigmoid": "logit_normal",
    "shift": "logit_normal",
    "flux_shift": "logit_normal",
    "uniform": "uniform",
    "uniform_shift": "uniform",
}
"""sd-scripts' ``timestep_sampling``: around the middle without a shift, with a number's, and with the base's own;
evenly, without one. Its levels that are drawn evenly are never shifted, so the last word is ours alone."""
SAMPLING_KEY = "ss_timestep_sampling"
PRIVATE = frozenset({"livery.class_prompt", "livery.sample_prompts"})
"""What of ours may hold words of captions."""


@dataclass(frozen=True)
class Setting:
    """A setting that headers tell, as whoever trains knows it."""

    key: str
    """Of the header."""
    check: Callable[[Any], Any]
    """Makes the setting's value of what stands there. Raises ``ValueError`` for what makes no sense."""


def words_of(settings: Mapping[str, Any], keys: Mapping[str, str], *, shifts: bool = True) -> dict[str, str]:
    """The header entries of a training's settings; rank and trigger word are the file's own and stand there already.

    ``settings``: by the names of ``keys``; None for what was not used. ``shifts``: whether the base has a shift of its
    own.
    """
    return {
        key: _word(name, settings[name], settings, shifts)
        for name, key in keys.items()
        if name not in ("rank", "trigger_word")
    }


def _word(name: str, value: Any, settings: Mapping[str, Any], shifts: bool) -> str:
    if value is None:
        return "None"
    match name:
        case "optimizer":
            return f"{OPTIMIZERS[value]}(weight_decay={settings['weight_decay']})"
        case "resolution":
            return f"({value}, {value})"
        case "timestep_sampling":
            return _sampling(value, settings["timestep_shift"], shifts)
        case _:
            return json.dumps(value, ensure_ascii=False) if isinstance(value, tuple) else str(value)


def _sampling(sampling: str, shift: float | None, shifts: bool) -> str:
    """The word for how noise levels were drawn, so that whoever trains by the header gets the same ones."""
    is_shifted = shifts if shift is None else shift != 1
    if sampling == "uniform":
        return "uniform_shift" if is_shifted else "uniform"
    if not is_shifted:
        return "sigmoid"
    return "flux_shift" if shift is None else "shift"


def read(told: Mapping[str, str], settings: Mapping[str, Setting]) -> dict[str, Any]:
    """The settings that a header tells, ours or sd-scripts'; what makes no sense there is left out."""
    found: dict[str, Any] = {}
    for name, setting in settings.items():
        text = told.get(setting.key, "None")
        if text in ("", "None"):
            continue
        try:
            found[name] = setting.check(_value(name, text))
        except (ValueError, RecursionError):
            continue
    if not found.get("num_class_images", True):
        del found["num_class_images"]
    sampling = told.get(SAMPLING_KEY)
    if sampling == "flux_shift":
        found.pop("timestep_shift", None)  # sd-scripts writes a number all the same, and does not use it
    elif sampling in ("sigmoid", "uniform") and not any(key.startswith("livery.") for key in told):
        found["timestep_shift"] = 1.0  # likewise; an older Livery wrote these words where it shifted
    return found


def _value(name: str, text: str) -> Any:
    match name:
        case "optimizer":
            return next((ours for ours, theirs in OPTIMIZERS.items() if text.partition("(")[0] == theirs), text)
        case "resolution":
            side = re.fullmatch(r"\(?(\d{1,5})(?:, ?\1\)?)?", text)
            return side[1] if side else text
        case "timestep_sampling":
            return SAMPLINGS.get(text, text)
        case "extra_resolutions" | "sample_prompts":
            return all_keepable(json.loads(text))
        case _:
            return text
