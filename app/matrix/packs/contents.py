"""What goes into a pack, frozen when it is ordered. Pure data."""

from typing import Annotated, Any, Literal

from pydantic import Field

from app.ad_files.values import FileKind
from app.matrix.brief import Part
from app.matrix.spec import Place

Format = Literal["channel", "png", "jpeg", "webp", "avif", "pdf", "print", "psd"]
FORMATS: tuple[Format, ...] = ("channel", "png", "jpeg", "webp", "avif", "pdf", "print", "psd")
"""``channel`` is the type that each channel takes, ``print`` a PDF with bleed and crop marks for what is printed."""
PackKind = Literal["png", "jpeg", "webp", "avif", "pdf", "print", "psd"]
PRINT_ENDING = "print.pdf"
"""So that both PDFs of an ad can lie in one folder under the same name."""


class PackedAd(Part):
    """One ad: the version that was approved, and the verdict that says so."""

    cell_id: str
    version_id: str
    version: int
    verdict_id: str | None
    number: int
    """Its place in the campaign's matrix, from 1."""
    audience: str
    """Name of the audience."""


class Failure(Part):
    """A file that could not be made. ``code`` and ``sentence``, a template that ``params`` fill, are an error's."""

    cell_id: str
    kind: PackKind
    code: str
    sentence: str
    params: Annotated[dict[str, Any], Field(default_factory=dict)]


class Contents(Part):
    """The same contents give the same bytes, whenever and however often the pack is made."""

    campaign: str
    pattern: str
    formats: Annotated[tuple[Format, ...], Field(min_length=1)]
    separator: Literal[";", ","]
    """Of the table for people."""
    sentences: dict[str, str]
    """What is said of findings and failures, by code, in the language of whoever ordered the pack."""
    count: int
    ads: tuple[PackedAd, ...]
    failures: tuple[Failure, ...] = ()
    """Filled in by the worker."""

    def sentence(self, code: str, numbers: dict[str, Any]) -> str:
        """What is said of a finding; its code where this pack was ordered before there was one."""
        template = self.sentences.get(code, code)
        return template % numbers if numbers else template


def kinds_for(place: Place, formats: tuple[Format, ...]) -> tuple[PackKind, ...]:
    """The files that an ad of this channel is written as, each once, in the order of ``FORMATS``."""
    found: list[PackKind] = []
    for one in FORMATS:
        kind = _kind(place, one) if one in formats else None
        if kind is not None and kind not in found:
            found.append(kind)
    return tuple(found)


def _kind(place: Place, wanted: Format) -> PackKind | None:
    if wanted == "print":
        return "print" if place.bleed_px else None
    if wanted != "channel":
        return wanted
    if place.file_type == "pdf":
        return "print" if place.bleed_px else "pdf"
    kinds: dict[str, PackKind] = {"png": "png", "jpeg": "jpeg", "webp": "webp"}
    return kinds[place.file_type]


def file_kind(kind: PackKind) -> FileKind:
    return "pdf" if kind == "print" else kind
