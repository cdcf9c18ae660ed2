"""Files that are tables: CSV, JSON and JSONL. A row that cannot be read costs nothing but itself.

Rows are counted as spreadsheet programs do, the first one is row 1, so that a sentence about row 17 leads to row 17.
"""

import csv
import itertools
import json
import re
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

from app.errors import N_
from app.images.reading.notes import Note
from app.plain_text import keepable
from app.voice.errors import NoTexts, TooManyBrokenRows, TooManyRows
from app.voice.reading.decoding import REPLACEMENT, decode

DELIMITERS = (",", ";", "\t", "|")
ONE_COLUMN = "\x1f"
"""A delimiter that stands in no text."""
SNIFFED_ROWS = 60
PREAMBLE = 5
"""Among so many rows from the top the names of columns are looked for."""
LONGEST_NAME = 40  # characters of a column's name
MOST_ROWS = 20_000
MOST_COLUMNS = 100
MOST_PROBLEMS = 200
LONGEST_CELL = 100_000  # characters
SEPARATOR_LINE = re.compile(r'"?sep=([,;|\t])"?', re.IGNORECASE)
"""A first line with which spreadsheet programs tell each other the delimiter."""
csv.field_size_limit(2**31 - 1)  # the library's own limit is an error of the whole file; ours is a sentence about a row
LONGEST_RECORD = 2_000
"""Lines of one CSV row."""
LONGEST_RECORD_CHARACTERS = 1_000_000
SNIFFED_CHARACTERS = 200_000
MOST_CELLS = 10_000
"""Fields of one CSV row that are told apart; of a longer one they are only counted."""
MOST_ROWS_LOOKED_AT = 10 * MOST_ROWS

QUOTES = N_(
    "Row %(row)s: a quotation mark is not closed, or is on its own inside a field. Put the text in quotation "
    "marks and double any inside it."
)
FIELDS = N_(
    "Row %(row)s: it has %(found)s fields; the others have %(expected)s. Put texts that contain the delimiter in "
    "quotation marks."
)
UNREADABLE = N_("Row %(row)s: it contains characters that could not be read. Save the file as UTF-8 and try again.")
TOO_LONG = N_("Row %(row)s: a field has more than %(limit)s characters.")
NOT_JSON = N_("Row %(row)s: this is not valid JSON.")
NO_OBJECT = N_("Row %(row)s: this is not an object with named fields.")
NO_ANSWER = N_("Row %(row)s: the conversation has no answer to learn from.")


@dataclass(frozen=True)
class Row:
    number: int
    cells: tuple[str, ...]


@dataclass
class Table:
    """Rows of equal width. ``header`` says whether the first one names the columns."""

    rows: list[Row] = field(default_factory=list)
    problems: list[Note] = field(default_factory=list)
    notes: list[Note] = field(default_factory=list)
    header: bool = False
    width: int = 0

    def names(self, header: bool) -> list[str]:
        """The columns' names; empty where there is no header."""
        if header and self.rows:
            return [cell.strip()[:60] for cell in self.rows[0].cells]
        return [""] * self.width

    def body(self, header: bool) -> list[Row]:
        return self.rows[1:] if header else self.rows


def read_csv(data: bytes, name: str) -> Table:
    """Raises ``NoTexts``, ``TooManyRows``, ``TooManyBrokenRows``."""
    text = keepable(decode(data)[0])
    lines = text.replace("\r\n", "\n").replace("\r", "\n").split("\n")
    told = SEPARATOR_LINE.fullmatch(lines[0].strip(" "))
    if told:
        lines[0] = ""  # and still counts as a row
    if not any(line.strip() for line in lines):
        raise NoTexts(name=name)
    sample = _beginning(lines)
    delimiter = told[1] if told else sniff_delimiter(sample)
    width = _usual_width(_first_records(sample, delimiter))
    table = Table(width=width)
    for looked_at, found in enumerate(_records(lines, delimiter, width)):
        if isinstance(found, Note):
            table.problems.append(found)
        elif found is not None:
            table.rows.append(found)
        if len(table.problems) > MOST_PROBLEMS:
            raise TooManyBrokenRows(name=name, count=MOST_PROBLEMS)
        if len(table.rows) > MOST_ROWS or looked_at > MOST_ROWS_LOOKED_AT:
            raise TooManyRows(name=name, limit=MOST_ROWS)
    table.header = looks_like_header(table.rows)
    return table


def sniff_delimiter(sample: list[str]) -> str:
    """The character that cuts these lines into equally many fields, as often as can be; ``ONE_COLUMN`` where none does.
    None of them is empty. Commas and semicolons of prose cut nothing: half a text would look like a whole one."""
    scores = {}
    for delimiter in DELIMITERS:
        records = _first_records(sample, delimiter)
        usual, count = Counter(len(cells) for cells in records).most_common(1)[0]
        if usual > 1 and _cuts_columns(records, usual):
            scores[delimiter] = (count / len(records), usual)
    return max(scores, key=lambda delimiter: scores[delimiter], default=ONE_COLUMN)


