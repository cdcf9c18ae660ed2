"""``python -m app.erasure --project ID`` or ``--person EMAIL``: erases, and proves it with a listing.

Ends with 0 when nothing remains, 1 when it could not be done, 2 when something remains.
"""

import argparse
import sys

from app.db import Database
from app.errors import AppError
from app.operations import erasure
from app.settings import Settings
from app.startup import keep_private
from app.storage import open_storage


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m app.erasure", description=__doc__)
    whom = parser.add_mutually_exclusive_group(required=True)
    whom.add_argument("--project", metavar="ID", help="a brand, by the id in its address")
    whom.add_argument("--person", metavar="EMAIL", help="a person, by their e-mail address")
    given = parser.parse_args(arguments)
    settings = Settings()
    keep_private(settings)
    database, storage = Database(settings.effective_database_url), open_storage(settings)
    cache = settings.data_dir / "worker-cache"
    try:
        if given.project:
            done = erasure.erase_project(database, storage, cache, project_id=given.project)
        else:
            done = erasure.erase_person(database, storage, cache, email=given.person)
    except AppError as error:
        print(f"Nothing was erased: {error}", file=sys.stderr)
        return 1
    finally:
        database.engine.dispose()
    print("Removed:")
    for table, count in sorted(done.rows.items()):
        print(f"  {count:7} rows of {table}")
    print(f"  {done.files:7} files in the storage")
    print(f"  {done.cached:7} cached adapters on this machine (other machines' workers remove theirs within an hour)")
    print("Remains:")
    for place in done.remains or ["nothing"]:
        print(f"  {place}")
    print("Backups made earlier still hold it; delete those by their age, as you have promised.")
    return 2 if done.remains else 0


if __name__ == "__main__":
    sys.exit(main())
