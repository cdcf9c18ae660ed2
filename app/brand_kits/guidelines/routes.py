"""A brand guideline is dropped on the page of the look; what it proposes is a page with ticks."""

from typing import Annotated

from fastapi import APIRouter, File, Form, Request, Response, UploadFile
from starlette.background import BackgroundTask

from app.brand_kits.guidelines import queries, service
from app.brand_kits.guidelines.chosen_logos import ChosenLogos
from app.brand_kits.guidelines.forms import Place, TakeOverForm
from app.brand_kits.service import Author
from app.brand_kits.snapshot import LOGO_KINDS
from app.brand_kits.upload_target import KitTargetDep
from app.brand_kits.view import LOGOS, ROLES
from app.errors import N_
from app.projects import queries as projects
from app.web.answers import go
from app.web.api.audited import audited
from app.web.api.deferred_route import DeferredRoute
from app.web.files import send
from app.web.flashes import Flash
from app.web.gate.signed_in import Editor, Viewer
from app.web.gate.visitor import Visitor
from app.web.language import translate
from app.web.session_deps import FileStorage, ReadSession, WriteSession
from app.web.templating import page
from app.web.text import RowId

router = APIRouter(prefix="/projects/{project_id}/brand-kit/guidelines", route_class=DeferredRoute)

TAKEN_OVER = N_("The brand kit now has what you ticked.")
DISMISSED = N_("Proposals dismissed. The brand kit is unchanged.")


@router.post("")
@audited("guideline.added")
def upload_guideline(
    request: Request, target: KitTargetDep, session: WriteSession, file: Annotated[UploadFile, File()]
) -> Response:
    row = service.propose(session, target.author, target.guideline(file))
    return go(request, f"/projects/{target.author.project_id}/brand-kit/guidelines/{row.id}")


@router.get("/{guideline_id}")
def show_proposals(
    request: Request, session: ReadSession, visitor: Viewer, project_id: RowId, guideline_id: RowId
) -> Response:
    where = {"workspace_id": visitor.workspace.id, "project_id": project_id}
    project = projects.project(session, **where)
    row = queries.guideline(session, **where, guideline_id=guideline_id)
    found = queries.found(row)
    return page(
        request,
        "pages/guideline.html",
        project=project,
        guideline=row,
        found=found,
        roles=ROLES,
        logos=LOGOS,
        logo_kinds=LOGO_KINDS,
    )


@router.post("/{guideline_id}")
@audited("guideline.taken_over")
def take_over(
    request: Request,
    chosen: ChosenLogos,
    session: WriteSession,
    visitor: Editor,
    storage: FileStorage,
    project_id: RowId,
    guideline_id: RowId,
    form: Annotated[TakeOverForm, Form()],
) -> Response:
    ticked = form.ticked()
    kept = chosen(ticked)
    _kit, folder = service.take_over(session, _author(visitor, project_id), guideline_id, ticked, kept)
    told = Flash("ok", translate(request.state.locale, TAKEN_OVER))
    response = go(request, f"/projects/{project_id}/look", told)
    response.background = BackgroundTask(storage.delete_under, folder)
    return response


@router.post("/{guideline_id}/dismiss")
@audited("guideline.dismissed")
def dismiss(
    request: Request,
    session: WriteSession,
    visitor: Editor,
    storage: FileStorage,
    project_id: RowId,
    guideline_id: RowId,
) -> Response:
    folder = service.dismiss(session, _author(visitor, project_id), guideline_id)
    told = Flash("ok", translate(request.state.locale, DISMISSED))
    response = go(request, f"/projects/{project_id}/look", told)
    response.background = BackgroundTask(storage.delete_under, folder)
    return response


@router.get("/{guideline_id}/logos/{place}")
def preview(
    session: ReadSession, visitor: Viewer, storage: FileStorage, project_id: RowId, guideline_id: RowId, place: Place
) -> Response:
    """A picture that we drew of a proposed logo."""
    where = {"workspace_id": visitor.workspace.id, "project_id": project_id, "guideline_id": guideline_id}
    return send(storage, queries.logo(session, **where, place=place).preview_key, "image/png")


def _author(visitor: Visitor, project_id: str) -> Author:
    return Author(visitor.workspace.id, project_id, visitor.user.id)
