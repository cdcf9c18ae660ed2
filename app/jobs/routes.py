"""The jobs page: what runs, what waits, what has ended."""

from fastapi import APIRouter, Request, Response
from fastapi.responses import JSONResponse

from app.images.view import faces
from app.jobs import queries, queue_view, service
from app.web.answers import go
from app.web.api.audited import audited
from app.web.api.deferred_route import DeferredRoute
from app.web.flashes import Flash
from app.web.gate.signed_in import Editor, Viewer
from app.web.language import translate
from app.web.paging import from_cursor, to_cursor
from app.web.session_deps import ReadSession, WriteSession
from app.web.templating import fragment, page
from app.web.text import RowId

router = APIRouter(route_class=DeferredRoute)


@router.get("/jobs")
def show(request: Request, session: ReadSession, visitor: Viewer, before: str | None = None) -> Response:
    found = queue_view.view(session, workspace_id=visitor.workspace.id, before=from_cursor(before))
    older = f"/jobs?before={to_cursor(*found.more_before)}" if found.more_before else None
    pictures = faces(session, found.project_ids)
    return page(request, "pages/jobs.html", found=found, faces=pictures, older=older, first_page=before is None)


@router.get("/jobs/queues")
@router.get("/jobs/lanes", deprecated=True)
def queues(request: Request, session: ReadSession, visitor: Viewer) -> Response:
    """The moving part of the page, asked for when it has changed. The second address serves pages that were open during
    an update; it goes with the next release."""
    moving = queue_view.view(session, workspace_id=visitor.workspace.id, with_ended=False)
    return fragment(request, "partials/job_queues.html", found=moving, faces=faces(session, moving.project_ids))


@router.get("/jobs/busy")
def busy(session: ReadSession, visitor: Viewer) -> Response:
    """For the ring in the frame of a page that is open while work ends."""
    return JSONResponse({"busy": queries.is_busy(session, workspace_id=visitor.workspace.id)})


@router.post("/jobs/{job_id}/cancel")
@audited("job.cancelled")
def cancel(request: Request, session: WriteSession, visitor: Editor, job_id: RowId) -> Response:
    job = service.request_cancel(session, workspace_id=visitor.workspace.id, job_id=job_id)
    told = service.CANCELLED if job.state == "cancelled" else service.WILL_STOP
    return go(request, "/jobs", Flash("ok", translate(request.state.locale, told)))
