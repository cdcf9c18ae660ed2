"""SVG logos: look at the text without building a tree, then draw it."""

import math
import re
from dataclasses import dataclass
from xml.etree.ElementTree import ParseError
from xml.parsers import expat

from app.images.errors import SvgTooComplex, TruncatedImage, UnknownEncoding, UnsafeImage, UnsupportedImage

MAX_BYTES = 10 * 1024 * 1024  # a logo has kilobytes; drawings with an embedded photo a few megabytes
MAX_ELEMENTS = 100_000
MAX_DEPTH = 200
MAX_SPELT_OUT = 8 * 1024 * 1024  # bytes that all entity references together may stand for
MAX_ATTRIBUTES = MAX_BYTES + MAX_SPELT_OUT  # characters of all attributes together
ENCODINGS = frozenset(
    ("utf-8", "utf-16", "us-ascii", "iso-8859-1", "iso-8859-15", "windows-1250", "windows-1251", "windows-1252")
)
DECLARED_ENCODING = re.compile(rb"\s*<\?xml[^>]{0,200}?encoding\s*=\s*[\"']([\w.-]{1,40})")
SVG_NAMESPACE = "http://www.w3.org/2000/svg"
# The unit does not matter as long as both sides have the same one: only the proportion is used.
UNITS = ("px", "pt", "pc", "mm", "cm", "in", "em", "ex", "")


@dataclass(frozen=True)
class SvgFacts:
    """What the text says. `aspect` is width / height; 1.0 where the drawing does not say."""

    aspect: float
    has_text: bool


def looks_like_svg(data: bytes) -> bool:
    """Whether this is markup with an `<svg` near its beginning; `read_facts` decides."""
    head = data[:65_536]
    if head.startswith((b"\xff\xfe", b"\xfe\xff")):
        text = head.decode("utf-16", errors="ignore")
    else:
        text = head.decode("latin-1").removeprefix("\xef\xbb\xbf")
    return text.lstrip().startswith("<") and "svg" in text


class _Reader:
    """Handlers for expat. They only count and remember, so memory stays small whatever the text holds."""

    def __init__(self, name: str, references: int) -> None:
        self.name = name
        self.references = references
        self.depth = 0
        self.elements = 0
        self.attributes = 0
        self.has_text = False
        self.root: dict[str, str] | None = None

    def entity(
        self,
        _name: str,
        is_parameter: bool,
        value: str | None,
        _base: str | None,
        _system_id: str | None,
        _public_id: str | None,
        _notation: str | None,
    ) -> None:
        # Older Illustrator files use entities for their namespaces, so plain short ones are fine. Entities made of
        # entities are how a few lines become gigabytes ("billion laughs"), and no drawing program writes them.
        # External ones have no value and are never fetched.
        if is_parameter or (value is not None and ("&" in value or len(value) * self.references > MAX_SPELT_OUT)):
            raise UnsafeImage(name=self.name)

    def defaults(self, *_: object) -> None:
        # A default is written out for every element that has no such attribute: a few lines become gigabytes. No
        # drawing program declares any.
        raise UnsafeImage(name=self.name)

    def start(self, tag: str, attributes: dict[str, str]) -> None:
        self.depth += 1
        self.elements += 1
        if self.depth > MAX_DEPTH or self.elements > MAX_ELEMENTS:
            raise SvgTooComplex(name=self.name)
        self.attributes += sum(map(len, attributes.values()))
        if self.attributes > MAX_ATTRIBUTES:
            raise UnsafeImage(name=self.name)
        namespace, _, local = tag.rpartition(" ")
        if self.root is None:
            if local != "svg" or namespace != SVG_NAMESPACE:
                raise UnsupportedImage(name=self.name)
            self.root = attributes
        self.has_text = self.has_text or local == "text"

    def end(self, _tag: str) -> None:
        self.depth -= 1


def read_facts(data: bytes, name: str) -> SvgFacts:
    """Check the text of a drawing and read its proportion.

    Raises: UnsupportedImage (not SVG), UnsafeImage (entities built to explode), SvgTooComplex (bytes, elements,
    depth), UnknownEncoding, TruncatedImage (the text ends early or is not well-formed).
    """
    if len(data) > MAX_BYTES:
        raise SvgTooComplex(name=name)
    declared = DECLARED_ENCODING.match(data)
    if declared and declared[1].decode("ascii", "replace").lower() not in ENCODINGS:
        raise UnknownEncoding(name=name)
    reader = _Reader(name, references=data.count(b"&"))
    parser = expat.ParserCreate(namespace_separator=" ")
    parser.SetParamEntityParsing(expat.XML_PARAM_ENTITY_PARSING_NEVER)
    parser.EntityDeclHandler = reader.entity
    parser.AttlistDeclHandler = reader.defaults
    parser.StartElementHandler = reader.start
    parser.EndElementHandler = reader.end
    try:
        parser.Parse(data, True)
    except (LookupError, ValueError) as error:  # an encoding that was not seen above
        raise UnknownEncoding(name=name) from error
    except expat.ExpatError as error:
        if reader.root is None:
            raise UnsupportedImage(name=name) from error
        raise TruncatedImage(name=name) from error
    return SvgFacts(aspect=_aspect(reader.root or {}), has_text=reader.has_text)


def _length(text: str) -> tuple[float, str] | None:
    text = text.strip().lower()
    for unit in UNITS:
        if text.endswith(unit):
            try:
                value = float(text.removesuffix(unit))
            except ValueError:
                continue
            return (value, unit or "px") if 0 < value < math.inf else None
    return None


def _aspect(root: dict[str, str]) -> float:
    width, height = _length(root.get("width", "")), _length(root.get("height", ""))
    if width and height and width[1] == height[1]:
        return width[0] / height[0]
    box = root.get("viewBox", "").replace(",", " ").split()
    try:
        box_width, box_height = float(box[2]), float(box[3])
    except (IndexError, ValueError):
        return 1.0
    return box_width / box_height if 0 < box_width < math.inf and 0 < box_height < math.inf else 1.0


def drawn_size(facts: SvgFacts, longest_side: int) -> tuple[int, int]:
    """Width and height in pixels at which `render` draws; a side may come out as 0, which is too thin to draw."""
    if facts.aspect >= 1:
        return longest_side, round(longest_side / facts.aspect)
    return round(longest_side * facts.aspect), longest_side


def render(data: bytes, facts: SvgFacts, longest_side: int, name: str) -> bytes:
    """The drawing as PNG with transparency, `longest_side` pixels on its longest side.

    Raises: SvgTooComplex (refused by the renderer).
    """
    from app.images.reading.svg_drawing import draw  # only readers have the renderer

    try:
        return draw(data, *drawn_size(facts, longest_side))
    except (ValueError, RuntimeError, RecursionError, ParseError) as error:
        raise SvgTooComplex(name=name) from error
