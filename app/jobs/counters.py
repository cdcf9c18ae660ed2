"""Counters of what has happened, kept in the database so that they are true over every process and across restarts.

A counter is raised in the transaction that it is about, as its last statement: it is rolled back with it, and the row
is locked only until the commit that follows.
"""

from sqlalchemy import select
from sqlalchemy.dialects.postgresql import insert as postgresql_insert
from sqlalchemy.dialects.sqlite import insert as sqlite_insert
from sqlalchemy.orm import Session

from app.jobs.models import Counter

ENDED = "jobs_ended"
LEASE_EXPIRED = "lease_expired"
PICTURES = "pictures"


def count(session: Session, name: str, *, kind: str = "", state: str = "", by: float = 1.0) -> None:
    """Raise one counter. Several in one transaction go in the order of their names, so that no two transactions
    deadlock."""
    insert = sqlite_insert if session.get_bind().dialect.name == "sqlite" else postgresql_insert
    new = insert(Counter).values(name=name, kind=kind, state=state, value=by)
    session.execute(
        new.on_conflict_do_update(
            index_elements=[Counter.name, Counter.kind, Counter.state],
            set_={"value": Counter.value + new.excluded.value},
        ),
        execution_options={"synchronize_session": False},
    )


def all_of(session: Session) -> list[Counter]:
    return list(session.scalars(select(Counter).order_by(Counter.name, Counter.kind, Counter.state)))
