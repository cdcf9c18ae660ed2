"""Many processes claim many jobs: each job is taken by one of them, and a long queue costs no more than a short one."""

import json
from collections.abc import Callable
from typing import Any

import pytest
from sqlalchemy import event, func, select, text, update
from sqlalchemy.orm import Session

from app.db import Database, now
from app.jobs import claims, scheduling
from app.jobs.models import Job
from tests.jobs_to_claim import claim_all, queue

pytestmark = pytest.mark.dialect


@pytest.mark.slow
def test_no_job_is_claimed_twice(database: Database, database_url: str) -> None:
    queue(database, 1000)
    outcome = claim_all(database_url, 8)
    assert (outcome.claimed, outcome.doubles) == (1000, 0)
    with database.read() as session:
        assert session.scalar(select(func.count()).where(Job.state == "running", Job.fence == 1)) == 1000


def claim_one(session: Session) -> None:
    assert claims.claim_next(session, queues=("training", "generation"), owner="w1")


def work_done_by(database: Database, action: Callable[[Session], None]) -> int:
    """What the database did for an action, as it counts that itself: steps of SQLite's machine, or rows that
    PostgreSQL read."""
    if database.is_sqlite:
        steps = 0

        def one_more() -> None:
            nonlocal steps
            steps += 1

        with database.write() as session:
            connection = session.connection().connection.driver_connection
            assert connection is not None
            connection.set_progress_handler(one_more, 1)
            action(session)
            connection.set_progress_handler(None, 1)
        return steps
    statements: list[tuple[str, Any]] = []

    def note(_connection: object, _cursor: object, statement: str, parameters: Any, *_: object) -> None:
        if "jobs" in statement and not statement.startswith("UPDATE"):
            statements.append((statement, parameters))

    event.listen(database.engine, "before_cursor_execute", note)
    with database.write() as session:
        action(session)
        session.rollback()
    event.remove(database.engine, "before_cursor_execute", note)
    with database.engine.connect() as connection:
        plans = [
            connection.exec_driver_sql(f"EXPLAIN (ANALYZE, FORMAT JSON) {statement}", parameters).scalar_one()
            for statement, parameters in statements
        ]
    return sum(rows_read(plan[0]["Plan"]) for plan in (json.loads(p) if isinstance(p, str) else p for p in plans))


def rows_read(plan: dict[str, Any]) -> int:
    here = plan["Actual Rows"] + plan.get("Rows Removed by Filter", 0) if "Scan" in plan["Node Type"] else 0
    return int(here * plan["Actual Loops"]) + sum(rows_read(below) for below in plan.get("Plans", []))


@pytest.mark.slow
def test_a_claim_costs_the_same_however_long_the_queue(database: Database) -> None:
    queue(database, 30)
    work_done_by(database, claim_one)
    short = work_done_by(database, claim_one)
    # What ran today counts for fairness, and must not be read job by job either.
    queue(database, 6000, into_existing=True)
    with database.write() as session:
        ended = select(Job.id).where(Job.state == "queued").limit(3000)
        done = {"state": "done", "started_at": now(), "finished_at": now(), "device_seconds": 1.0}
        session.execute(update(Job).where(Job.id.in_(ended)).values(done))
    with database.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.execute(text("ANALYZE"))  # as both databases do by themselves after a while
    work_done_by(database, claim_one)  # the first one of a connection also reads the tables' definitions
    long = work_done_by(database, claim_one)
    assert long < 1.3 * short


def test_turns_are_read_by_jumping_through_the_index(database: Database) -> None:
    queue(database, 300, workspaces=5)
    with database.read() as session:
        found = scheduling.in_order(session, queues=("training", "generation"), moment=now())
    assert len({turn.workspace_id for turn in found}) == len(found) == 5
    assert found == sorted(found, key=lambda turn: turn.oldest)
