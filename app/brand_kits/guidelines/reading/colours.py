"""Colours of a guideline: what its text calls by HEX, RGB, CMYK or Pantone, and what its pages are painted with."""

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Literal

from app.brand_kits.guidelines.reading.rules import LONGEST_PAGE, plain

MOST = 24
MOST_PAINTED = 8
LEAST_PAGES = 2
"""A colour that the text does not name must be painted on so many pages, unless there are fewer."""
NEAR = 12
"""Greatest distance of a channel at which two colours are one."""
LIKELY = 110
"""Likewise for a CMYK value, whose look depends on ink and paper, beside a HEX or RGB value."""
TOGETHER = 80
"""Characters between two values of one colour."""
LONGEST_NAME = 60
_NUMBER = r"(\d{1,3})(?:\s*%)?"
_GAP = r"[\s,;/|·.:-]{1,4}"
_LETTER = r"[\s:=]{0,3}"
MENTIONS = re.compile(
    r"(?P<hex>(?<![\w#])(?:#|hex[\s:]{1,3}#?)(?P<digits>[0-9a-f]{6})\b)"
    rf"|(?P<rgb>\brgb[\s:(]{{0,4}}{_NUMBER}{_GAP}{_NUMBER}{_GAP}{_NUMBER}\b"
    rf"|\br{_LETTER}{_NUMBER}{_GAP}g{_LETTER}{_NUMBER}{_GAP}b{_LETTER}{_NUMBER}\b)"
    rf"|(?P<cmyk>\bcmyk[\s:(]{{0,4}}{_NUMBER}{_GAP}{_NUMBER}{_GAP}{_NUMBER}{_GAP}{_NUMBER}\b"
    rf"|\bc{_LETTER}{_NUMBER}{_GAP}m{_LETTER}{_NUMBER}{_GAP}y{_LETTER}{_NUMBER}{_GAP}k{_LETTER}{_NUMBER}\b)"
    r"|(?P<pantone>\b(?:pantone|pms)[\s®™:]{1,4}(?P<ink>(?:\d{2,5}|(?:warm|cool) gr[ae]y \d{1,2}|[a-z]{3,10} \d{2,4})"
    r"(?:\s?(?:TPX|TCX|CP|UP|XGC|C|U|M)\b)?))",
    re.IGNORECASE,
)
Source = Literal["hex", "rgb", "cmyk", "painted"]


@dataclass
class Colour:
    """``source`` says where ``hex`` comes from; from CMYK it is only near. ``values`` are told as in the guideline."""

    hex: str
    source: Source
    name: str = ""
    values: list[str] = field(default_factory=list)
    pages: list[int] = field(default_factory=list)
    """From 1, each once."""


@dataclass
class _Mention:
    start: int
    end: int
    kind: str
    value: str
    hex: str | None


def colours_of(texts: Sequence[tuple[int, str]], painted: Iterable[tuple[int, str]]) -> tuple[list[Colour], list[str]]:
    """The colours that the pages name, then those that they are painted with; and Pantone inks without a value.

    ``texts`` are pages by number, ``painted`` pages and the ``#rrggbb`` of areas on them.
    """
    found: list[Colour] = []
    inks: list[str] = []
    for page, text in texts:
        for colour, ink in _of_page(text[:LONGEST_PAGE], page):
            if colour is not None:
                _merge(found, colour)
            elif ink and ink not in inks:
                inks.append(ink)
    told = {value for colour in found for value in colour.values}
    for colour in _painted(painted, found, max(page for page, _text in texts) if texts else 1):
        found.append(colour)
    return found[:MOST], [ink for ink in inks if ink not in told][:MOST]


def _of_page(text: str, page: int) -> Iterator[tuple[Colour | None, str]]:
    mentions = list(_mentions(text))
    groups: list[list[_Mention]] = []
    for one in mentions:
        if groups and _goes_with(one, groups[-1]):
            groups[-1].append(one)
        else:
            groups.append([one])
    for group in groups:
        best = next((one for kind in ("hex", "rgb", "cmyk") for one in group if one.kind == kind), None)
        if best is None or best.hex is None:
            yield None, group[0].value
            continue
        source: Source = "hex" if best.kind == "hex" else "rgb" if best.kind == "rgb" else "cmyk"
        values = [one.value for one in group if one.kind != "hex"]
        yield Colour(best.hex, source, _name_before(text, group[0].start), values, [page]), ""


