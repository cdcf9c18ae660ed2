"""What is in a pack, one row for each file, as a table for people (CSV) and for programs (JSON)."""

import csv
import io
import json
from collections.abc import Iterable
from dataclasses import asdict, dataclass, fields

from app.plain_text import keepable, safe_cell

BYTE_ORDER_MARK = "\ufeff"
"""Spreadsheets take UTF-8 without it for another encoding and spoil umlauts."""


@dataclass(frozen=True)
class ManifestRow:
    """One file. ``byte_count`` and ``sha256`` are filled in when the pack is written.

    ``width_px`` and ``height_px`` are those of the channel. Moments are ISO 8601 with their zone; ``findings`` are
    sentences in the reader's language.
    """

    file: str
    channel: str = ""
    width_px: int | None = None
    height_px: int | None = None
    type: str = ""
    byte_count: int | None = None
    sha256: str = ""
    locale: str = ""
    audience: str = ""
    alt_text: str = ""
    headline: str = ""
    body: str = ""
    call_to_action: str = ""
    legal: str = ""
    prompt: str = ""
    negative_prompt: str = ""
    seed: int | None = None
    base_model: str = ""
    adapter: str = ""
    adapter_version: int | None = None
    kit_version: int | None = None
    layout: str = ""
    theme: str = ""
    approved_by: str = ""
    approved_at: str = ""
    ai_statement: str = ""
    findings: tuple[str, ...] = ()


COLUMNS = tuple(one.name for one in fields(ManifestRow))


def as_csv(rows: Iterable[ManifestRow], *, separator: str = ";") -> bytes:
    """One line for each row, UTF-8 with byte order mark.

    ``separator`` is what spreadsheets of the reader's language expect: ``;`` in German, ``,`` in English.
    """
    out = io.StringIO(newline="")
    writer = csv.writer(out, delimiter=separator)
    writer.writerow(COLUMNS)
    for row in rows:
        writer.writerow([_cell(getattr(row, name)) for name in COLUMNS])
    return (BYTE_ORDER_MARK + out.getvalue()).encode()


def _cell(value: str | int | tuple[str, ...] | None) -> str:
    if value is None:
        return ""
    if isinstance(value, int):
        return str(value)
    text = value if isinstance(value, str) else " ".join(value)
    # Without the returns, which some programs take for the end of a row even within quotes.
    return safe_cell(keepable(text).replace("\r\n", "\n").replace("\r", "\n"))


def as_json(rows: Iterable[ManifestRow]) -> bytes:
    """A list of objects with the same columns, UTF-8, what is unknown as null."""
    told = [{name: _value(value) for name, value in asdict(row).items()} for row in rows]
    return (json.dumps(told, ensure_ascii=False, indent=1) + "\n").encode()


def _value(value: object) -> object:
    if isinstance(value, tuple):
        return [keepable(one) for one in value]
    return keepable(value) if isinstance(value, str) else value
