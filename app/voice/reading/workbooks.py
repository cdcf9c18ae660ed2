"""Workbooks: XLSX files, counted before their library reads them, which builds an object for each element however many
there are."""

import io
import zipfile
from typing import Any
from xml.parsers import expat

from app.errors import N_
from app.images.reading.notes import Note
from app.plain_text import keepable
from app.reading.zips import READ_ERRORS
from app.voice.errors import NoTexts, TextsRefused, TooManyRows
from app.voice.reading.archives import BROKEN_XML, checked_archive
from app.voice.reading.tables import LONGEST_CELL, MOST_COLUMNS, MOST_ROWS, TOO_LONG, Row, Table, looks_like_header

MOST_SHEETS = 20
OTHER_SHEETS = N_("Only the sheet “%(sheet)s” was read. Save other sheets as separate files.")
MOST_ELEMENTS = 4_000_000
"""In all parts together; 20,000 rows of 20 columns have a million."""
MOST_ROW_ELEMENTS, MOST_STRINGS = 400_000, 400_000
CHUNK = 2**18


class TooMuchInWorkbook(ValueError):
    """More elements than a workbook of texts has, or declarations that no spreadsheet program writes."""


class _Counter:
    def __init__(self) -> None:
        self.elements = self.rows = self.strings = 0

    def start(self, tag: str, _attributes: object) -> None:
        self.elements += 1
        local = tag.rpartition(":")[2]
        if local == "row":
            self.rows += 1
        elif local == "si":
            self.strings += 1
        if self.elements > MOST_ELEMENTS or self.rows > MOST_ROW_ELEMENTS or self.strings > MOST_STRINGS:
            raise TooMuchInWorkbook

    def refuse(self, *_: object) -> None:
        raise TooMuchInWorkbook


def check_workbook(archive: zipfile.ZipFile) -> None:
    """Count the elements of all XML parts. Raises ``TooMuchInWorkbook``, and what reading a damaged archive or XML
    raises."""
    counter = _Counter()
    for entry in archive.infolist():
        if not entry.filename.lower().endswith((".xml", ".rels")) or entry.filename.startswith("customXml/"):
            continue  # never read
        parser = expat.ParserCreate()
        parser.SetParamEntityParsing(expat.XML_PARAM_ENTITY_PARSING_NEVER)
        parser.StartDoctypeDeclHandler = counter.refuse
        parser.StartElementHandler = counter.start
        with archive.open(entry) as file:
            while chunk := file.read(CHUNK):
                parser.Parse(chunk, False)
        parser.Parse(b"", True)


def read_xlsx(data: bytes, name: str, *, most_bytes: int) -> Table:
    """The fullest sheet. Formulas count as what they last showed.

    Raises ``TextsRefused`` and its kinds.
    """
    archive = checked_archive(data, name, most_bytes=most_bytes)
    # Here, because its 175 modules would weigh on every web process from the start, and workbooks are rare.
    import openpyxl
    from openpyxl.utils.exceptions import InvalidFileException

    try:
        check_workbook(archive)
        book = openpyxl.load_workbook(io.BytesIO(data), read_only=True, data_only=True, keep_links=False)
        sheets = [(sheet.title, _sheet(sheet, name)) for sheet in book.worksheets[:MOST_SHEETS]]
    except (InvalidFileException, AttributeError, *READ_ERRORS, *BROKEN_XML) as error:
        raise TextsRefused(name=name) from error
    filled = [(title, table) for title, table in sheets if table.rows]
    if not filled:
        raise NoTexts(name=name)
    title, table = max(filled, key=lambda pair: len(pair[1].rows))
    if len(filled) > 1:
        table.notes.append(Note(OTHER_SHEETS, {"sheet": title}))
    table.header = looks_like_header(table.rows)
    return table


def _sheet(sheet: Any, name: str) -> Table:
    table, found = Table(), list[tuple[int, list[str]]]()
    for number, values in enumerate(sheet.iter_rows(values_only=True, max_col=MOST_COLUMNS), 1):
        if number > MOST_ROWS * 2:
            break  # rows that are only coloured
        if len(found) > MOST_ROWS:
            raise TooManyRows(name=name, limit=MOST_ROWS)
        cells = [_cell(value) for value in values]
        while cells and not cells[-1]:
            cells.pop()
        if any(len(cell) > LONGEST_CELL for cell in cells):
            table.problems.append(Note(TOO_LONG, {"row": number, "limit": LONGEST_CELL}))
        elif cells:
            found.append((number, cells))
    table.width = max((len(cells) for _, cells in found), default=0)
    table.rows = [Row(number, (*cells, *[""] * (table.width - len(cells)))) for number, cells in found]
    return table


def _cell(value: object) -> str:
    if value is None:
        return ""
    if isinstance(value, str):
        return keepable(value)
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return str(value)
