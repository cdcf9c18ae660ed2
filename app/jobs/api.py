"""Jobs and workers as JSON."""

from datetime import datetime

from fastapi import APIRouter
from pydantic import BaseModel, JsonValue, computed_field

from app.jobs import queries, service
from app.jobs.models import Job
from app.web.api.audited import audited
from app.web.api.deferred_route import DeferredRoute
from app.web.gate.signed_in import Editor, Viewer
from app.web.paging import from_cursor, split
from app.web.session_deps import ReadSession, WriteSession
from app.web.text import RowId

router = APIRouter(tags=["Jobs"], route_class=DeferredRoute)


OLD: dict[str, JsonValue] = {"deprecated": True}
"""Of a field's schema: another field says the same, and this one goes with the next release."""


class JobOut(BaseModel, defer_build=True):
    """How far a job is, and how it ended. Whatever a job makes has it as ``job``."""

    id: str
    queue: str
    subject_id: str
    """Id of what it is about: a training, a generation, a writing and so on."""
    project_id: str | None
    title: str
    state: str
    """``queued``, ``running``, ``done``, ``failed`` or ``cancelled``."""
    phase: str
    progress_done: int
    progress_total: int
    seconds_left: float | None
    device_seconds: float
    held_back: str | None
    """Why it went back to the queue, as a sentence."""
    error_code: str | None
    error_sentence: str | None
    cancel_requested: bool
    created_at: datetime
    started_at: datetime | None
    finished_at: datetime | None

    @computed_field(json_schema_extra=OLD)  # type: ignore[prop-decorator]
    @property
    def lane(self) -> str:
        """The old name of ``queue``."""
        return self.queue

    @classmethod
    def of(cls, job: Job) -> "JobOut":
        return cls.model_validate(job, from_attributes=True)


class JobList(BaseModel, defer_build=True):
    active: list[JobOut]
    """Running and queued jobs; only on the first page."""
    items: list[JobOut]
    """Ended jobs, the newest first."""
    next: str | None


class WorkerOut(BaseModel, defer_build=True):
    """A worker that reported within the last minute."""

    id: str
    queues: list[str]
    device: str
    busy: bool
    last_seen_at: datetime

    @computed_field(json_schema_extra=OLD)  # type: ignore[prop-decorator]
    @property
    def lanes(self) -> list[str]:
        """The old name of ``queues``."""
        return self.queues


class WorkerList(BaseModel, defer_build=True):
    items: list[WorkerOut]


@router.get("/jobs", summary="List jobs")
def list_jobs(session: ReadSession, visitor: Viewer, cursor: str | None = None) -> JobList:
    """Active jobs, then ended ones page by page."""
    ended = queries.ended(session, workspace_id=visitor.workspace.id, before=from_cursor(cursor))
    shown, following = split(ended, queries.PAGE)
    active = [] if cursor else queries.active(session, workspace_id=visitor.workspace.id)
    return JobList(
        active=[JobOut.of(job) for job in active],
        items=[JobOut.of(job) for job in shown],
        next=following,
    )


@router.get("/jobs/{job_id}", summary="Get a job")
def get_job(session: ReadSession, visitor: Viewer, job_id: RowId) -> JobOut:
    return JobOut.of(queries.job(session, workspace_id=visitor.workspace.id, job_id=job_id))


@router.post("/jobs/{job_id}/cancel", summary="Cancel a job")
@audited("job.cancelled")
def cancel_job(session: WriteSession, visitor: Editor, job_id: RowId) -> JobOut:
    """A queued job ends immediately; a running one stops at its next step and keeps what it has made."""
    return JobOut.of(service.request_cancel(session, workspace_id=visitor.workspace.id, job_id=job_id))


@router.get("/workers", summary="List workers")
def list_workers(session: ReadSession, _visitor: Viewer) -> WorkerList:
    return WorkerList(
        items=[
            WorkerOut(
                id=worker.id,
                queues=worker.queues,
                device=worker.device,
                busy=worker.job_id is not None,
                last_seen_at=worker.last_seen_at,
            )
            for worker in queries.workers(session)
        ]
    )
