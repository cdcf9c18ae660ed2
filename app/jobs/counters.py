"""Counts of what has happened, kept in the database so that they are true over every process and across restarts.

A count is raised in the transaction that it is about, as its last statement: it is rolled back with it, and the row is
locked only until the commit that follows.
"""

from sqlalchemy import select
from sqlalchemy.dialects.postgresql import insert as postgresql_insert
from sqlalchemy.dialects.sqlite import insert as sqlite_insert
from sqlalchemy.orm import Session

from app.jobs.models import Tally

ENDED = "jobs_ended"
LEASE_EXPIRED = "lease_expired"
PICTURES = "pictures"


def count(session: Session, name: str, *, kind: str = "", state: str = "", by: float = 1.0) -> None:
    """Raise one count. Several in one transaction go in the order of their names, so that no two wait in a ring."""
    insert = sqlite_insert if session.get_bind().dialect.name == "sqlite" else postgresql_insert
    new = insert(Tally).values(name=name, kind=kind, state=state, value=by)
    session.execute(
        new.on_conflict_do_update(
            index_elements=[Tally.name, Tally.kind, Tally.state], set_={"value": Tally.value + new.excluded.value}
        ),
        execution_options={"synchronize_session": False},
    )


def all_of(session: Session) -> list[Tally]:
    return list(session.scalars(select(Tally).order_by(Tally.name, Tally.kind, Tally.state)))
