"""``python -m tests.benchmarks.matrix``: milliseconds that the database needs for a page of a matrix of 10,000 ads.

On SQLite in a temporary folder, or on the empty database that ``TEST_DATABASE_URL`` names. Each number is the median of
21 runs of the page's statements with their rows read, after one run to warm up; a page may take 100 ms. On SQLite,
which works in this process, it is the processor's time, so that other programs on the machine do not count; on a server
it is the time on the clock.
"""

import os
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from sqlalchemy.orm import Session

from app.db import Database
from app.matrix import queries
from app.matrix.queries import CellFilters
from app.migrate import migrate
from tests.many_cells import lay_out_many
from tests.orders import make_workspace

RUNS = 21
MOST_MS = 100
PAGES = {
    "the first page": (CellFilters(), None),
    "a page in the middle": (CellFilters(), 5_000),
    "the last page": (CellFilters(), 9_930),
    "the last audience": (CellFilters(audience="00000013"), None),
    "one language": (CellFilters(locale="de-024"), None),
    "one channel": (CellFilters(channel="web_hero"), None),
    "rejected": (CellFilters(review="rejected"), None),
    "rejected of an audience that has none": (CellFilters(audience="00000000", review="rejected"), None),
}


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        database = Database(os.environ.get("TEST_DATABASE_URL") or f"sqlite:///{Path(folder) / 'matrix.sqlite3'}")
        migrate(database)
        workspace_id = make_workspace(database)
        where = {"workspace_id": workspace_id, "campaign_id": lay_out_many(database, workspace_id)}
        print(f"10,000 ads, {database.engine.dialect.name}, pages of {queries.PAGE}, at most {MOST_MS} ms")
        for name, (filters, after) in PAGES.items():
            _tell(
                database, name, lambda session, f=filters, a=after: queries.page(session, **where, filters=f, after=a)
            )
        _tell(database, "the counts above it", lambda session: queries.counts(session, **where))
        database.engine.dispose()


def _tell(database: Database, name: str, ask: Callable[[Session], object]) -> None:
    clock = time.process_time if database.is_sqlite else time.perf_counter
    taken = []
    for _ in range(RUNS + 1):
        with database.read() as session:
            began = clock()
            ask(session)
            taken.append((clock() - began) * 1000)
    median = statistics.median(taken[1:])
    print(f"{median:8.1f} ms  {median / MOST_MS:6.1%}  {name}")


if __name__ == "__main__":
    main()
