"""Which files do the rows point to?

Every text column named ``key`` or ``…_key`` holds one, in every feature, so that a new table is covered from its first
day. A few more are named inside JSON; those are listed here by hand.
"""

from collections.abc import Iterator
from typing import Any

from sqlalchemy import Column, select
from sqlalchemy.orm import Session

from app.adapters.models import Adapter
from app.jobs.models import Job
from app.models import Base
from app.operations.models import OrphanFile

NO_FILES = {OrphanFile.__tablename__}
ROWS_AT_ONCE = 2000


def columns() -> list[Column[Any]]:
    """Every column that holds a storage key."""
    return [
        column
        for table in Base.metadata.sorted_tables
        if table.name not in NO_FILES
        for column in table.columns
        if column.name == "key" or column.name.endswith("_key")
    ]


def referenced(session: Session) -> Iterator[str]:
    """The keys that rows point to; some come more than once."""
    for column in columns():
        chosen = select(column).where(column != "").execution_options(yield_per=ROWS_AT_ONCE)
        yield from session.execute(chosen).scalars()
    for facts in session.scalars(select(Adapter.facts).execution_options(yield_per=ROWS_AT_ONCE)):
        yield from (sample["key"] for sample in facts.get("samples", []) if "key" in sample)


def checkpoint_folders(session: Session) -> set[str]:
    """Folders of the checkpoints that jobs have recorded, whatever became of the job."""
    found = session.scalars(select(Job.checkpoint).where(Job.checkpoint.is_not(None)))
    recorded = [one for newest in found if newest for one in (newest, newest.get("before"))]
    return {str(checkpoint["key"]) for checkpoint in recorded if checkpoint}
