"""``python -m tests.benchmarks.gallery [count]``: milliseconds that the database needs for a page of the gallery.

On SQLite in a temporary folder, or on the empty database that ``TEST_DATABASE_URL`` names. Each number is the median of
21 runs of the page's statement with its rows read, after one run to warm up. On SQLite, which works in this process, it
is the processor's time, so that other programs on the machine do not count; on a server it is the time on the clock.
"""

import os
import statistics
import sys
import tempfile
import time
from datetime import timedelta
from pathlib import Path

from app.db import Database
from app.gallery import queries
from app.gallery.filters import Filters
from app.migrate import migrate
from tests.many_pictures import hang_many
from tests.orders import make_workspace
from tests.visuals import START

RUNS = 21


def main(count: int) -> None:
    with tempfile.TemporaryDirectory() as folder:
        database = Database(os.environ.get("TEST_DATABASE_URL") or f"sqlite:///{Path(folder) / 'gallery.sqlite3'}")
        migrate(database)
        workspace_id = make_workspace(database)
        ids = hang_many(database, workspace_id, count)
        oldest = (START + timedelta(seconds=queries.PAGE + 5), "0" * 32)
        pages = {
            "everything": (Filters(), None),
            "everything, the last page": (Filters(), oldest),
            "a brand": (Filters(brand=ids["brand"]), None),
            "a campaign": (Filters(campaign=ids["campaign"]), None),
            "favourites": (Filters(favourite=True), None),
            "a tag": (Filters(tag="hero"), None),
            "rejected, of which there are none": (Filters(review="rejected"), None),
            "a word that many have": (Filters(q="lighthouse"), None),
            "a word that none has": (Filters(q="zeppelin"), None),
            "a word that none has, in a brand": (Filters(q="zeppelin", brand=ids["brand"]), None),
        }
        clock = time.process_time if database.is_sqlite else time.perf_counter
        print(f"{count} pictures, {database.engine.dialect.name}, pages of {queries.PAGE}")
        for name, (filters, before) in pages.items():
            taken = []
            for _ in range(RUNS + 1):
                with database.read() as session:
                    began = clock()
                    queries.page(session, workspace_id=workspace_id, filters=filters, before=before)
                    taken.append((clock() - began) * 1000)
            print(f"{statistics.median(taken[1:]):8.1f} ms  {name}")
        database.engine.dispose()


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 50_000)
