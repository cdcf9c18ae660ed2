"""Alembic's environment: the application's own settings and tables."""

from typing import Any, Literal

from alembic import context
from sqlalchemy import Connection

from app import models
from app.db import Database, UtcDateTime
from app.settings import Settings

database: Database = context.config.attributes.get("database") or Database(Settings().effective_database_url)


def render(kind: str, item: Any, _context: Any) -> str | Literal[False]:
    """Write our datetime as plain SQL, so that a migration does not depend on today's classes."""
    return "sa.DateTime(timezone=True)" if kind == "type" and isinstance(item, UtcDateTime) else False


def look_after(connection: Connection) -> None:
    """On SQLite a table that is changed is made anew, and the old one dropped: to the database all its rows go, and
    what belongs to them would go along. So nothing follows a reference meanwhile; at the end each is looked at."""
    foreign_keys(connection, is_on=False)
    try:
        migrate(connection)
    finally:
        foreign_keys(connection, is_on=True)  # the pool gives the connection to others


def foreign_keys(connection: Connection, *, is_on: bool) -> None:
    """Between transactions, as inside of one SQLite pays no heed to it."""
    cursor = connection.connection.cursor()
    cursor.execute(f"PRAGMA foreign_keys={'ON' if is_on else 'OFF'}")
    cursor.close()


def migrate(connection: Connection) -> None:
    context.configure(
        connection=connection,
        target_metadata=models.Base.metadata,
        render_as_batch=True,
        compare_type=True,
        render_item=render,
    )
    with context.begin_transaction():
        before = context.get_context().get_current_heads()
        context.run_migrations()
        if database.is_sqlite and context.get_context().get_current_heads() != before:
            broken = connection.exec_driver_sql("PRAGMA foreign_key_check").all()
            if broken:
                raise RuntimeError(f"rows would point to nothing, so nothing was migrated: {broken[:5]}")


# The ordinary engine begins a reading transaction on SQLite; a migration writes from its first statement.
with database.engine.execution_options(livery_writes=True).connect() as opened:
    if database.is_sqlite:
        look_after(opened)
    else:
        migrate(opened)
