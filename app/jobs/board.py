"""The jobs page's view: lanes with what runs and waits in them, and what has ended."""

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy.orm import Session

from app.accounts.queries import names_of
from app.db import now
from app.jobs import queries
from app.jobs.models import LANES, Job


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
class Lane:
    name: str
    entries: list[Entry]
    has_worker: bool
    is_short_of_disk: bool
    """Every worker that could take its jobs waits for room on its disk."""


@dataclass(frozen=True)
class Board:
    lanes: list[Lane]
    ended: list[Entry]
    more_before: tuple[datetime, str] | None
    """Where the next page of ended jobs begins."""


def board(session: Session, *, workspace_id: str, before: tuple[datetime, str] | None = None) -> Board:
    """Everything on the jobs page of one workspace."""
    active = queries.active(session, workspace_id=workspace_id)
    ended = queries.ended(session, workspace_id=workspace_id, before=before)
    more = (ended[queries.PAGE - 1].created_at, ended[queries.PAGE - 1].id) if len(ended) > queries.PAGE else None
    ended = ended[: queries.PAGE]
    names = names_of(session, {job.created_by for job in (*active, *ended) if job.created_by})
    serving = {lane: [one for one in queries.workers(session) if lane in one.lanes.split("+")] for lane in LANES}
    lanes = [
        Lane(
            lane,
            [_entry(session, job, names) for job in active if job.lane == lane],
            has_worker=any(not worker.draining for worker in serving[lane]),
            is_short_of_disk=bool(serving[lane]) and all(worker.short_of_disk for worker in serving[lane]),
        )
        for lane in LANES
    ]
    return Board(lanes, [_entry(session, job, names) for job in ended], more)


def _entry(session: Session, job: Job, names: dict[str, str]) -> Entry:
    position = queries.ahead_of(session, job) + 1 if job.state == "queued" else None
    # Only the next in line can be told a time: the jobs before the others have no measured pace yet.
    until = queries.seconds_until_free(session, job.lane) if position == 2 else None
    seconds = ((job.finished_at or now()) - job.started_at).total_seconds() if job.started_at else None
    return Entry(job, names.get(job.created_by or "", ""), position, until, seconds)
