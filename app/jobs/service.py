"""What is asked of jobs: enqueue, cancel, requeue. The row is the truth; a message only wakes a queue's workers."""

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from app.errors import N_, AppError, Conflict, NotFound
from app.jobs import counters
from app.jobs.claims import database_now
from app.jobs.kinds import KINDS
from app.jobs.models import Job
from app.jobs.notifier import notify_later

MOST_AT_ONCE = 200
"""Queued and running jobs of one workspace in one queue, unless the session says otherwise (``limit_jobs``)."""
CANCELLED = N_("Cancelled before it started.")
WILL_STOP = N_("The job will stop at its next step. What it has made so far is kept.")


class NotFailed(Conflict):
    sentence = N_("Only failed jobs can be put back into the queue.")


class NeedsItsToken(Conflict):
    sentence = N_(
        "The token was removed when the job ended, so the job cannot run again unchanged. Send the request "
        "again, with the token."
    )


class QueueFull(AppError):
    status = 429
    sentence = N_(
        "%(count)s jobs of this kind are already waiting or running, which is the limit. Wait until some are "
        "done, or cancel some on the Activity page."
    )


class AlreadyEnded(Conflict):
    sentence = N_("This job has already ended, so there is nothing to cancel.")


def limit_jobs(session: Session, most: int) -> None:
    """From now on ``enqueue`` takes at most so many queued and running jobs of a workspace in each queue."""
    session.info["most_jobs_at_once"] = most


def enqueue(
    session: Session,
    *,
    workspace_id: str,
    project_id: str | None,
    kind: str,
    subject_id: str,
    title: str,
    created_by: str | None,
    priority: int = 0,
    sealed_secret: str | None = None,
) -> Job:
    """Add a job of a known ``kind`` in the caller's transaction; its queue's workers are woken after the commit
    (``jobs.notifier``).

    ``sealed_secret`` is for the worker alone and goes when the job ends. Raises ``QueueFull``.
    """
    queue = KINDS[kind].queue
    active = session.scalar(
        select(func.count()).select_from(Job).where(Job.workspace_id == workspace_id, Job.queue == queue, Job.is_active)
    )
    if (active or 0) >= session.info.get("most_jobs_at_once", MOST_AT_ONCE):
        raise QueueFull(count=active)
    job = Job(
        workspace_id=workspace_id,
        project_id=project_id,
        queue=queue,
        kind=kind,
        subject_id=subject_id,
        title=title[:200],
        created_by=created_by,
        priority=priority,
        sealed_secret=sealed_secret or None,
    )
    session.add(job)
    session.flush()
    notify_later(session, queue)
    return job


def request_cancel(session: Session, *, workspace_id: str, job_id: str) -> Job:
    """Ask for an end. A queued job ends at once, a running one at its next step.

    Raises ``NotFound`` for another workspace's job, ``AlreadyEnded`` for one that has ended.
    """
    job = _locked(session, workspace_id=workspace_id, job_id=job_id)
    if not job.is_active:
        raise AlreadyEnded()
    job.cancel_requested = True
    if job.state == "queued":
        job.state, job.finished_at = "cancelled", database_now(session)
        job.forget_secret()
        session.flush()
        counters.count(session, counters.ENDED, kind=job.kind, state=job.state)
    session.flush()
    return job


def requeue(session: Session, *, workspace_id: str, job_id: str) -> Job:
    """Let a job that failed try again, from its last checkpoint if that is still there.

    Raises ``NotFound`` for another workspace's job, ``NotFailed`` for one that has not failed, ``NeedsItsToken``.
    """
    job = _locked(session, workspace_id=workspace_id, job_id=job_id)
    if job.state != "failed":
        raise NotFailed()
    if job.lost_its_secret:
        raise NeedsItsToken()
    job.state, job.finished_at, job.attempts_without_progress = "queued", None, 0
    job.error_code, job.error_sentence, job.cancel_requested = None, None, False
    session.flush()
    notify_later(session, job.queue)
    return job


def _locked(session: Session, *, workspace_id: str, job_id: str) -> Job:
    job = session.scalar(select(Job).where(Job.id == job_id, Job.workspace_id == workspace_id).with_for_update())
    if job is None:
        raise NotFound()
    return job
