"""The operations page: which machines work, what waits, what went wrong, and what fills the disk."""

from typing import Annotated

from fastapi import APIRouter, Path, Request, Response

from app.errors import N_, Forbidden
from app.jobs import service as jobs
from app.jobs import workers as job_workers
from app.jobs.kinds import QUEUES
from app.operations import queries
from app.web.answers import go
from app.web.api.audited import audited
from app.web.api.deferred_route import DeferredRoute
from app.web.flashes import Flash
from app.web.gate.signed_in import Owner, is_admin
from app.web.language import translate
from app.web.session_deps import ReadSession, WriteSession
from app.web.templating import page
from app.web.text import RowId

router = APIRouter(route_class=DeferredRoute)
WorkerId = Annotated[str, Path(max_length=80, pattern=r"^[A-Za-z0-9._-]+$")]

QUEUED_AGAIN = N_("The job is back in the queue.")
DRAINS = N_("This worker finishes its job and accepts no new ones. You can stop it once it is idle.")
TAKES_JOBS = N_("This worker accepts jobs again.")


@router.get("/operations")
def show(request: Request, session: ReadSession, visitor: Owner) -> Response:
    found = queries.overview(session, workspace_id=visitor.workspace.id)
    disk = request.app.state.disk
    return page(
        request,
        "pages/operations.html",
        found=found,
        queue_labels=QUEUES,
        is_admin=is_admin(session, visitor),
        disk_free=disk.free(),
        is_short=disk.is_short(),
    )


@router.post("/operations/jobs/{job_id}/requeue")
@audited("job.requeued")
def requeue(request: Request, session: WriteSession, visitor: Owner, job_id: RowId) -> Response:
    jobs.requeue(session, workspace_id=visitor.workspace.id, job_id=job_id)
    return go(request, "/operations", Flash("ok", translate(request.state.locale, QUEUED_AGAIN)))


@router.post("/operations/workers/{worker_id}/drain")
@audited("worker.drained")
def drain(request: Request, session: WriteSession, visitor: Owner, worker_id: WorkerId) -> Response:
    _check_admin(session, visitor)
    job_workers.drain(session, worker_id, draining=True)
    return go(request, "/operations", Flash("ok", translate(request.state.locale, DRAINS)))


@router.post("/operations/workers/{worker_id}/resume")
@audited("worker.resumed")
def resume(request: Request, session: WriteSession, visitor: Owner, worker_id: WorkerId) -> Response:
    _check_admin(session, visitor)
    job_workers.drain(session, worker_id, draining=False)
    return go(request, "/operations", Flash("ok", translate(request.state.locale, TAKES_JOBS)))


def _check_admin(session: WriteSession, visitor: Owner) -> None:
    """Workers serve every workspace; only the installation's admins may hold one up. Raises ``Forbidden``."""
    if not is_admin(session, visitor):
        raise Forbidden()