def _mentions(text: str) -> Iterator[_Mention]:
    for found in MENTIONS.finditer(text):
        kind = next(one for one in ("hex", "rgb", "cmyk", "pantone") if found[one])
        numbers = [int(one) for one in found.groups() if one and one.isdecimal() and len(one) <= 3]
        if kind == "hex":
            yield _Mention(*found.span(), kind, plain(found[0]), f"#{found['digits'].lower()}")
        elif kind == "rgb" and len(numbers) == 3 and max(numbers) <= 255:
            told = "RGB {} {} {}".format(*numbers)
            yield _Mention(*found.span(), kind, told, "#{:02x}{:02x}{:02x}".format(*numbers))
        elif kind == "cmyk" and len(numbers) == 4 and max(numbers) <= 100:
            told = "CMYK {} {} {} {}".format(*numbers)
            yield _Mention(*found.span(), kind, told, from_cmyk(*(one / 100 for one in numbers)))
        elif kind == "pantone":
            yield _Mention(*found.span(), kind, f"Pantone {plain(found['ink'])}", None)


def _goes_with(one: _Mention, group: list[_Mention]) -> bool:
    if one.start - group[-1].end > TOGETHER or any(other.kind == one.kind for other in group):
        return False
    for other in group:
        if one.hex and other.hex:
            far = LIKELY if "cmyk" in (one.kind, other.kind) else NEAR
            if _distance(one.hex, other.hex) > far:
                return False
    return True


def _name_before(text: str, start: int) -> str:
    """The words before a value, on its line or the one above it."""
    lines = text[max(0, start - 200) : start].splitlines() or [""]
    if start and text[start - 1] == "\n":
        lines.append("")
    for line in lines[:-3:-1]:
        words = plain(line).strip(" :–—-|·•,;(")
        if words:
            known = MENTIONS.search(words) or not any(map(str.isalpha, words)) or words.casefold() in ("hex", "rgb")
            return "" if known or len(words) > LONGEST_NAME or words.endswith(".") else words
    return ""


def _merge(found: list[Colour], colour: Colour) -> None:
    for other in found:
        if other.hex == colour.hex:
            other.name = other.name or colour.name
            other.values += [value for value in colour.values if value not in other.values]
            other.pages += [page for page in colour.pages if page not in other.pages]
            return
    found.append(colour)


def _painted(painted: Iterable[tuple[int, str]], named: list[Colour], pages: int) -> Iterator[Colour]:
    """What large areas are filled with on several pages and the text does not name; no black, white or grey."""
    pages_of: dict[str, set[int]] = {}
    for page, shade in painted:
        pages_of.setdefault(shade, set()).add(page)
    counts = Counter({shade: len(numbers) for shade, numbers in pages_of.items()})
    kept: list[str] = [one.hex for one in named]
    new = 0
    for shade, count in sorted(counts.items(), key=lambda one: (-one[1], one[0])):
        if new == MOST_PAINTED or count < min(LEAST_PAGES, pages):
            return
        if _is_grey(shade) or any(_distance(shade, other) <= NEAR for other in kept):
            continue
        kept.append(shade)
        new += 1
        yield Colour(shade, "painted", pages=sorted(pages_of[shade]))


def from_cmyk(cyan: float, magenta: float, yellow: float, black: float) -> str:
    """Near enough to recognise a colour by: what ink looks like depends on press and paper. Shares from 0 to 1."""
    return "#" + "".join(f"{round(255 * (1 - ink) * (1 - black)):02x}" for ink in (cyan, magenta, yellow))


def _channels(shade: str) -> tuple[int, int, int]:
    return int(shade[1:3], 16), int(shade[3:5], 16), int(shade[5:7], 16)


def _distance(one: str, other: str) -> int:
    return max(abs(a - b) for a, b in zip(_channels(one), _channels(other), strict=True))


def _is_grey(shade: str) -> bool:
    channels = _channels(shade)
    return max(channels) - min(channels) <= NEAR
