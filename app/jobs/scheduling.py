"""Fair scheduling: which job is claimed next. Priority counts first, then the workspace that has had least time on the
devices in the last day, then age.

What is read for that does not grow with the queue: one index entry for each workspace that waits, found by jumping from
one to the next (a loose index scan), and the hours of the last day in which those workspaces had a device.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cache

from sqlalchemy import ScalarSelect, Select, bindparam, func, select
from sqlalchemy.dialects.postgresql import insert as postgresql_insert
from sqlalchemy.dialects.sqlite import insert as sqlite_insert
from sqlalchemy.orm import Session, aliased

from app.jobs.models import DeviceHour, Job

FAIR_OVER = timedelta(days=1)


@dataclass(frozen=True)
class QueuedGroup:
    """Queued jobs of one workspace in one queue with one priority."""

    queue: str
    workspace_id: str
    priority: int
    oldest: datetime


def in_order(session: Session, *, queues: tuple[str, ...], moment: datetime) -> list[QueuedGroup]:
    """All that waits in these queues, the group to claim from next first."""
    heads = [job_id for queue in queues for job_id in session.scalars(_heads(), {"queue": queue}) if job_id is not None]
    # Not joined to the statement above: PostgreSQL cannot know how few they are, and would read the whole table.
    found = select(Job.queue, Job.workspace_id, Job.priority, Job.created_at).where(Job.id.in_(heads))
    groups = [QueuedGroup(*row) for row in session.execute(found)] if heads else []
    used = _seconds_used(session, {group.workspace_id for group in groups}, since=moment - FAIR_OVER)
    return sorted(groups, key=lambda group: (-group.priority, used.get(group.workspace_id, 0.0), group.oldest))


def oldest_of(group: QueuedGroup) -> Select[Job]:
    """Its first job that nobody else is just taking."""
    return (
        select(Job)
        .where(
            Job.state == "queued",
            Job.queue == group.queue,
            Job.workspace_id == group.workspace_id,
            Job.priority == group.priority,
        )
        .order_by(Job.created_at, Job.id)
        .limit(1)
        .with_for_update(skip_locked=True, of=Job)
    )


def add_seconds(session: Session, workspace_id: str, seconds: float, *, moment: datetime) -> None:
    """Count device time of a workspace. The transaction's last statement, so that its row is locked only briefly."""
    insert = sqlite_insert if session.get_bind().dialect.name == "sqlite" else postgresql_insert
    new = insert(DeviceHour).values(workspace_id=workspace_id, hour=_hour(moment), seconds=seconds)
    session.execute(
        new.on_conflict_do_update(
            index_elements=[DeviceHour.workspace_id, DeviceHour.hour],
            set_={"seconds": DeviceHour.seconds + new.excluded.seconds},
        ),
        execution_options={"synchronize_session": False},
    )


@cache  # put together once: that costs more than to ask the database
def _heads() -> Select[str | None]:
    """Ids of the oldest queued job of every workspace and priority in a queue, each found by one step through the
    index, and None after the last one."""

    def first_after(job: type[Job], *conditions: object) -> ScalarSelect[str]:
        return (
            select(job.id)
            .where(job.state == "queued", job.queue == bindparam("queue"), *conditions)  # type: ignore[arg-type]
            .order_by(job.workspace_id, job.priority, job.created_at, job.id)
            .limit(1)
            .scalar_subquery()
        )

    higher, other, last = aliased(Job), aliased(Job), aliased(Job)
    heads = select(first_after(Job).label("id")).cte("heads", recursive=True)
    # In two steps, because SQLite does not jump on a comparison of pairs: it would walk through one workspace's jobs.
    same_workspace = (higher.workspace_id == last.workspace_id, higher.priority > last.priority)
    following = func.coalesce(
        first_after(higher, *same_workspace).correlate(last),
        first_after(other, other.workspace_id > last.workspace_id).correlate(last),
    )
    heads = heads.union_all(select(following).select_from(heads.join(last, last.id == heads.c.id)))
    return select(heads.c.id)


def _seconds_used(session: Session, workspace_ids: set[str], *, since: datetime) -> dict[str, float]:
    """Device time of each workspace, by whole hours; nothing is read where there is no choice."""
    if len(workspace_ids) < 2:
        return {}
    rows = session.execute(
        select(DeviceHour.workspace_id, func.sum(DeviceHour.seconds))
        .where(DeviceHour.workspace_id.in_(workspace_ids), DeviceHour.hour >= _hour(since))
        .group_by(DeviceHour.workspace_id)
    )
    return {row[0]: row[1] for row in rows}


def _hour(moment: datetime) -> datetime:
    return moment.replace(minute=0, second=0, microsecond=0)
