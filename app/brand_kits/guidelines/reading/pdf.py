"""A guideline's pages: opened with limits, looked at for what must not be in them, and walked once.

Called in readers alone, whose limits are the system's; those here are there so that the sentence says what is wrong.
"""

import io
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from pypdf import PageObject, PdfReader, apply_configuration
from pypdf.errors import LimitReachedError, PyPdfError
from pypdf.generic import ArrayObject, DictionaryObject, IndirectObject, StreamObject

from app.brand_kits.guidelines.errors import (
    BrokenPdf,
    LockedPdf,
    NotAPdf,
    PackedPdf,
    PdfTooComplex,
    RunningPdf,
    TooManyPages,
)
from app.brand_kits.guidelines.reading.colours import from_cmyk
from app.errors import AppError

MOST_PAGES = 400
MOST_UNPACKED = 40_000_000
"""Bytes of one stream."""
LIMITS: dict[str, Any] = {
    "zlib_maximum_output_length": MOST_UNPACKED,
    "lzw_maximum_output_length": MOST_UNPACKED,
    "run_length_maximum_output_length": MOST_UNPACKED,
    "brotli_maximum_output_length": MOST_UNPACKED,
    "array_based_stream_maximum_output_length": MOST_UNPACKED,
    "image_maximum_buffer_size": MOST_UNPACKED,
    "stream_decoding_work_maximum_length": 3 * MOST_UNPACKED,
    "jbig2dec_binary": None,  # a program of its own
    "disable_legacy_handling": True,
}
ENCRYPTED = b"/Encrypt"
SECONDS = 30.0
"""Processor time after which no further page is begun; what has been found by then is proposed."""
MOST_PAINTED = 4000
"""Areas of one page whose colour is looked at."""
LEAST_AREA, MOST_AREA = 0.004, 0.9
"""Share of the page that an area covers whose colour counts."""
RUNS = frozenset(("/JavaScript", "/Launch", "/ImportData", "/SubmitForm", "/RichMediaExecute"))
BROKEN = (PyPdfError, ValueError, LookupError, TypeError, AttributeError, AssertionError, NotImplementedError, OSError)
"""What the library raises about a PDF that contradicts itself."""


@dataclass
class ReadPages:
    """``texts`` and ``painted`` are told by page, from 1; ``resources`` are each page's fonts and pictures."""

    count: int
    read: int = 0
    texts: list[tuple[int, str]] = field(default_factory=list)
    painted: list[tuple[int, str]] = field(default_factory=list)
    resources: list[tuple[int, DictionaryObject]] = field(default_factory=list)


def opened(data: bytes, name: str) -> PdfReader:
    """Raises ``NotAPdf``, ``LockedPdf``, ``BrokenPdf``, ``TooManyPages``, ``RunningPdf``, ``PackedPdf``,
    ``PdfTooComplex``."""
    if b"%PDF-" not in data[:1024]:
        raise NotAPdf(name=name)
    with told(name):
        try:
            reader = PdfReader(io.BytesIO(data))
        except BROKEN as error:
            raise (LockedPdf if ENCRYPTED in data else BrokenPdf)(name=name) from error
        if reader.is_encrypted:
            raise LockedPdf(name=name)
        count = len(reader.pages)
        if not count:
            raise BrokenPdf(name=name)
        if count > MOST_PAGES:
            raise TooManyPages(name=name, pages=count, limit=MOST_PAGES)
        _check_catalogue(reader.root_object, name)
    return reader


def read_pages(reader: PdfReader, name: str) -> ReadPages:
    """Raises ``PdfTooComplex``, ``BrokenPdf``, ``RunningPdf``."""
    begin = time.process_time()
    with told(name):
        found = ReadPages(len(reader.pages))
        for number, page in enumerate(reader.pages, 1):
            if time.process_time() - begin > SECONDS:
                break
            _check_page(page, name)
            _read_page(page, number, found)
            found.read = number
    return found


@contextmanager
def told(name: str) -> Iterator[None]:
    """The library with limits of ours, and what it raises inside as a sentence."""
    try:
        with apply_configuration(**LIMITS):
            yield
    except AppError:
        raise
    except (LimitReachedError, RecursionError, MemoryError) as error:
        raise PdfTooComplex(name=name) from error
    except BROKEN as error:
        raise BrokenPdf(name=name) from error


def _check_catalogue(root: DictionaryObject, name: str) -> None:
    names = resolved(root.get("/Names"))
    if isinstance(names, DictionaryObject):
        if "/JavaScript" in names:
            raise RunningPdf(name=name)
        if "/EmbeddedFiles" in names:
            raise PackedPdf(name=name)
    if "/Collection" in root or "/AF" in root:
        raise PackedPdf(name=name)
    _check_actions(root, name)


