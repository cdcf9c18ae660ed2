"""How an attempt ends: done, cancelled, failed, given back to the queue, or lost with its worker. A job ends once."""

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import case, func, or_, select, update
from sqlalchemy.orm import Session

from app.errors import N_
from app.jobs import claims, counters
from app.jobs.claims import Claim, LeaseLost, database_now
from app.jobs.models import Job, LeaseExpiry
from app.jobs.notifier import notify_later

ATTEMPTS_WITHOUT_PROGRESS = 3


@dataclass(frozen=True)
class FailureKind:
    """Why an attempt was lost with its worker: what people read while the job is tried again (``meanwhile``), and when
    it is set aside (``in_the_end``)."""

    code: str
    in_the_end: str
    meanwhile: str | None = None


WORKER_LOST = N_(
    "The worker ended three times in a row during this job, without making progress. The machine may lack "
    "memory. Try again with a smaller request, or ask the person who runs this Livery to check the log."
)
FAILURES = {
    "silent": FailureKind("worker_lost", WORKER_LOST),
    "ended": FailureKind(
        "worker_lost",
        WORKER_LOST,
        N_("The worker ended unexpectedly. The job will be retried from what was saved."),
    ),
    "killed": FailureKind(
        "worker_killed",
        N_(
            "The system ended the worker three times in a row during this job, most likely because memory ran "
            "out. Try again with a smaller request, or ask the person who runs this Livery to check the log."
        ),
        N_(
            "The system ended the worker, most likely because memory ran out. The job will be retried from "
            "what was saved, and set aside after three attempts in a row without progress."
        ),
    ),
    "hung": FailureKind(
        "worker_hung",
        N_(
            "The worker got stuck three times in a row during this job and had to be restarted. Try again with "
            "a smaller request, or ask the person who runs this Livery to check the log."
        ),
        N_("The worker got stuck and was restarted. The job will be retried from what was saved."),
    ),
}


def finish(session: Session, claim: Claim) -> None:
    """The job is done. Raises ``LeaseLost``."""
    _end(session, claim, "done")


def end_cancelled(session: Session, claim: Claim) -> None:
    """The job has stopped because somebody asked. Raises ``LeaseLost``."""
    _end(session, claim, "cancelled")


def fail(session: Session, claim: Claim, *, code: str, sentence: str) -> None:
    """The job cannot be done; ``sentence`` says why and what to do. Raises ``LeaseLost``."""
    _end(session, claim, "failed", code, sentence)


def _end(session: Session, claim: Claim, state: str, code: str | None = None, sentence: str | None = None) -> None:
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
    claims.update_claimed(session, claim, update(Job).values(**values))
    counters.count(session, counters.ENDED, kind=claim.kind, state=state)


def give_back(session: Session, claim: Claim, *, reason: str | None = None) -> None:
    """Requeue the job, because this worker stops or, with a sentence as ``reason``, cannot go on just now; the attempt
    is not counted. Raises ``LeaseLost``.
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
    claims.update_claimed(session, claim, update(Job).values(**values))
    notify_later(session, session.scalars(select(Job.queue).where(Job.id == claim.job_id)).one())


def mark_lost(session: Session, *, job_id: str, fence: int, failure: FailureKind) -> None:
    """An attempt was lost, and why is known: requeue its job at once, or set it aside. Raises ``LeaseLost``."""
    job = session.scalar(
        select(Job).where(Job.id == job_id, Job.fence == fence, Job.state == "running").with_for_update()
    )
    if job is None:
        raise LeaseLost(job_id)
    _take_from_its_worker(session, job, failure, database_now(session))
    session.flush()
    if job.state != "queued":
        counters.count(session, counters.ENDED, kind=job.kind, state=job.state)


def reap(session: Session) -> int:
    """Requeue jobs whose lease has run out; set those aside that three attempts in a row got nowhere with.

    Safe to run from several processes at once. Returns how many were touched.
    """
    moment = database_now(session)
    # A lease that ends later than any can was given before the clock was put back.
    is_over = or_(Job.lease_until < moment, Job.lease_until > moment + 2 * claims.LEASE)
    expired = session.scalars(
        select(Job).where(Job.state == "running", is_over).with_for_update(skip_locked=True).limit(100)
    ).all()
    for job in expired:
        _take_from_its_worker(session, job, FAILURES["silent"], moment)
    session.flush()
    for kind, state in sorted((job.kind, job.state) for job in expired if job.state != "queued"):
        counters.count(session, counters.ENDED, kind=kind, state=state)
    for kind in sorted(job.kind for job in expired):
        counters.count(session, counters.LEASE_EXPIRED, kind=kind)
    return len(expired)


def _take_from_its_worker(session: Session, job: Job, failure: FailureKind, moment: datetime) -> None:
    lost = LeaseExpiry(
        workspace_id=job.workspace_id, job_id=job.id, worker_id=job.owner or "", attempt=job.attempt, at=moment
    )
    job.owner, job.lease_until, job.phase, job.seconds_left = None, None, "", None
    if job.cancel_requested and job.checkpoint is None:
        job.state, job.finished_at = "cancelled", moment
    elif job.attempts_without_progress >= ATTEMPTS_WITHOUT_PROGRESS:
        job.state, job.finished_at = "failed", moment
        job.error_code, job.error_sentence = failure.code, failure.in_the_end
    else:
        job.state, job.held_back = "queued", failure.meanwhile
        notify_later(session, job.queue)
    if job.state != "queued":
        job.forget_secret()
    lost.outcome = job.state
    session.add(lost)
