"""A whole chain as it leaves the house, from its first event to its last."""

import csv
import io
import json
from collections.abc import Iterator
from typing import Any, Literal

from app.audit import chain
from app.audit.models import INSTALLATION
from app.db import Database
from app.plain_text import safe_cell

Format = Literal["jsonl", "csv"]
MEDIA_TYPES: dict[str, str] = {"jsonl": "application/jsonl", "csv": "text/csv; charset=utf-8"}
ROWS_AT_ONCE = 500


def export(database: Database, workspace_id: str | None, form: Format) -> Iterator[bytes]:
    """In pieces, so that a long log needs no memory. JSON Lines hold all that a check of the chain needs: see
    ``python -m app.audit verify --export FILE``. CSV is for people and their spreadsheets."""
    rows = _csv if form == "csv" else _jsonl
    with database.read() as session:
        waiting: list[bytes] = [_line(chain.COLUMNS)] if form == "csv" else []
        for event in chain.read(session, workspace_id or INSTALLATION):
            waiting.append(rows(event))
            if len(waiting) >= ROWS_AT_ONCE:
                yield b"".join(waiting)
                waiting.clear()
    yield b"".join(waiting)


def _jsonl(event: dict[str, Any]) -> bytes:
    kept = {name: event[name] for name in chain.COLUMNS} | {"at": chain.moment(event["at"])}
    return json.dumps(kept, ensure_ascii=False).encode() + b"\n"


def _csv(event: dict[str, Any]) -> bytes:
    changes = json.dumps(event["changes"], ensure_ascii=False) if event["changes"] else ""
    plain = event | {"at": chain.moment(event["at"]), "changes": changes}
    return _line(tuple("" if plain[name] is None else str(plain[name]) for name in chain.COLUMNS))


def _line(cells: tuple[str, ...]) -> bytes:
    out = io.StringIO()
    csv.writer(out).writerow([safe_cell(cell) for cell in cells])
    return out.getvalue().encode()


def read(lines: Iterator[str]) -> Iterator[dict[str, Any]]:
    """The events of a JSON Lines export. Raises ``ValueError`` with the number of a line that is none."""
    for number, line in enumerate(lines, 1):
        try:
            event = json.loads(line)
            yield {name: event[name] for name in chain.COLUMNS}
        except (ValueError, KeyError, TypeError) as error:
            raise ValueError(f"line {number} is no event") from error
