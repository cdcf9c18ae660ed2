"""Keyset pages: the next page's address names the last row seen, so that a deep page costs no more than the first."""

import base64
import binascii
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Annotated, Protocol, TypeVar

from fastapi import Query

Cursor = Annotated[str | None, Query(max_length=200)]
"""Which page is asked for; None for the first."""


class Placed(Protocol):
    """A row with the place in its list that a cursor names."""

    @property
    def id(self) -> str: ...

    @property
    def created_at(self) -> datetime: ...


Row = TypeVar("Row", bound=Placed)


def split(rows: Sequence[Row], limit: int, address: str = "") -> tuple[list[Row], str | None]:
    """The rows of one page, and the address of the next: ``address`` and the cursor of the last row. None on the last
    page, which is told by asking for ``limit`` + 1 rows."""
    page = list(rows[:limit])
    return page, address + to_cursor(page[-1].created_at, page[-1].id) if len(rows) > limit else None


def to_cursor(created_at: datetime, row_id: str) -> str:
    text = f"{created_at.astimezone(UTC).isoformat()}|{row_id}"
    return base64.urlsafe_b64encode(text.encode()).decode().rstrip("=")


def from_cursor(cursor: str | None) -> tuple[datetime, str] | None:
    """The row that ``cursor`` names; None for the first page and for anything that is not a cursor."""
    if not cursor or len(cursor) > 200:
        return None
    try:
        text = base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)).decode()
        moment, _, row_id = text.partition("|")
        parsed = datetime.fromisoformat(moment)
    except (ValueError, binascii.Error):
        return None
    return (parsed, row_id) if parsed.tzinfo is not None and row_id else None
