"""What people get when they copy text from a PDF, also where it is read from right to left.

Libraries for Python read glyphs from left to right and know no ``ActualText`` (ISO 32000-2, 14.9.4), so letters of
Arabic come out in the wrong order. This reader takes both, of one page as Typst writes it, and each line by itself.
"""

import io
import re
from collections.abc import Iterator
from dataclasses import dataclass

import pikepdf

from app.layouts.values import Rectangle

Matrix = tuple[float, float, float, float, float, float]


@dataclass(frozen=True)
class Run:
    """Letters that were put down at once, in the order of reading. Its start in points from the trimmed top left."""

    x: float
    y: float
    size: float
    text: str


def text_in(pdf: bytes, box: Rectangle, *, rtl: bool, dpi: int = 72) -> str:
    """The words within a box, which is in px of the cut page at ``dpi``, its lines joined by a space."""
    place, px = box.grown(2 * dpi / 72), dpi / 72
    inside = [
        run
        for run in runs(pdf)
        if place.x <= run.x * px <= place.x + place.width and place.y <= run.y * px <= place.y + place.height
    ]
    lines: list[list[Run]] = []
    for run in sorted(inside, key=lambda run: run.y):
        if lines and run.y - lines[-1][0].y < 0.5 * run.size:
            lines[-1].append(run)
        else:
            lines.append([run])
    read = ("".join(run.text for run in sorted(line, key=lambda run: run.x, reverse=rtl)) for line in lines)
    return " ".join(" ".join(read).split())


def runs(pdf: bytes) -> Iterator[Run]:
    """Every run of the first page, as it was put down."""
    with pikepdf.open(io.BytesIO(pdf)) as document:
        page = document.pages[0]
        left, top = float(page.trimbox[0]), float(page.trimbox[3])
        letters = {name: _letters(font) for name, font in page.Resources.Font.items()}
        matrices: list[Matrix] = [(1, 0, 0, 1, 0, 0)]
        spans: list[tuple[str, str | None]] = []
        font, size, place = "", 0.0, (0.0, 0.0)
        for operands, operator in pikepdf.parse_content_stream(page):
            match str(operator):
                case "q":
                    matrices.append(matrices[-1])
                case "Q":
                    matrices.pop()
                case "cm":
                    matrices[-1] = _product(tuple(float(one) for one in operands), matrices[-1])  # type: ignore[arg-type]
                case "Tf":
                    font, size = str(operands[0]), float(operands[1])
                case "Tm":
                    moved = _product(tuple(float(one) for one in operands), matrices[-1])  # type: ignore[arg-type]
                    place = moved[4] - left, top - moved[5]
                case "BMC":
                    spans.append((str(operands[0]), None))
                case "BDC":
                    told = operands[1].get("/ActualText") if isinstance(operands[1], pikepdf.Dictionary) else None
                    spans.append((str(operands[0]), None if told is None else str(told)))
                case "EMC":
                    spans.pop()
                case "Tj" | "TJ":
                    shown = _shown(operands[0], letters[font])
                    name, told_text = spans[-1] if spans else ("", None)
                    if told_text is not None:
                        shown, spans[-1] = told_text, (name, "")
                    elif name == "/ReversedChars":
                        shown = "".join(reversed(shown))
                    yield Run(*place, size, "".join(shown))


def _product(one: Matrix, other: Matrix) -> Matrix:
    a, b, c, d, e, f = one
    g, h, i, j, k, m = other
    return a * g + b * i, a * h + b * j, c * g + d * i, c * h + d * j, e * g + f * i + k, e * h + f * j + m


def _shown(operand: object, letters: dict[int, str]) -> list[str]:
    parts = list(operand) if isinstance(operand, pikepdf.Array) else [operand]
    codes = b"".join(bytes(part) for part in parts if isinstance(part, pikepdf.String))
    return [letters.get(int.from_bytes(codes[at : at + 2]), "") for at in range(0, len(codes), 2)]


def _letters(font: pikepdf.Object) -> dict[int, str]:
    """What each of the font's codes stands for (``ToUnicode``)."""
    table = font.ToUnicode.read_bytes().decode()
    found = {}
    for code, text in re.findall(r"<([0-9A-F]{4})> <([0-9A-F]+)>", table):
        found[int(code, 16)] = bytes.fromhex(text).decode("utf-16-be")
    return found
