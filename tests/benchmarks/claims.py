"""``python -m tests.benchmarks.claims [jobs] [workers]``: many queued jobs, claimed by several processes at once.

On SQLite in a temporary folder, or on the empty database that ``TEST_DATABASE_URL`` names.
"""

import os
import sys
import tempfile
from pathlib import Path

from app.db import Database
from app.migrate import migrate
from tests.jobs_to_claim import claim_all, queue


def main(jobs: int = 10_000, workers: int = 8) -> None:
    with tempfile.TemporaryDirectory() as folder:
        url = os.environ.get("TEST_DATABASE_URL") or f"sqlite:///{Path(folder) / 'claims.sqlite3'}"
        database = Database(url)
        migrate(database)
        queue(database, jobs)
        outcome = claim_all(url, workers)
        print(f"{jobs} queued jobs, {workers} processes, {database.engine.dialect.name}")
        print(f"  claimed {outcome.claimed}, doubles {outcome.doubles}, by process {outcome.by_worker}")
        print(f"  {outcome.seconds:.1f} s, {outcome.claimed / outcome.seconds:.0f} claims a second")
        database.engine.dispose()


if __name__ == "__main__":
    main(*(int(argument) for argument in sys.argv[1:]))