def _cuts_columns(records: list[list[str]], usual: int) -> bool:
    """Whether a delimiter by which most rows have ``usual`` fields is one: the first row has as many, or a row near the
    top names columns, and what follows it is not the rest of a sentence."""
    filled = [cells for cells in records if cells]
    if any(len(cells) == usual and _names_columns(cells) for cells in filled[:PREAMBLE]):
        return True
    if not filled or len(filled[0]) == 1:
        return False
    joints = [pair for cells in filled for pair in itertools.pairwise(cells)]
    return sum(_is_prose(*pair) for pair in joints) < len(joints) / 2


def _names_columns(cells: list[str]) -> bool:
    return all(len(cell) <= LONGEST_NAME for cell in cells) and any(known_meaning(cell) for cell in cells)


def _is_prose(before: str, after: str) -> bool:
    """Whether what stood between these two was a mark of a sentence ("warm, and"), or of a number ("7,50")."""
    return after[:1] == " " or (before[-1:].isdigit() and after[:1].isdigit())


def _first_records(sample: list[str], delimiter: str) -> list[list[str]]:
    """The first rows as fields; an empty list for each whose quotes do not close."""
    found: list[list[str]] = []
    at = 0
    while at < len(sample) and len(found) < SNIFFED_ROWS:
        cells, used = _record(sample, at, delimiter)
        found.append(cells or [])
        at += used
    return found


def _beginning(lines: list[str]) -> list[str]:
    """The first lines that are not empty, ``SNIFFED_CHARACTERS`` of them in sum; the last may be cut."""
    found, room = list[str](), SNIFFED_CHARACTERS
    for line in lines:
        if room <= 0:
            break
        if line.strip():
            found.append(line[:room])
            room -= len(line) + 1
    return found


def _usual_width(records: list[list[str]]) -> int:
    widths = Counter(len(cells) for cells in records if any(cells))
    return min(MOST_COLUMNS, widths.most_common(1)[0][0]) if widths else 1


def _record(lines: list[str], at: int, delimiter: str) -> tuple[list[str] | None, int]:
    """The fields of the row that begins on line ``at`` and how many lines it takes; None if its quotes do not close."""
    if '"' not in lines[at]:
        return lines[at].split(delimiter), 1
    used = read = 0

    def feed() -> Iterator[str]:
        nonlocal used, read
        while used < min(LONGEST_RECORD, len(lines) - at) and read <= LONGEST_RECORD_CHARACTERS:
            line = lines[at + used]
            used += 1
            read += len(line)
            yield line + "\n"

    try:
        return next(csv.reader(feed(), delimiter=delimiter, strict=True)), used
    except (csv.Error, StopIteration):
        return None, 1


def _records(lines: list[str], delimiter: str, width: int) -> Iterator[Row | Note | None]:
    at, number = 0, 0
    while at < len(lines):
        number += 1
        if not lines[at].strip():
            at += 1
            continue
        # Fields of a line as long as a file are counted; told apart they would take twenty times its length in memory.
        if (fields := lines[at].count(delimiter) + 1) > MOST_CELLS:
            yield Note(FIELDS, {"row": number, "found": fields, "expected": width})
            at += 1
            continue
        cells, used = _record(lines, at, delimiter)
        found = _row(number, cells, width)
        has_swallowed = cells is not None and used > 1 and len(cells) != width
        if has_swallowed and len(_record(lines, at + 1, delimiter)[0] or ()) == width:
            # A quote that closes by chance in a later row has swallowed the rows between: these are read anew.
            used, found = 1, Note(QUOTES, {"row": number})
        yield found
        at += used


def _row(number: int, cells: list[str] | None, width: int) -> Row | Note | None:
    """The row, what is wrong with it, or None for one that is empty. Empty fields beyond ``width`` are taken off."""
    if cells is None:
        return Note(QUOTES, {"row": number})
    while len(cells) > width and not cells[-1].strip():
        cells.pop()
    if len(cells) != width:
        return Note(FIELDS, {"row": number, "found": len(cells), "expected": width})
    if any(REPLACEMENT in cell for cell in cells):
        return Note(UNREADABLE, {"row": number})
    if any(len(cell) > LONGEST_CELL for cell in cells):
        return Note(TOO_LONG, {"row": number, "limit": LONGEST_CELL})
    return Row(number, tuple(cells)) if any(cell.strip() for cell in cells) else None


def looks_like_header(rows: list[Row]) -> bool:
    """Whether the first row names columns: short, distinct words where the rows below hold more."""
    if len(rows) < 2:
        return False
    names = [cell.strip() for cell in rows[0].cells]
    filled = [name for name in names if name]
    if (
        not filled
        or len(set(filled)) < len(filled)
        or any(len(name) > LONGEST_NAME or name.isdigit() for name in filled)
    ):
        return False
    if any(known_meaning(name) for name in filled):
        return True
    body = rows[1:30]
    longest = max(range(len(names)), key=lambda at: sum(len(row.cells[at]) for row in body))
    usual = sum(len(row.cells[longest]) for row in body) / len(body)
    return usual > 3 * len(names[longest]) and len(names) > 1


