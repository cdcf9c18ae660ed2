"""Brand guidelines as PDF: a sound one, set by Typst, and hostile ones, written by hand."""

import tempfile
import zlib
from functools import cache
from pathlib import Path

import typst

from app.layouts.typesetting import FONTS
from tests.app.brand_kits.sets import png_logo

PROGRAM = """
#set page(width: 200mm, height: 120mm, margin: 12mm)
#set text(font: "Hanken Grotesk", size: 10pt)
#let logo = image("logo.png", width: 40mm)
#logo
= Colours
#rect(width: 40mm, height: 20mm, fill: rgb("#0a3d91"))
Nordlicht Blue

HEX \\#0A3D91 \\
RGB 10 61 145 \\
CMYK 100 75 5 10 \\
PANTONE 287 C

Sand: \\#E8D9C0
#pagebreak()
#logo
#rect(width: 80mm, height: 20mm, fill: rgb("#22aa55"))
Das Logo darf nicht verzerrt werden.

Keep a clear space of 25 % of its height around the logo.
#pagebreak()
#rect(width: 80mm, height: 20mm, fill: rgb("#22aa55"))
#image("photo.png", width: 60mm)
*Never* put a shadow behind the logo.
"""


@cache
def guideline() -> bytes:
    """Three pages: three colours, one font in two weights, two rules, room around the logo, a logo and a photograph."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "logo.png").write_bytes(png_logo())
        (folder / "photo.png").write_bytes(photo())
        (folder / "guideline.typ").write_text(PROGRAM)
        fonts = typst.Fonts(include_system_fonts=False, include_embedded_fonts=False, font_paths=[FONTS])
        made = typst.compile(folder / "guideline.typ", root=folder, format="pdf", timestamp=0, font_paths=fonts)
    assert isinstance(made, bytes)
    return made


def photo() -> bytes:
    """Many colours, none of which covers much."""
    import io

    from PIL import Image

    picture = Image.merge(
        "RGB", [Image.radial_gradient("L"), Image.linear_gradient("L"), Image.radial_gradient("L").rotate(90)]
    )
    content = io.BytesIO()
    picture.save(content, "PNG")
    return content.getvalue()


def pdf(objects: dict[int, bytes], trailer: bytes = b"") -> bytes:
    """A PDF of these objects, whose first is the catalogue."""
    content, places = b"%PDF-1.7\n", dict[int, int]()
    for number, body in objects.items():
        places[number] = len(content)
        content += b"%d 0 obj\n%s\nendobj\n" % (number, body)
    start, count = len(content), max(objects) + 1
    content += b"xref\n0 %d\n0000000000 65535 f \n" % count
    for number in range(1, count):
        content += b"%010d 00000 n \n" % places.get(number, 0)
    return content + b"trailer\n<</Size %d/Root 1 0 R%s>>\nstartxref\n%d\n%%%%EOF\n" % (count, trailer, start)


def stream(content: bytes, head: bytes = b"", *, packed: bool = False) -> bytes:
    if packed:
        content, head = zlib.compress(content, 9), head + b"/Filter/FlateDecode"
    return b"<<%s/Length %d>>stream\n%s\nendstream" % (head, len(content), content)


def simple(
    contents: bytes = b"",
    catalogue: bytes = b"",
    page: bytes = b"",
    pages: int = 1,
    more: dict[int, bytes] | None = None,
) -> dict[int, bytes]:
    """The objects of a PDF whose pages all are one."""
    kids = b"4 0 R " * pages
    return {
        1: b"<</Type/Catalog/Pages 2 0 R%s>>" % catalogue,
        2: b"<</Type/Pages/Kids[%s]/Count %d>>" % (kids, pages),
        3: contents or stream(TEXT),
        4: b"<</Type/Page/Parent 2 0 R/MediaBox[0 0 300 200]/Contents 3 0 R"
        b"/Resources<</Font<</F 5 0 R>>%s>>%s>>" % (b"/XObject<</X 9 0 R>>" if more and 9 in more else b"", page),
        5: b"<</Type/Font/Subtype/Type1/BaseFont/Helvetica>>",
        **(more or {}),
    }


TEXT = b"BT /F 12 Tf 20 100 Td (Do not rotate the logo, please.) Tj ET"
