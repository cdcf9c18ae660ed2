"""Files of texts as offices produce them, and broken ones."""

import io
import zipfile
from collections.abc import Sequence

import openpyxl

QUOTE = '"'


def text_of(number: int) -> str:
    """A text that no other number has, with what breaks importers: umlauts, emoji, quotes, delimiters, line ends."""
    things = ("Decke", "Lampe", "Bank", "Schüssel", "Kanne", "Öllampe", "Tür", "Straße")
    thing = things[number % len(things)]
    return (
        f"Die {thing} Nr. {number} ist fertig. 🍋\n"
        f'Sie heißt "Größe {number * 7}"; das sagt man so, in Ölüberfluß und überhaupt {number * number}.'
    )


def csv_line(cells: Sequence[str], delimiter: str = ";") -> str:
    return delimiter.join(QUOTE + cell.replace(QUOTE, QUOTE * 2) + QUOTE for cell in cells)


def many_rows(count: int, broken: dict[int, str], delimiter: str = ";") -> str:
    """A CSV with a header and ``count`` rows; ``broken`` gives the raw line of some, by their number in a spreadsheet
    (the header is row 1)."""
    lines = [csv_line(("Titel", "Text", "Kanal"), delimiter)]
    for number in range(2, count + 2):
        lines.append(broken.get(number) or csv_line((f"Stück {number}", text_of(number), "Produkttext"), delimiter))
    return "\r\n".join(lines) + "\r\n"


def xlsx(rows: Sequence[Sequence[object]], *, more: dict[str, Sequence[Sequence[object]]] | None = None) -> bytes:
    book = openpyxl.Workbook()
    sheet = book.active
    for row in rows:
        sheet.append(list(row))
    for title, others in (more or {}).items():
        other = book.create_sheet(title)
        for row in others:
            other.append(list(row))
    out = io.BytesIO()
    book.save(out)
    return out.getvalue()


W = 'xmlns:w="http://schemas.openxmlformats.org/wordprocessingml/2006/main"'


def docx(paragraphs: Sequence[tuple[str, str]], *, head: str = "") -> bytes:
    """A Word document of pairs of style (may be empty) and text; ``head`` stands before the root."""
    body = "".join(
        f"<w:p>{f'<w:pPr><w:pStyle w:val={QUOTE}{style}{QUOTE}/></w:pPr>' if style else ''}"
        f"<w:r><w:t>{text}</w:t></w:r></w:p>"
        for style, text in paragraphs
    )
    return zipped(
        {"word/document.xml": f"<?xml version='1.0'?>{head}<w:document {W}><w:body>{body}</w:body></w:document>"}
    )


def zipped(files: dict[str, str | bytes]) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return out.getvalue()
