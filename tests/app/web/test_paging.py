"""Keyset pages: where a page ends, and what the next one is asked by."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from app.web.paging import from_cursor, split


@dataclass(frozen=True)
class Row:
    id: str
    created_at: datetime


NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
ROWS = [Row(str(number), NOON - timedelta(minutes=number)) for number in range(3)]


def test_one_row_more_than_fits_says_that_there_is_a_next_page_and_is_not_on_this_one() -> None:
    page, following = split(ROWS, 2, "/things?before=")
    assert page == ROWS[:2]
    assert following is not None and following.startswith("/things?before=")
    assert from_cursor(following.removeprefix("/things?before=")) == (ROWS[1].created_at, ROWS[1].id)


def test_the_last_page_has_no_next_one() -> None:
    assert split(ROWS, 3) == (ROWS, None)
    assert split([], 3) == ([], None)
