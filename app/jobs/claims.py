"""Claims: a job is taken by one worker under a lease that it must prolong.

A claim raises the job's fencing token (``fence``). Every later write of that attempt names its token and is refused
with ``LeaseLost`` once another attempt has begun, so a worker that was paused for too long can change nothing any more
(Kleppmann, *How to do distributed locking*, 2016). Which job is claimed next is decided in ``jobs.scheduling``.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import CursorResult, Update, func, select, update
from sqlalchemy.orm import Session

from app.db import now
from app.jobs import scheduling
from app.jobs.models import Job, Worker

LEASE = timedelta(seconds=60)


class LeaseLost(Exception):
    """This attempt is not the current one any more: stop, and keep nothing."""


@dataclass(frozen=True)
class Claim:
    """A claimed job as plain values, to be carried across transactions."""

    job_id: str
    workspace_id: str
    kind: str
    subject_id: str
    fence: int
    attempt: int
    checkpoint: dict[str, Any] | None


def database_now(session: Session) -> datetime:
    """The clock that leases are compared by: the database's own where it is a server, so that a worker whose clock is
    wrong does no harm."""
    if session.get_bind().dialect.name == "sqlite":
        return now()
    moment: datetime = session.execute(select(func.clock_timestamp())).scalar_one()
    return moment


def claim_next(session: Session, *, queues: tuple[str, ...], owner: str) -> Claim | None:
    """Take the next job of these queues, or None. Each job is taken by one caller, however many ask at once.

    A worker that is being drained gets none. A job that somebody asked to cancel while it ran and that came back to the
    queue is taken too: its handler keeps what there is and ends it.
    """
    if session.scalar(select(Worker.draining).where(Worker.id == owner)):
        return None
    moment = database_now(session)
    job = None
    for group in scheduling.in_order(session, queues=queues, moment=moment):
        job = session.scalars(scheduling.oldest_of(group)).first()
        if job is not None:
            break  # else others have just taken all that this workspace had
    if job is None:
        return None
    job.state, job.owner, job.fence = "running", owner, job.fence + 1
    job.attempt, job.attempts_without_progress = job.attempt + 1, job.attempts_without_progress + 1
    job.lease_until, job.started_at = moment + LEASE, job.started_at or moment
    job.phase = "starting"
    job.held_back = None
    session.flush()
    return Claim(job.id, job.workspace_id, job.kind, job.subject_id, job.fence, job.attempt, job.checkpoint)


def update_claimed(session: Session, claim: Claim, statement: Update) -> None:
    """Run ``statement``, an update of ``Job``, on the claimed job. Raises ``LeaseLost``."""
    result = session.execute(
        statement.where(Job.id == claim.job_id, Job.fence == claim.fence, Job.state == "running").execution_options(
            synchronize_session=False
        )
    )
    assert isinstance(result, CursorResult)
    if result.rowcount != 1:
        raise LeaseLost(claim.job_id)


def assert_lease(session: Session, claim: Claim, *, got_further: bool = False, with_result: bool = False) -> None:
    """Make sure that this attempt is still the current one, inside a transaction that adds something.

    With ``got_further`` it counts as progress; ``with_result`` says that pages which show the job have more to show.
    Raises ``LeaseLost``.
    """
    changes: dict[str, Any] = {"fence": Job.fence}
    if got_further:
        changes["attempts_without_progress"] = 0
    if with_result:
        changes["results"] = Job.results + 1
    update_claimed(session, claim, update(Job).values(changes))


def heartbeat(session: Session, claim: Claim, *, device_seconds: float) -> bool:
    """Prolong the lease and add the device time since the last heartbeat. Says whether somebody asked to cancel.

    Raises ``LeaseLost``.
    """
    moment = database_now(session)
    values = {"lease_until": moment + LEASE, "device_seconds": Job.device_seconds + device_seconds}
    update_claimed(session, claim, update(Job).values(values))
    cancel = bool(session.scalar(select(Job.cancel_requested).where(Job.id == claim.job_id)))
    scheduling.add_seconds(session, claim.workspace_id, device_seconds, moment=moment)
    return cancel


def add_device_seconds(session: Session, claim: Claim, seconds: float) -> None:
    """Count device time of an attempt that may have ended already; does nothing once another has begun."""
    result = session.execute(
        update(Job)
        .where(Job.id == claim.job_id, Job.fence == claim.fence)
        .values(device_seconds=Job.device_seconds + seconds)
        .execution_options(synchronize_session=False)
    )
    assert isinstance(result, CursorResult)
    if result.rowcount == 1:
        scheduling.add_seconds(session, claim.workspace_id, seconds, moment=database_now(session))


def record_progress(
    session: Session, claim: Claim, *, phase: str, done: int, total: int, seconds_left: float | None
) -> bool:
    """Note how far the job is. Says whether somebody asked to cancel. Raises ``LeaseLost``."""
    values = {"phase": phase, "progress_done": done, "progress_total": total, "seconds_left": seconds_left}
    update_claimed(session, claim, update(Job).values(**values))
    return bool(session.scalar(select(Job.cancel_requested).where(Job.id == claim.job_id)))


def record_checkpoint(
    session: Session, claim: Claim, *, key: str, step: int, before: dict[str, Any] | None = None
) -> None:
    """Note a complete checkpoint and the one ``before`` it, in case this one is damaged one day; an attempt that got so
    far counts as progress. Raises ``LeaseLost``.
    """
    checkpoint = {"key": key, "step": step, "before": before}
    update_claimed(session, claim, update(Job).values(checkpoint=checkpoint, attempts_without_progress=0))


def checkpoint_of(session: Session, job_id: str) -> dict[str, Any] | None:
    """The last checkpoint that was recorded: ``key``, ``step``, and the one ``before`` it or None."""
    return session.scalar(select(Job.checkpoint).where(Job.id == job_id))


def sealed_secret(session: Session, claim: Claim) -> str | None:
    """What was given to ``enqueue``; None without it."""
    return session.scalar(select(Job.sealed_secret).where(Job.id == claim.job_id)) or None