def _check_page(page: PageObject, name: str) -> None:
    _check_actions(page, name)
    notes = resolved(page.get("/Annots"))
    for note in notes[:MOST_PAINTED] if isinstance(notes, ArrayObject) else ():
        one = resolved(note)
        if isinstance(one, DictionaryObject):
            if one.get("/Subtype") == "/FileAttachment":
                raise PackedPdf(name=name)
            _check_actions(one, name)


def _check_actions(owner: DictionaryObject, name: str) -> None:
    """Links to pages and addresses are harmless here: nobody follows them."""
    more = resolved(owner.get("/AA"))
    actions = [
        owner.get("/OpenAction"),
        owner.get("/A"),
        *(more.values() if isinstance(more, DictionaryObject) else ()),
    ]
    for one in actions:
        action = resolved(one)
        if isinstance(action, DictionaryObject) and (action.get("/S") in RUNS or "/JS" in action):
            raise RunningPdf(name=name)


def resolved(value: Any) -> Any:
    """What a reference points to."""
    return value.get_object() if isinstance(value, IndirectObject) else value


def _read_page(page: PageObject, number: int, found: ReadPages) -> None:
    areas = _Areas(float(abs(page.mediabox.width * page.mediabox.height)) or 1.0)
    text = page.extract_text(visitor_operand_before=areas.see) if page.get("/Contents") is not None else ""
    found.texts.append((number, text))
    found.painted += [(number, shade) for shade in areas.shades]
    resources = resolved(page.get("/Resources"))
    if isinstance(resources, DictionaryObject):
        found.resources.append((number, resources))


class _Areas:
    """Listens to a page's operations and keeps the colours of the large areas that are filled."""

    def __init__(self, page_area: float) -> None:
        self._page_area = page_area
        self._fill: str | None = "#000000"
        self._stack: list[str | None] = []
        self._points: list[tuple[float, float]] = []
        self._count = 0
        self.shades: dict[str, None] = {}

    def see(self, operator: bytes, operands: Any, matrix: list[float], _text: list[float]) -> None:
        self._count += 1
        match operator:
            case b"q":
                self._stack = [*self._stack[-100:], self._fill]
            case b"Q":
                self._fill = self._stack.pop() if self._stack else self._fill
            case b"g" | b"rg" | b"k" | b"sc" | b"scn":
                self._fill = _shade(operands)
            case b"re" if len(operands) == 4:
                x, y, width, height = (float(one) for one in operands)
                self._add([(x, y), (x + width, y + height)], matrix)
            case b"m" | b"l" if len(operands) == 2:
                self._add([(float(operands[0]), float(operands[1]))], matrix)
            case b"c" if len(operands) == 6:
                self._add([(float(operands[4]), float(operands[5]))], matrix)
            case b"f" | b"F" | b"f*" | b"B" | b"B*" | b"b" | b"b*":
                self._filled()
            case b"n" | b"S" | b"s":
                self._points = []

    def _add(self, points: list[tuple[float, float]], matrix: list[float]) -> None:
        if len(self._points) < MOST_PAINTED:
            a, b, c, d, e, f = (float(one) for one in matrix)
            self._points += [(a * x + c * y + e, b * x + d * y + f) for x, y in points]

    def _filled(self) -> None:
        points, self._points = self._points, []
        if self._fill is None or len(points) < 2 or len(self.shades) >= MOST_PAINTED:
            return
        across, along = [x for x, _y in points], [y for _x, y in points]
        area = (max(across) - min(across)) * (max(along) - min(along)) / self._page_area
        if LEAST_AREA <= area <= MOST_AREA:
            self.shades[self._fill] = None


def _shade(operands: Any) -> str | None:
    """A colour of the device's spaces; those of other spaces with as many numbers are taken for one of them."""
    try:
        numbers = [min(max(float(one), 0.0), 1.0) for one in operands]
    except (TypeError, ValueError):
        return None  # a pattern
    if len(numbers) == 4:
        return from_cmyk(*numbers)
    if len(numbers) == 3:
        return "#" + "".join(f"{round(255 * one):02x}" for one in numbers)
    return None


def pictures_of(resources: DictionaryObject) -> Iterator[tuple[int, StreamObject]]:
    """The pictures of a page, also of the forms on it, with the number of each one's object: one that is used on
    several pages has the same."""
    waiting, seen = [resources], 0
    while waiting and seen < MOST_PAINTED:
        objects = resolved(waiting.pop().get("/XObject"))
        for reference in objects.values() if isinstance(objects, DictionaryObject) else ():
            seen += 1
            one = resolved(reference)
            if not isinstance(one, StreamObject):
                continue
            inner = resolved(one.get("/Resources"))
            if one.get("/Subtype") == "/Image":
                yield reference.idnum if isinstance(reference, IndirectObject) else id(one), one
            elif isinstance(inner, DictionaryObject) and len(waiting) < 100:
                waiting.append(inner)
