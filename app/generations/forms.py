"""What the studio's form may send."""

from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, Field, field_validator

from app.base_models.catalogue import Quantization
from app.generations import schedulers
from app.generations.channels import CHANNEL_KEYS, LIKE_START
from app.generations.requests import (
    DEFAULT_CHANNEL,
    DEFAULT_COUNT,
    LONGEST_PROMPT,
    MOST_ADAPTERS,
    MOST_PICTURES,
    AdapterRef,
    GenerationRequest,
)
from app.generations.seeds import HIGHEST_SEED
from app.generations.start_pictures.files import LONGEST_MASK, Rectangle
from app.generations.start_pictures.service import StartChoice
from app.web.text import Line, Text


def _empty_is_none(value: Any) -> Any:
    return None if isinstance(value, str) and not value.strip() else value


EmptyIsNone = BeforeValidator(_empty_is_none)
Strength = Annotated[float, Field(ge=-2, le=2, allow_inf_nan=False)]
Count = Annotated[int, Field(ge=1, le=MOST_PICTURES)]
Seed = Annotated[int | None, Field(ge=0, le=HIGHEST_SEED), EmptyIsNone]
Steps = Annotated[int | None, Field(ge=1, le=100), EmptyIsNone]
Guidance = Annotated[float | None, Field(ge=1, le=30, allow_inf_nan=False), EmptyIsNone]

Held = Annotated[Quantization | None, EmptyIsNone]
"""How the base is held; None for what fits."""
Percent = Annotated[float | None, Field(ge=0, le=100, allow_inf_nan=False), EmptyIsNone]


class StudioForm(BaseModel, defer_build=True):
    """One row of ``adapter_id`` and ``strength`` for each style; an empty id is no style."""

    prompt: Text = ""
    negative_prompt: Annotated[Text, Field(max_length=2000)] = ""
    adapter_id: Annotated[list[Annotated[Line, Field(max_length=40)]], Field(max_length=MOST_ADAPTERS)] = []
    strength: Annotated[list[Strength], Field(max_length=MOST_ADAPTERS)] = []
    base_model: Annotated[Line, Field(max_length=80)] = ""
    """What draws where no adapter is chosen; with one it is not looked at, as the page does not show it then."""
    channel: Annotated[Line, Field(max_length=20)] = DEFAULT_CHANNEL
    count: Count = DEFAULT_COUNT
    seed: Seed = None
    keep_seed: bool = False
    steps: Steps = None
    guidance_scale: Guidance = None
    scheduler: Annotated[Line, Field(max_length=40)] = schedulers.OWN
    quantization: Held = None
    campaign: Annotated[str | None, Field(pattern="^[0-9a-f]{32}$"), EmptyIsNone] = None
    """The campaign that the pictures land in; an empty value chooses none."""
    start_id: Annotated[str | None, Field(pattern="^[0-9a-f]{32}$"), EmptyIsNone] = None
    start_strength: Annotated[float | None, Field(gt=0, le=1, allow_inf_nan=False), EmptyIsNone] = None
    mask: Annotated[str, Field(max_length=LONGEST_MASK)] = ""
    """A PNG as text: what was painted."""
    mask_keeps: bool = False
    """Whether the painted part stays, instead of being drawn anew."""
    mask_left: Percent = None
    mask_top: Percent = None
    mask_width: Percent = None
    mask_height: Percent = None
    source: Annotated[str | None, Field(pattern="^[0-9a-f]{32}$"), EmptyIsNone] = None

    @field_validator("mask_keeps", mode="before")
    @classmethod
    def _off(cls, value: Any) -> Any:
        return False if value == "" else value

    def painted(self) -> str | Rectangle | None:
        """The mask, painted or as a rectangle; None without one."""
        if self.mask:
            return self.mask
        if not self.mask_width or not self.mask_height:
            return None
        return Rectangle(self.mask_left or 0.0, self.mask_top or 0.0, self.mask_width, self.mask_height)

    def start(self) -> StartChoice:
        return StartChoice(self.start_id, self.painted(), self.mask_keeps, self.start_strength)

    def generation_request(self) -> GenerationRequest:
        strengths: list[float | None] = [*self.strength, *[None] * MOST_ADAPTERS]
        chosen: dict[str, float | None] = {}
        for adapter_id, strength in zip(self.adapter_id, strengths, strict=False):
            if adapter_id:
                chosen.setdefault(adapter_id, strength)
        return GenerationRequest(
            prompt=self.prompt,
            adapters=tuple(AdapterRef(adapter_id, strength) for adapter_id, strength in chosen.items()),
            base_model=None if chosen else self.base_model or None,
            channel=self.channel if self.channel in (*CHANNEL_KEYS, LIKE_START) else "",
            count=self.count,
            seed=self.seed if self.keep_seed else None,
            negative_prompt=self.negative_prompt,
            steps=self.steps,
            guidance_scale=self.guidance_scale,
            scheduler=self.scheduler or schedulers.OWN,
            quantization=self.quantization,
        )


class DrawnWith(BaseModel, defer_build=True):
    """What of the studio's form decides which base model draws, and what is shown again with it."""

    adapter_id: Annotated[list[Annotated[Line, Field(max_length=40)]], Field(max_length=MOST_ADAPTERS)] = []
    base_model: Annotated[Line, Field(max_length=80)] = ""
    channel: Annotated[Line, Field(max_length=20)] = ""
    negative_prompt: Annotated[Text, Field(max_length=2000)] = ""
    start_id: Annotated[str | None, Field(pattern="^[0-9a-f]{32}$"), EmptyIsNone] = None

    @property
    def adapters(self) -> list[str]:
        return list(dict.fromkeys(filter(None, self.adapter_id)))


class Written(BaseModel, defer_build=True):
    """The prompt so far, and what will draw it."""

    prompt: Annotated[Text, Field(max_length=LONGEST_PROMPT)] = ""
    adapter_id: Annotated[list[Annotated[Line, Field(max_length=40)]], Field(max_length=MOST_ADAPTERS)] = []
    base_model: Annotated[Line, Field(max_length=80)] = ""

    @property
    def adapters(self) -> list[str]:
        return list(dict.fromkeys(filter(None, self.adapter_id)))


class MoreForm(BaseModel, defer_build=True):
    count: Count = DEFAULT_COUNT