MEANINGS = {
    "text": "text|texts|texte|body|content|inhalt|copy|beitrag|post|message|nachricht|beschreibung|description|caption"
    "|output|completion|response|answer|antwort|newsletter|produkttext|beitragstext|post text|assistant",
    "title": "title|titel|headline|überschrift|betreff|subject|name|produkt|product|produktname|product name|thema"
    "|topic",
    "channel": "channel|kanal|type|typ|art|medium|platform|plattform|format|category|kategorie",
    "language": "language|sprache|lang|locale",
    "brief": "brief|briefing|prompt|instruction|anweisung|auftrag|user|input|aufgabe",
    "keywords": "keywords|stichwörter|stichworte|schlagwörter|schlagworte|tags|hashtags|keyword",
}
_MEANING_OF = {name: meaning for meaning, names in MEANINGS.items() for name in names.split("|")}


def known_meaning(name: str) -> str | None:
    """What a column of this name holds, if the name is a usual one: text, title, channel, language, brief, keywords."""
    return _MEANING_OF.get(re.sub(r"[\s_-]+", " ", name.strip().lower()))


def read_json(data: bytes, name: str) -> Table:
    """JSONL, or one JSON list: objects with named fields, or conversations under ``messages`` or ``conversations``.

    Raises ``NoTexts``, ``TooManyRows``, ``TooManyBrokenRows``.
    """
    text, _ = decode(data)
    table = Table(header=True)
    objects: list[tuple[int, dict[str, str]]] = []
    for number, value in _values(text):
        if len(objects) > MOST_ROWS:
            raise TooManyRows(name=name, limit=MOST_ROWS)
        found = value if isinstance(value, Note) else _flat(number, value)
        if isinstance(found, Note):
            table.problems.append(found)
            if len(table.problems) > MOST_PROBLEMS:
                raise TooManyBrokenRows(name=name, count=MOST_PROBLEMS)
        else:
            objects += [(number, one) for one in found]
    if not objects and not table.problems:
        raise NoTexts(name=name)
    columns = list(dict.fromkeys(key for _, one in objects for key in one))[:MOST_COLUMNS]
    table.width = len(columns)
    table.rows = [Row(0, tuple(columns))] + [
        Row(number, tuple(one.get(column, "") for column in columns)) for number, one in objects
    ]
    return table


def _values(text: str) -> Iterable[tuple[int, Any]]:
    if text.lstrip().startswith("["):
        whole = _parsed(text, 1)
        if isinstance(whole, list):
            yield from enumerate(whole, 1)
            return
    for number, line in enumerate(text.split("\n"), 1):
        if line.strip():
            yield number, _parsed(line, number)


def _parsed(text: str, number: int) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return Note(NOT_JSON, {"row": number})


def _flat(number: int, value: object) -> list[dict[str, str]] | Note:
    """The fields of one object as text; of a conversation one for each answer, with the order before it."""
    if not isinstance(value, dict):
        return Note(NO_OBJECT, {"row": number})
    flat: dict[str, str] = {}
    for key, item in value.items():
        if key in ("messages", "conversations"):
            continue
        if isinstance(item, list):
            words = (str(one) for one in item if isinstance(one, str | int | float))
            flat[keepable(key)] = keepable(", ".join(words))
        elif not isinstance(item, dict) and item is not None:
            flat[keepable(key)] = keepable(str(item))
    found = [flat]
    turns = value.get("messages", value.get("conversations"))
    if isinstance(turns, list):
        found = [{"text": keepable(answer), "brief": keepable(asked)} | flat for asked, answer in _answers(turns)]
        if not found:
            return Note(NO_ANSWER, {"row": number})
    if any(len(item) > LONGEST_CELL for one in found for item in one.values()):
        return Note(TOO_LONG, {"row": number, "limit": LONGEST_CELL})
    return found


def _answers(turns: list[Any]) -> list[tuple[str, str]]:
    """The answers of a conversation, each with the order that it answers; of either naming that files use. Answers of
    weight 0 are there for the others' sake alone. None of a conversation that is not one."""
    asked, found = "", list[tuple[str, str]]()
    for turn in turns:
        if not isinstance(turn, dict):
            return []
        role, content = turn.get("role", turn.get("from")), turn.get("content", turn.get("value"))
        if isinstance(content, list):
            content = "\n".join(str(part.get("text", "")) for part in content if isinstance(part, dict))
        if not isinstance(content, str):
            continue
        if role in ("user", "human"):
            asked = content
        elif role in ("assistant", "gpt", "model") and content.strip() and turn.get("weight") != 0:
            found.append((asked, content))
    return found
