"""Brings the database's tables to what this version expects."""

from pathlib import Path

from alembic import command
from alembic.config import Config

from app.db import Database
from app.settings import Settings
from app.startup import keep_private


def migrate(database: Database) -> None:
    """Run every migration that is missing. On PostgreSQL an advisory lock lets one process at a time do it."""
    config = Config(toml_file=Path(__file__).parent.parent / "pyproject.toml")
    config.attributes["database"] = database
    if database.is_sqlite:
        command.upgrade(config, "head")
        return
    with database.engine.connect() as connection:
        connection.exec_driver_sql("SELECT pg_advisory_lock(7254221)")
        try:
            command.upgrade(config, "head")
        finally:
            connection.exec_driver_sql("SELECT pg_advisory_unlock(7254221)")


def main() -> None:
    """``python -m app.migrate``: bring the database of the settings up to date, and end."""
    settings = Settings()
    keep_private(settings)
    database = Database(settings.effective_database_url)
    migrate(database)
    database.engine.dispose()


if __name__ == "__main__":
    main()
