"""``python -m app.backup TARGET_DIR``: a copy of database and files, while Livery runs."""

import argparse
import sys
from pathlib import Path

from sqlalchemy.exc import SQLAlchemyError

from app.audit import service as audit
from app.db import Database
from app.operations.backup import BackupError, back_up
from app.settings import Settings
from app.startup import keep_private
from app.storage import open_storage


def _record(settings: Settings, target: Path) -> None:
    """Enter the backup into the audit log. It is whole already, so a busy database or one of an earlier version, which
    has no log yet, is no reason to fail."""
    database = Database(settings.effective_database_url)
    try:
        with database.write() as session:
            audit.record_command(session, "app.backup", "backup.made", label=target.name)
    except SQLAlchemyError as error:
        print(f"The backup is whole, but the audit log could not be written: {error}", file=sys.stderr)
    finally:
        database.engine.dispose()


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m app.backup", description=__doc__)
    parser.add_argument("target", type=Path, help="a new or empty folder")
    target = parser.parse_args(arguments).target
    settings = Settings()
    keep_private(settings)
    try:
        manifest = back_up(
            settings.effective_database_url,
            open_storage(settings),
            target,
            secret_key=settings.data_dir / "secret_key",
        )
    except BackupError as error:
        print(f"No backup was made: {error}.", file=sys.stderr)
        return 1
    _record(settings, target)
    print(f"{target}: the {manifest.database} database and {len(manifest.files)} files ({manifest.byte_count} bytes).")
    return 0


if __name__ == "__main__":
    sys.exit(main())
