"""What may be seen of jobs."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import NamedTuple

from sqlalchemy import and_, exists, false, func, or_, select, tuple_
from sqlalchemy.orm import Session

from app.db import now, own
from app.errors import NotFound
from app.jobs.kinds import QUEUES
from app.jobs.models import ACTIVE_STATES, Job, Worker, version_of

PAGE = 30
ALIVE_FOR = timedelta(seconds=60)


def job(session: Session, *, workspace_id: str, job_id: str) -> Job:
    """Raises ``NotFound`` for another workspace's job too."""
    return own(session, Job, job_id, workspace_id)


def job_of(session: Session, subject_id: str) -> Job:
    """The job of a training or generation. Raises ``NotFound``."""
    found = session.scalar(select(Job).where(Job.subject_id == subject_id))
    if found is None:
        raise NotFound()
    return found


def jobs_of(session: Session, subject_ids: list[str]) -> dict[str, Job]:
    """Jobs by the id of their training or generation."""
    if not subject_ids:
        return {}
    return {row.subject_id: row for row in session.scalars(select(Job).where(Job.subject_id.in_(subject_ids)))}


def active(session: Session, *, workspace_id: str) -> list[Job]:
    """Running jobs, then queued ones in the order of age."""
    return list(
        session.scalars(
            select(Job)
            .where(Job.workspace_id == workspace_id, Job.is_active)
            .order_by(Job.state.desc(), Job.created_at, Job.id)
        )
    )


def is_busy(session: Session, *, workspace_id: str) -> bool:
    """Whether anything waits or runs in this workspace."""
    # The queues are named so that the claim's index is walked.
    waiting = exists().where(Job.is_active, Job.queue.in_(QUEUES), Job.workspace_id == workspace_id)
    return bool(session.scalar(select(waiting)))


def ended(
    session: Session, *, workspace_id: str, before: tuple[datetime, str] | None = None, limit: int = PAGE
) -> list[Job]:
    """Ended jobs, the newest first, at most ``limit`` + 1 (the last one says that there are more)."""
    wanted = select(Job).where(Job.workspace_id == workspace_id, Job.state.in_(("done", "failed", "cancelled")))
    if before is not None:
        wanted = wanted.where(tuple_(Job.created_at, Job.id) < tuple_(*before))
    return list(session.scalars(wanted.order_by(Job.created_at.desc(), Job.id.desc()).limit(limit + 1)))


def ahead_of(session: Session, waiting: list[Job]) -> dict[str, int]:
    """How many jobs of the same queue were queued earlier or run now, of all workspaces; by the id of each job that
    waits, with one question however many they are."""
    ids = [job.id for job in waiting if job.state == "queued"]
    if not ids:
        return {}
    name = Job.queue.label("queue")
    place = func.rank().over(partition_by=Job.queue, order_by=Job.created_at)
    queued = select(Job.id, name, place.label("place")).where(Job.state == "queued").subquery()
    running = select(name, func.count().label("count")).where(Job.state == "running").group_by(Job.queue).subquery()
    wanted = (
        select(queued.c.id, (queued.c.place - 1 + func.coalesce(running.c.count, 0)).label("ahead"))
        .outerjoin(running, running.c.queue == queued.c.queue)
        .where(queued.c.id.in_(ids))
    )
    return {row.id: row.ahead for row in session.execute(wanted)}


class Pulse(NamedTuple):
    """A job as live pages follow it."""

    subject_id: str
    workspace_id: str
    version: str
    numbers: tuple[int, int, float | None]
    """Done, in all, and seconds left."""
    is_active: bool


def pulses(session: Session, *, subject_ids: set[str], workspace_ids: set[str]) -> list[Pulse]:
    """The jobs of these trainings and generations, and all that wait or run in these workspaces: one question."""
    rows = session.execute(
        select(
            Job.subject_id,
            Job.workspace_id,
            Job.state,
            Job.phase,
            Job.attempt,
            Job.results,
            Job.cancel_requested,
            Job.held_back,
            Job.error_code,
            Job.progress_done,
            Job.progress_total,
            Job.seconds_left,
        ).where(
            or_(
                Job.subject_id.in_(subject_ids) if subject_ids else false(),
                # The queues are named so that the claim's index is walked.
                and_(Job.is_active, Job.queue.in_(QUEUES), Job.workspace_id.in_(workspace_ids))
                if workspace_ids
                else false(),
            )
        )
    )
    return [
        Pulse(
            row.subject_id,
            row.workspace_id,
            version_of(row),
            (row.progress_done, row.progress_total, row.seconds_left),
            row.state in ACTIVE_STATES,
        )
        for row in rows
    ]


def are_here(session: Session, *, workspace_id: str, subject_ids: frozenset[str]) -> bool:
    """Whether all of these trainings and generations are this workspace's."""
    wanted = select(func.count()).where(Job.workspace_id == workspace_id, Job.subject_id.in_(subject_ids))
    return session.scalar(wanted) == len(subject_ids)


def seconds_until_free(session: Session, queue: str) -> float | None:
    """Measured time left of the job of ``queue`` that runs now; None when none runs or it has no pace yet."""
    return session.scalar(select(func.min(Job.seconds_left)).where(Job.queue == queue, Job.state == "running"))


def workers(session: Session) -> list[Worker]:
    """Workers that reported within the last minute."""
    return list(session.scalars(select(Worker).where(Worker.last_seen_at > now() - ALIVE_FOR).order_by(Worker.id)))


def workers_serving(session: Session, queue: str) -> list[Worker]:
    """Workers that reported within the last minute and take jobs of ``queue``."""
    return [worker for worker in workers(session) if queue in worker.queues]


def queues_without_worker(session: Session) -> set[str]:
    """Queues that no worker serves at present: what waits there waits until one starts."""
    return set(QUEUES) - {queue for worker in workers(session) for queue in worker.queues}


@dataclass(frozen=True)
class QueuePosition:
    """Why a job does not run yet."""

    ahead: int
    seconds: float | None
    """Until its queue may be free; None where nobody can know, and for the job that comes next."""
    nobody_serves: bool


def queue_positions(session: Session, known: list[Job]) -> dict[str, QueuePosition]:
    """By the id of those of the jobs that are queued."""
    queued = [job for job in known if job.state == "queued"]
    if not queued:
        return {}
    unserved = queues_without_worker(session)
    ahead = ahead_of(session, queued)
    until_free = {queue: seconds_until_free(session, queue) for queue in {job.queue for job in queued}}
    return {
        job.id: QueuePosition(before, until_free[job.queue] if before else None, job.queue in unserved)
        for job in queued
        for before in [ahead.get(job.id, 0)]  # a worker may have taken it since it was read
    }


def queues_waiting(session: Session, *, older_than: timedelta) -> set[str]:
    """Queues with a job that has been queued for a while: the wake-up for it may have been lost."""
    is_old = (Job.state == "queued", Job.created_at < now() - older_than)
    return {queue for queue in QUEUES if session.scalar(select(Job.id).where(Job.queue == queue, *is_old).limit(1))}
