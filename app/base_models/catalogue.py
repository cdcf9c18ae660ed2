"""The base models on offer, as plain data from ``catalogue.toml``. Loads no model and no model library."""

import tomllib
from functools import cache
from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from app.errors import N_, NotFound

CATALOGUE = Path(__file__).with_name("catalogue.toml")
Pixels = Annotated[int, Field(ge=16, le=4096)]


class Sentence(BaseModel):
    """What people read, in every language of the pages."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    en: str
    de: str


class UnknownBaseModel(NotFound):
    sentence = N_("The base model “%(key)s” is not in the catalogue. Please choose another one.")


class BaseModelEntry(BaseModel):
    """One base model as the catalogue describes it. Its key never changes: adapters and orders name it."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    key: Annotated[str, Field(pattern="^[a-z0-9-]{1,80}$")]
    name: str
    summary: Sentence
    family: str
    source: str
    """``builtin``, or the repository of a model hub."""
    revision: str | None = None
    prediction_type: Literal["epsilon", "v_prediction", "flow"]
    resolution: Pixels
    """Side in pixels of the square that it was trained at."""
    multiple: Pixels
    """Both sides of a picture must be multiples of it."""
    resolutions: tuple[Pixels, ...]
    """What the form offers for training."""
    training_memory_mb: Annotated[int, Field(ge=1)]
    """For one picture at the native resolution."""
    generation_memory_mb: Annotated[int, Field(ge=1)]
    parameters_per_rank: dict[Literal["attention", "attention_and_feed_forward"], int] = {}
    steps: Annotated[int, Field(ge=1, le=100)]
    """Default denoising steps of a picture."""
    guidance_scale: Annotated[float, Field(ge=1, le=30)]
    ready: bool
    """True when it comes with Livery; else the worker fetches it once and needs the internet for that."""
    licence: str
    licence_url: str
    licence_sentence: Sentence
    """Whether pictures and adapters may be used commercially, in one sentence."""

    def adapter_bytes(
        self, rank: int, target_modules: Literal["attention", "attention_and_feed_forward"]
    ) -> int | None:
        """Size of an adapter file in float16; None where the catalogue does not know."""
        per_rank = self.parameters_per_rank.get(target_modules)
        return None if per_rank is None else per_rank * rank * 2


@cache
def all_models() -> tuple[BaseModelEntry, ...]:
    """Every base model, the recommended one first."""
    with CATALOGUE.open("rb") as file:
        return tuple(BaseModelEntry.model_validate(entry) for entry in tomllib.load(file)["model"])


def get(key: str) -> BaseModelEntry:
    """Raises ``UnknownBaseModel``."""
    for entry in all_models():
        if entry.key == key:
            return entry
    raise UnknownBaseModel(key=key[:80])


def name_of(key: str) -> str:
    """What people call it; the key itself for a model that has left the catalogue."""
    return next((entry.name for entry in all_models() if entry.key == key), key)
