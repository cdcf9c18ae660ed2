"""``python -m app.backup TARGET_DIR``: a copy of database and files, while Livery runs."""

import argparse
import sys
from pathlib import Path

from app.operations.backup import BackupError, back_up
from app.settings import Settings
from app.startup import keep_private
from app.storage import open_storage


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
    print(f"{target}: the {manifest.database} database and {len(manifest.files)} files ({manifest.byte_count} bytes).")
    return 0


if __name__ == "__main__":
    sys.exit(main())
