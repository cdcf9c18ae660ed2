"""Alembic's environment: the application's own settings and tables."""

from typing import Any, Literal

from alembic import context

from app import models
from app.db import Database, UtcDateTime
from app.settings import Settings

database: Database = context.config.attributes.get("database") or Database(Settings().effective_database_url)


def render(kind: str, item: Any, _context: Any) -> str | Literal[False]:
    """Write our datetime as plain SQL, so that a migration does not depend on today's classes."""
    return "sa.DateTime(timezone=True)" if kind == "type" and isinstance(item, UtcDateTime) else False


# The ordinary engine begins a reading transaction on SQLite; a migration writes from its first statement.
with database.engine.execution_options(livery_writes=True).connect() as connection:
    context.configure(
        connection=connection,
        target_metadata=models.Base.metadata,
        render_as_batch=True,
        compare_type=True,
        render_item=render,
    )
    with context.begin_transaction():
        context.run_migrations()
