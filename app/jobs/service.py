"""Jobs: queued, claimed by one worker under a lease, ended once.

The row is the truth. A claim raises ``fence``; every later write of that attempt names its fence and is refused with
``LeaseLost`` once another attempt has begun, so a worker that was paused for too long can change nothing any more.
What is claimed is decided at the claim (``jobs.turns``).
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import CursorResult, Update, case, delete, func, or_, select, update
from sqlalchemy.orm import Session

from app.db import now
from app.errors import N_, AppError, Conflict, NotFound
from app.jobs import counters, scheduling
from app.jobs.models import DeviceHour, Job, LeaseExpiry, Worker

LEASE = timedelta(seconds=60)
ATTEMPTS_WITHOUT_PROGRESS = 3
MOST_AT_ONCE = 200
"""Queued and running jobs of one workspace in one lane, unless the session says otherwise (``limit_orders``)."""
WORKERS_KEPT = timedelta(days=1)
EXPIRIES_KEPT = timedelta(days=30)


@dataclass(frozen=True)
class Mishap:
    """Why an attempt came to nothing; the job is tried again (``meanwhile``) or set aside (``in_the_end``)."""

    code: str
    in_the_end: str
    meanwhile: str | None = None


WORKER_LOST = N_(
    "The worker ended three times in a row while working on this, without getting further. The machine may lack "
    "memory. Try again with a smaller order, or ask the person who runs this Livery to look at the log."
)
MISHAPS = {
    "silent": Mishap("worker_lost", WORKER_LOST),
    "ended": Mishap(
        "worker_lost",
        WORKER_LOST,
        N_("Its worker ended unexpectedly. It is tried again from what was kept."),
    ),
    "killed": Mishap(
        "worker_killed",
        N_(
            "The system ended the worker three times in a row while working on this, most likely for want of memory. "
            "Try again with a smaller order, or ask the person who runs this Livery to look at the log."
        ),
        N_(
            "The system ended its worker, most likely for want of memory. It is tried again from what was kept, and "
            "set aside when it gets no further three times in a row."
        ),
    ),
    "hung": Mishap(
        "worker_hung",
        N_(
            "The worker got stuck three times in a row while working on this and had to be started anew. Try again "
            "with a smaller order, or ask the person who runs this Livery to look at the log."
        ),
        N_("Its worker got stuck and was started anew. It is tried again from what was kept."),
    ),
}

CANCELLED = N_("Cancelled. It had not started yet.")
WILL_STOP = N_("It will stop at its next step. What it has made so far is kept.")


class LeaseLost(Exception):
    """This attempt is not the current one any more: stop, and keep nothing."""


class NotFailed(Conflict):
    sentence = N_("Only a job that was stopped by an error can be put back into the queue.")


class NeedsItsToken(Conflict):
    sentence = N_(
        "Its token was removed when it ended, so it cannot run again as it was. Give the order anew, with the token."
    )


class QueueFull(AppError):
    status = 429
    sentence = N_(
        "%(count)s orders of this kind are waiting or running already, and more are not taken at once. Wait until some "
        "are done, or cancel some on the jobs page."
    )


class AlreadyEnded(Conflict):
    sentence = N_("This has ended already; there is nothing left to cancel.")


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


def limit_orders(session: Session, most: int) -> None:
    """From now on ``enqueue`` takes at most so many queued and running jobs of a workspace in each lane."""
    session.info["most_jobs_at_once"] = most


def enqueue(
    session: Session,
    *,
    workspace_id: str,
    project_id: str | None,
    lane: str,
    kind: str | None = None,
    subject_id: str,
    title: str,
    created_by: str | None,
    priority: int = 0,
    sealed_secret: str | None = None,
) -> Job:
    """Add a job in the caller's transaction; its lane's bell is rung after the commit (``jobs.announce``).

    ``kind`` names the handler; without it that of the lane's own name. ``sealed_secret`` is for the worker alone and
    goes when the job ends. Raises ``QueueFull``.
    """
    there = session.scalar(
        select(func.count()).select_from(Job).where(Job.workspace_id == workspace_id, Job.lane == lane, Job.is_active)
    )
    if (there or 0) >= session.info.get("most_jobs_at_once", MOST_AT_ONCE):
        raise QueueFull(count=there)
    job = Job(
        workspace_id=workspace_id,
        project_id=project_id,
        lane=lane,
        kind=kind or lane,
        subject_id=subject_id,
        title=title[:200],
        created_by=created_by,
        priority=priority,
        sealed_secret=sealed_secret or None,
    )
    session.add(job)
    session.flush()
    session.info.setdefault("lanes_to_announce", set()).add(lane)
    return job


def claim(session: Session, *, lanes: tuple[str, ...], owner: str) -> Claim | None:
    """Take the next job of these lanes, or None. Each job is taken by one caller, however many ask at once.

    A worker that is being drained gets none. A job that somebody asked to cancel while it ran and that came back to the
    queue is taken too: its handler keeps what there is and ends it.
    """
    if session.scalar(select(Worker.draining).where(Worker.id == owner)):
        return None
    moment = database_now(session)
    job = None
    for turn in scheduling.in_order(session, lanes=lanes, moment=moment):
        job = session.scalars(scheduling.oldest_of(turn)).first()
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


def sealed_secret(session: Session, held: Claim) -> str | None:
    """What was given to ``enqueue``; None without it."""
    return session.scalar(select(Job.sealed_secret).where(Job.id == held.job_id)) or None


def _forget_secret(job: Job) -> None:
    job.sealed_secret = None if job.sealed_secret is None else ""


def _guarded(session: Session, statement: Update, held: Claim) -> None:
    result = session.execute(
        statement.where(Job.id == held.job_id, Job.fence == held.fence, Job.state == "running").execution_options(
            synchronize_session=False
        )
    )
    assert isinstance(result, CursorResult)
    if result.rowcount != 1:
        raise LeaseLost(held.job_id)


def heartbeat(session: Session, held: Claim, *, device_seconds: float) -> bool:
    """Prolong the lease and add the device time since the last one. Says whether somebody asked to cancel.

    Raises ``LeaseLost``.
    """
    moment = database_now(session)
    values = {"lease_until": moment + LEASE, "device_seconds": Job.device_seconds + device_seconds}
    _guarded(session, update(Job).values(values), held)
    cancel = bool(session.scalar(select(Job.cancel_requested).where(Job.id == held.job_id)))
    scheduling.add_seconds(session, held.workspace_id, device_seconds, moment=moment)
    return cancel


def record_progress(
    session: Session, held: Claim, *, phase: str, done: int, total: int, seconds_left: float | None
) -> bool:
    """Note how far the job is. Says whether somebody asked to cancel. Raises ``LeaseLost``."""
    values = {"phase": phase, "progress_done": done, "progress_total": total, "seconds_left": seconds_left}
    _guarded(session, update(Job).values(**values), held)
    return bool(session.scalar(select(Job.cancel_requested).where(Job.id == held.job_id)))


def record_checkpoint(
    session: Session, held: Claim, *, key: str, step: int, before: dict[str, Any] | None = None
) -> None:
    """Note a complete checkpoint and the one ``before`` it, in case this one is damaged one day; an attempt that got so
    far counts as progress. Raises ``LeaseLost``.
    """
    checkpoint = {"key": key, "step": step, "before": before}
    _guarded(session, update(Job).values(checkpoint=checkpoint, attempts_without_progress=0), held)


def checkpoint_of(session: Session, job_id: str) -> dict[str, Any] | None:
    """The last checkpoint that was recorded: ``key``, ``step``, and the one ``before`` it or None."""
    return session.scalar(select(Job.checkpoint).where(Job.id == job_id))


def keep_holding(session: Session, held: Claim, *, got_further: bool = False, with_result: bool = False) -> None:
    """Make sure that this attempt is still the current one, inside a transaction that adds something.

    With ``got_further`` it counts as progress; ``with_result`` says that pages which show the job have more to show.
    Raises ``LeaseLost``.
    """
    changes: dict[str, Any] = {"fence": Job.fence}
    if got_further:
        changes["attempts_without_progress"] = 0
    if with_result:
        changes["results"] = Job.results + 1
    _guarded(session, update(Job).values(changes), held)


def _end(session: Session, held: Claim, state: str, code: str | None = None, sentence: str | None = None) -> None:
    values = {
        "state": state,
        "finished_at": database_now(session),
        "lease_until": None,
        "owner": None,
        "phase": "",
        "seconds_left": None,
        "error_code": code,
        "error_sentence": sentence,
        "sealed_secret": case((Job.sealed_secret.is_not(None), "")),
    }
    _guarded(session, update(Job).values(**values), held)
    counters.count(session, counters.ENDED, kind=held.kind, state=state)


def finish(session: Session, held: Claim) -> None:
    """The job is done. Raises ``LeaseLost``."""
    _end(session, held, "done")


def end_cancelled(session: Session, held: Claim) -> None:
    """The job has stopped because somebody asked. Raises ``LeaseLost``."""
    _end(session, held, "cancelled")


def fail(session: Session, held: Claim, *, code: str, sentence: str) -> None:
    """The job cannot be done; ``sentence`` says why and what to do. Raises ``LeaseLost``."""
    _end(session, held, "failed", code, sentence)


def give_back(session: Session, held: Claim, *, reason: str | None = None) -> None:
    """Put the job back, because this worker stops or, with a sentence as ``reason``, cannot go on just now; the attempt
    is not charged. Raises ``LeaseLost``.
    """
    values = {
        "state": "queued",
        "owner": None,
        "lease_until": None,
        "phase": "",
        "held_back": reason,
        "attempts_without_progress": func.max(Job.attempts_without_progress - 1, 0)
        if session.get_bind().dialect.name == "sqlite"
        else func.greatest(Job.attempts_without_progress - 1, 0),
    }
    _guarded(session, update(Job).values(**values), held)
    lane = session.scalar(select(Job.lane).where(Job.id == held.job_id)) or held.kind
    session.info.setdefault("lanes_to_announce", set()).add(lane)


def request_cancel(session: Session, *, workspace_id: str, job_id: str) -> Job:
    """Ask for an end. A queued job ends at once, a running one at its next step.

    Raises ``NotFound`` for another workspace's job, ``AlreadyEnded`` for one that has ended.
    """
    job = session.scalar(select(Job).where(Job.id == job_id, Job.workspace_id == workspace_id).with_for_update())
    if job is None:
        raise NotFound()
    if not job.is_active:
        raise AlreadyEnded()
    job.cancel_requested = True
    if job.state == "queued":
        job.state, job.finished_at = "cancelled", database_now(session)
        _forget_secret(job)
        session.flush()
        counters.count(session, counters.ENDED, kind=job.kind, state=job.state)
    session.flush()
    return job


def requeue(session: Session, *, workspace_id: str, job_id: str) -> Job:
    """Let a job that failed try again, from its last checkpoint if that is still there.

    Raises ``NotFound`` for another workspace's job, ``NotFailed`` for one that has not failed, ``NeedsItsToken``.
    """
    job = session.scalar(select(Job).where(Job.id == job_id, Job.workspace_id == workspace_id).with_for_update())
    if job is None:
        raise NotFound()
    if job.state != "failed":
        raise NotFailed()
    if job.lost_its_secret:
        raise NeedsItsToken()
    job.state, job.finished_at, job.attempts_without_progress = "queued", None, 0
    job.error_code, job.error_sentence, job.cancel_requested = None, None, False
    session.flush()
    session.info.setdefault("lanes_to_announce", set()).add(job.lane)
    return job


def drain(session: Session, worker_id: str, *, draining: bool) -> None:
    """Let a worker finish its job and take no more, or take jobs again. Raises ``NotFound``."""
    worker = session.get(Worker, worker_id)
    if worker is None:
        raise NotFound()
    worker.draining = draining
    session.flush()


def reap(session: Session) -> int:
    """Return jobs whose lease has run out to the queue; set those aside that three attempts in a row got nowhere with.

    Safe to run from several processes at once. Returns how many were touched.
    """
    moment = database_now(session)
    # A lease that ends later than any can was given before the clock was put back.
    is_over = or_(Job.lease_until < moment, Job.lease_until > moment + 2 * LEASE)
    expired = session.scalars(
        select(Job).where(Job.state == "running", is_over).with_for_update(skip_locked=True).limit(100)
    ).all()
    for job in expired:
        _take_from_its_worker(session, job, MISHAPS["silent"], moment)
    session.flush()
    for kind, state in sorted((job.kind, job.state) for job in expired if job.state != "queued"):
        counters.count(session, counters.ENDED, kind=kind, state=state)
    for kind in sorted(job.kind for job in expired):
        counters.count(session, counters.LEASE_EXPIRED, kind=kind)
    return len(expired)


def lose(session: Session, *, job_id: str, fence: int, mishap: Mishap) -> None:
    """An attempt came to nothing, and why is known: return its job at once, or set it aside. Raises ``LeaseLost``."""
    job = session.scalar(
        select(Job).where(Job.id == job_id, Job.fence == fence, Job.state == "running").with_for_update()
    )
    if job is None:
        raise LeaseLost(job_id)
    _take_from_its_worker(session, job, mishap, database_now(session))
    session.flush()
    if job.state != "queued":
        counters.count(session, counters.ENDED, kind=job.kind, state=job.state)


def _take_from_its_worker(session: Session, job: Job, mishap: Mishap, moment: datetime) -> None:
    lost = LeaseExpiry(
        workspace_id=job.workspace_id, job_id=job.id, worker_id=job.owner or "", attempt=job.attempt, at=moment
    )
    job.owner, job.lease_until, job.phase, job.seconds_left = None, None, "", None
    if job.cancel_requested and job.checkpoint is None:
        job.state, job.finished_at = "cancelled", moment
    elif job.attempts_without_progress >= ATTEMPTS_WITHOUT_PROGRESS:
        job.state, job.finished_at = "failed", moment
        job.error_code, job.error_sentence = mishap.code, mishap.in_the_end
    else:
        job.state, job.held_back = "queued", mishap.meanwhile
        session.info.setdefault("lanes_to_announce", set()).add(job.lane)
    if job.state != "queued":
        _forget_secret(job)
    lost.outcome = job.state
    session.add(lost)


def report_worker(
    session: Session,
    worker_id: str,
    *,
    lanes: tuple[str, ...],
    device: str,
    job_id: str | None,
    memory_bytes: int | None = None,
    free_bytes: int | None = None,
    short_of_disk: bool = False,
    device_kind: str = "cpu",
    device_memory_bytes: int | None = None,
    device_tera_operations: float | None = None,
    device_computes_in: str | None = None,
) -> None:
    """Note that a worker is alive and what it does."""
    worker = session.get(Worker, worker_id)
    if worker is None:
        worker = Worker(id=worker_id, started_at=now())
        session.add(worker)
    worker.lanes, worker.device, worker.last_seen_at, worker.job_id = "+".join(lanes), device, now(), job_id
    worker.memory_bytes, worker.free_bytes, worker.short_of_disk = memory_bytes, free_bytes, short_of_disk
    worker.device_kind, worker.device_memory_bytes = device_kind, device_memory_bytes
    worker.device_tera_operations, worker.device_computes_in = device_tera_operations, device_computes_in
    session.flush()


def forget_worker(session: Session, worker_id: str) -> None:
    session.execute(delete(Worker).where(Worker.id == worker_id))


def forget_the_past(session: Session) -> None:
    """Drop workers that have not been heard of for a day, hours that no turn depends on, and lease expiries that are a
    month old."""
    session.execute(delete(Worker).where(Worker.last_seen_at < now() - WORKERS_KEPT))
    session.execute(delete(DeviceHour).where(DeviceHour.hour < now() - 2 * scheduling.FAIR_OVER))
    session.execute(delete(LeaseExpiry).where(LeaseExpiry.at < now() - EXPIRIES_KEPT))


def add_device_seconds(session: Session, held: Claim, seconds: float) -> None:
    """Count device time of an attempt that may have ended already; does nothing once another has begun."""
    result = session.execute(
        update(Job)
        .where(Job.id == held.job_id, Job.fence == held.fence)
        .values(device_seconds=Job.device_seconds + seconds)
        .execution_options(synchronize_session=False)
    )
    assert isinstance(result, CursorResult)
    if result.rowcount == 1:
        scheduling.add_seconds(session, held.workspace_id, seconds, moment=database_now(session))
