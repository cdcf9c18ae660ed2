"""``python -m app.restore SOURCE_DIR``: a backup into a new data folder, or an empty database and bucket.

Where to is said by the settings, as for Livery itself. Nothing that is there is overwritten.
"""

import argparse
import sys
from pathlib import Path

from app.audit import service as audit
from app.db import Database
from app.migrate import migrate
from app.operations.backup import BackupError, restore
from app.settings import Settings
from app.startup import keep_private
from app.storage import open_storage


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m app.restore", description=__doc__)
    parser.add_argument("source", type=Path, help="a folder that `python -m app.backup` has made")
    source = parser.parse_args(arguments).source
    settings = Settings()
    keep_private(settings)
    try:
        manifest = restore(
            source,
            settings.effective_database_url,
            open_storage(settings),
            secret_key=settings.data_dir / "secret_key",
        )
    except BackupError as error:
        print(f"Nothing was restored: {error}.", file=sys.stderr)
        return 1
    # A backup of an earlier version has no log yet; migrating is the first thing that Livery would do anyway.
    database = Database(settings.effective_database_url)
    migrate(database)
    with database.write() as session:
        audit.record_command(session, "app.restore", "backup.restored", label=source.name)
    database.engine.dispose()
    print(f"Restored the {manifest.database} database and {len(manifest.files)} files ({manifest.byte_count} bytes).")
    return 0


if __name__ == "__main__":
    sys.exit(main())
