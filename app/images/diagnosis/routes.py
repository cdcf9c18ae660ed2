"""The diagnosis on the page of a brand's pictures: asked for by the page, with its acts."""

from typing import Annotated

from fastapi import APIRouter, Query, Request, Response

from app.images import queries
from app.images.diagnosis import service, view
from app.images.diagnosis.service import AT_ONCE, Cure
from app.images.view import picture_view
from app.projects import queries as projects
from app.web.answers import go
from app.web.api.audited import audited
from app.web.api.deferred_route import DeferredRoute
from app.web.flashes import Flash
from app.web.gate.signed_in import Editor, Viewer
from app.web.language import counted, ngettext
from app.web.session_deps import ReadSession, WriteSession
from app.web.templating import fragment
from app.web.text import RowId

router = APIRouter(route_class=DeferredRoute)
Changed = Annotated[list[RowId], Query(max_length=AT_ONCE)]
SHOWN = 6
DONE = ngettext("%(num)s picture changed.", "%(num)s pictures changed.")


@router.get("/projects/{project_id}/images/diagnosis")
def show_diagnosis(request: Request, session: ReadSession, visitor: Viewer, project_id: RowId) -> Response:
    workspace_id = visitor.workspace.id
    found = service.of_brand(session, workspace_id=workspace_id, project_id=project_id)
    wanted = [one for part in found.diagnosis.parts for one in part.ids[:SHOWN]] if found.diagnosis else []
    rows = queries.images(session, workspace_id=workspace_id, image_ids=list(dict.fromkeys(wanted)))
    return fragment(
        request,
        "partials/diagnosis.html",
        project=projects.project(session, workspace_id=workspace_id, project_id=project_id),
        found=found,
        acts=[
            (act, counted(request.state.locale, view.sentence(act), view.amount(act)))
            for act in (found.diagnosis.acts if found.diagnosis else ())
        ],
        words=view,
        pictures={row.id: row for row in rows},
        picture_view=picture_view,
        shown=SHOWN,
    )


@router.post("/projects/{project_id}/images/diagnosis/{part}")
@audited("image.changed")
def cure(request: Request, session: WriteSession, visitor: Editor, project_id: RowId, part: Cure) -> Response:
    ids = service.cure(session, workspace_id=visitor.workspace.id, project_id=project_id, part=part)
    undo = f"/projects/{project_id}/images/diagnosis/{part}/undo?" + "&".join(f"ids={one}" for one in ids)
    return go(
        request,
        f"/projects/{project_id}/images",
        Flash("undo", counted(request.state.locale, DONE, len(ids)), undo),
    )


@router.post("/projects/{project_id}/images/diagnosis/{part}/undo")
@audited("image.changed")
def undo(
    request: Request, session: WriteSession, visitor: Editor, project_id: RowId, part: Cure, ids: Changed
) -> Response:
    count = service.undo(session, workspace_id=visitor.workspace.id, project_id=project_id, part=part, image_ids=ids)
    return go(request, f"/projects/{project_id}/images", Flash("ok", counted(request.state.locale, DONE, count)))
