"""What was found in a brand guideline, and what somebody ticked of it. Pure data."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from pydantic import BaseModel, ConfigDict

from app.brand_kits.snapshot import Hex, LogoKind, Role


class Proposal(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, defer_build=True)


class FoundColour(Proposal):
    """``values`` are RGB, CMYK and Pantone as the guideline tells them; a colour from CMYK alone is only near."""

    hex: Hex
    source: Literal["hex", "rgb", "cmyk", "painted"]
    name: str = ""
    values: tuple[str, ...] = ()
    pages: tuple[int, ...] = ()


class FoundFamily(Proposal):
    """``pages`` says on how many pages it is used. Its file is not taken from the PDF, which holds a few letters."""

    name: str
    pages: int


class FoundRule(Proposal):
    text: str
    kind: Literal["do_not", "room"]
    """What is forbidden, or how much room or size is asked for."""
    page: int


class FoundLogo(Proposal):
    """Facts as a kit's logo has them; its file is a row of its own."""

    format: Literal["svg", "png"]
    sha256: str
    width: int
    height: int
    transparent: bool
    pages: tuple[int, ...] = ()


class Found(Proposal):
    """``pages_read`` is less than ``pages`` where reading took too long. ``inks`` have a name and no value."""

    pages: int = 0
    pages_read: int = 0
    colours: tuple[FoundColour, ...] = ()
    inks: tuple[str, ...] = ()
    families: tuple[FoundFamily, ...] = ()
    rules: tuple[FoundRule, ...] = ()
    logos: tuple[FoundLogo, ...] = ()


@dataclass(frozen=True)
class Ticked:
    """Places in the lists of ``Found``; colours with the role that each gets, if any, and logos with their use."""

    colours: Mapping[int, Role | None]
    rules: Sequence[int]
    families: Sequence[int]
    logos: Mapping[int, LogoKind]
