"""From a number of samples to a whole recipe of a voice. The numbers are data (``presets.toml``). Pure."""

import tomllib
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

from app.base_models.catalogue import TextModelEntry
from app.trainings.voice.lengths import length_for
from app.trainings.voice.recipe import VoiceRecipe

PRESETS = Path(__file__).with_name("presets.toml")


@cache
def _tables() -> dict[str, Any]:
    with PRESETS.open("rb") as file:
        return tomllib.load(file)


def voice_recipe_for(
    base: TextModelEntry, samples: int, changes: Mapping[str, Any] | None = None, *, longest: int = 0
) -> VoiceRecipe:
    """The recipe for so many samples on this base, with ``changes`` on top; alpha follows a changed rank, and the
    length the ``longest`` sample in tokens, where briefs are answered: plain texts go on in the next row.

    Raises pydantic's ``ValidationError`` for changes out of bounds.
    """
    changes = {name: value for name, value in (changes or {}).items() if value is not None}
    tables = _tables()
    values: dict[str, Any] = {"base_model": base.key} | tables["default"]
    for layer in tables["samples"]:
        if samples >= layer["from"]:
            values |= {name: value for name, value in layer.items() if name != "from"}
    values |= tables.get("model", {}).get(base.key, {})
    if not base.has_chat_template:
        values["kind"] = "plain_text"
    if changes.get("kind", values.get("kind")) != "plain_text":
        values["max_length"] = max(values["max_length"], length_for(longest, base.context))
    usual = values["alpha"] / values["rank"]
    values |= changes
    if "rank" in changes and "alpha" not in changes:
        values["alpha"] = usual * values["rank"]
    return VoiceRecipe.model_validate(values)
