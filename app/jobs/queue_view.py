"""The jobs page's view: queues with what runs and waits in them, and what has ended."""

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from sqlalchemy.orm import Session

from app.accounts.queries import names_of
from app.db import now
from app.jobs import queries
from app.jobs.kinds import QUEUES
from app.jobs.models import Job


class Shown(Protocol):
    """A job, or what is known of one."""

    @property
    def subject_id(self) -> str: ...

    @property
    def version(self) -> str: ...


def version_of_all(active: Iterable[Shown]) -> str:
    """Changes when the queues must be drawn anew: a job came, went, or has another version."""
    facts = sorted((job.subject_id, job.version) for job in active)
    return hashlib.blake2s(repr(facts).encode(), digest_size=6).hexdigest()


@dataclass(frozen=True)
class Entry:
    """One job as people read it."""

    job: Job
    who: str
    position: int | None
    """Place in the queue over all workspaces, 1 is next; None unless queued."""
    seconds_until_start: float | None
    """Measured; None when it is not known."""
    seconds: float | None
    """How long it has run or ran; None before it started."""


@dataclass(frozen=True)
class QueueView:
    label: str
    entries: list[Entry]
    has_worker: bool
    is_short_of_disk: bool
    """Every worker that could take its jobs waits for room on its disk."""


@dataclass(frozen=True)
class JobsView:
    queues: list[QueueView]
    ended: list[Entry]
    more_before: tuple[datetime, str] | None
    """Where the next page of ended jobs begins."""

    @property
    def version(self) -> str:
        return version_of_all(entry.job for queue in self.queues for entry in queue.entries)

    @property
    def project_ids(self) -> list[str]:
        """Of all jobs that are shown and belong to a brand, each once."""
        entries = [*(entry for queue in self.queues for entry in queue.entries), *self.ended]
        return list(dict.fromkeys(entry.job.project_id for entry in entries if entry.job.project_id))


def view(
    session: Session, *, workspace_id: str, before: tuple[datetime, str] | None = None, with_ended: bool = True
) -> JobsView:
    """Everything on the jobs page of one workspace; its moving part alone needs nothing of what has ended."""
    active = queries.active(session, workspace_id=workspace_id)
    ended = queries.ended(session, workspace_id=workspace_id, before=before) if with_ended else []
    more = (ended[queries.PAGE - 1].created_at, ended[queries.PAGE - 1].id) if len(ended) > queries.PAGE else None
    ended = ended[: queries.PAGE]
    names = names_of(session, {job.created_by for job in (*active, *ended) if job.created_by})
    ahead = queries.ahead_of(session, active)
    until_free = {queue: queries.seconds_until_free(session, queue) for queue in {job.queue for job in active}}
    alive = queries.workers(session)
    serving = {queue: [worker for worker in alive if queue in worker.queues] for queue in QUEUES}
    queues = [
        QueueView(
            label,
            [_entry(job, names, ahead, until_free) for job in active if job.queue == queue],
            has_worker=any(not worker.draining for worker in serving[queue]),
            is_short_of_disk=bool(serving[queue]) and all(worker.short_of_disk for worker in serving[queue]),
        )
        for queue, label in QUEUES.items()
    ]
    return JobsView(queues, [_entry(job, names) for job in ended], more)


def _entry(
    job: Job,
    names: dict[str, str],
    ahead: dict[str, int] | None = None,
    until_free: dict[str, float | None] | None = None,
) -> Entry:
    position = ahead[job.id] + 1 if ahead and job.id in ahead else None
    # Only the next in line can be told a time: the jobs before the others have no measured pace yet.
    until = (until_free or {}).get(job.queue) if position == 2 else None
    seconds = ((job.finished_at or now()) - job.started_at).total_seconds() if job.started_at else None
    return Entry(job, names.get(job.created_by or "", ""), position, until, seconds)
