"""The places where finished ads are shown, as data from ``channels.toml``."""

import math
import tomllib
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from app.errors import N_, NotFound
from app.layouts.values import PROPORTION_CLASSES, Canvas, Insets, ProportionClass

CHANNELS = Path(__file__).with_name("channels.toml")
FILE_TYPES = ("png", "jpeg", "webp", "pdf")
MM_PER_INCH = 25.4
LARGEST_SIDE = 12_000
"""Pixels."""
_STRIP, _WIDE, _TALL = 2.6, 1.26, 0.87


class NoChannel(NotFound):
    sentence = N_("There is no channel of this name.")


@dataclass(frozen=True)
class Paper:
    """Size of a print in millimetres after cutting, what is drawn beyond each edge, and dots per inch."""

    width_mm: float
    height_mm: float
    bleed_mm: float
    dpi: int


@dataclass(frozen=True)
class Channel:
    """``name`` is told by language. ``max_bytes`` is None where the platform says no limit."""

    key: str
    name: dict[str, str]
    width_px: int
    height_px: int
    proportion: ProportionClass
    safe: Insets
    file_type: str
    max_bytes: int | None
    paper: Paper | None

    @property
    def ratio(self) -> tuple[int, int]:
        """Width to height in the least whole numbers, such as 4 to 5."""
        common = math.gcd(self.width_px, self.height_px)
        return self.width_px // common, self.height_px // common

    @property
    def canvas(self) -> Canvas:
        """What is drawn on; for print with its bleed, which is never narrower than the paper's."""
        if self.paper is None:
            return Canvas(self.width_px, self.height_px, self.safe)
        bleed = math.ceil(self.paper.bleed_mm / MM_PER_INCH * self.paper.dpi)
        return Canvas(self.width_px, self.height_px, self.safe, bleed, self.paper.dpi)


def proportion_class(width_px: int, height_px: int) -> ProportionClass:
    """How a layout behaves at this size: a strip is far from a square, either way."""
    ratio = width_px / height_px
    if ratio > _STRIP or ratio < 1 / _STRIP - 0.05:
        return "strip"
    if ratio > _WIDE:
        return "wide"
    return "tall" if ratio < _TALL else "square"


@cache
def channels() -> tuple[Channel, ...]:
    """Every channel, in the order of the file. Raises ``ValueError`` for an entry that is wrong."""
    return tuple(read(key, told) for key, told in tomllib.loads(CHANNELS.read_text()).items())


def channel(key: str) -> Channel:
    """The channel of this key. Raises ``NoChannel``."""
    for one in channels():
        if one.key == key:
            return one
    raise NoChannel


def read(key: str, told: dict[str, Any]) -> Channel:
    """A channel from the fields of the file. Raises ``ValueError`` and says what is wrong with it."""
    unknown = set(told) - {"name", "pixels", "class", "safe", "file_type", "max_bytes", "paper"}
    if unknown or not {"name", "pixels", "class", "file_type"} <= set(told):
        raise ValueError(f"the channel {key} has fields missing, or such as are not known: {sorted(unknown)}")
    width, height = told["pixels"]
    paper = Paper(**told["paper"]) if "paper" in told else None
    one = Channel(
        key=key,
        name=told["name"],
        width_px=width,
        height_px=height,
        proportion=told["class"],
        safe=Insets(**told.get("safe", {})),
        file_type=told["file_type"],
        max_bytes=told.get("max_bytes"),
        paper=paper,
    )
    if problem := _problem(one):
        raise ValueError(f"the channel {key}: {problem}")
    return one


def _problem(one: Channel) -> str:
    safe = one.safe
    if not (0 < one.width_px <= LARGEST_SIDE and 0 < one.height_px <= LARGEST_SIDE):
        return f"sides are 1 to {LARGEST_SIDE} px"
    if one.proportion not in PROPORTION_CLASSES or one.proportion != proportion_class(one.width_px, one.height_px):
        return "its class is not that of its pixels"
    if min(safe.top, safe.right, safe.bottom, safe.left) < 0:
        return "a safe zone begins outside"
    if safe.left + safe.right >= one.width_px or safe.top + safe.bottom >= one.height_px:
        return "the safe zones leave nothing free"
    if one.file_type not in FILE_TYPES:
        return f"files are {', '.join(FILE_TYPES)}"
    if one.paper is not None:
        sides = ((one.paper.width_mm, one.width_px), (one.paper.height_mm, one.height_px))
        if any(abs(mm / MM_PER_INCH * one.paper.dpi - px) > 1 for mm, px in sides):
            return "its pixels are not its millimetres at its resolution"
    return ""
