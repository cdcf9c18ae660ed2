"""Pictures to start from: brought in, shown, and chosen from the gallery or the brand."""

from typing import Annotated

from fastapi import APIRouter, File, Form, Query, Request, Response, UploadFile
from pydantic import StringConstraints

from app.generations import studio
from app.generations.forms import DrawnWith
from app.generations.requests import MOST_ADAPTERS
from app.generations.start_pictures import service as start_pictures
from app.generations.start_pictures.files import keep_copy, keep_upload
from app.generations.start_pictures.target import FromImage, FromOutput, StartTargetDep
from app.projects import queries as projects
from app.web.answers import go, is_htmx
from app.web.api.audited import audited
from app.web.api.deferred_route import DeferredRoute
from app.web.files import send
from app.web.gate.signed_in import Editor, Viewer
from app.web.session_deps import FileStorage, ReadSession, WriteSession
from app.web.templating import fragment
from app.web.text import RowId

router = APIRouter(route_class=DeferredRoute)
AdapterChoice = Annotated[str, StringConstraints(max_length=40)]


@router.post("/projects/{project_id}/starts")
@audited("start_picture.added")
def upload(
    request: Request,
    target: StartTargetDep,
    session: WriteSession,
    storage: FileStorage,
    file: Annotated[UploadFile, File()],
    adapter_id: Annotated[list[AdapterChoice] | None, Form(max_length=MOST_ADAPTERS)] = None,
    base_model: Annotated[str, Form(max_length=80)] = "",
) -> Response:
    """``adapter_id`` and ``base_model`` are those of the composer, whose formats follow."""
    kept = keep_upload(
        storage, target.read(file.file), file.filename or "?", project_id=target.project_id, limits=target.limits
    )
    row = start_pictures.add(
        session, kept, workspace_id=target.workspace_id, project_id=target.project_id, created_by=target.user_id
    )
    form = DrawnWith(adapter_id=adapter_id or [], base_model=base_model)
    # With an adapter the base model beside it is not looked at, but must be there.
    for chosen in {*form.adapters[:1], None}:
        studio.base_in_use(session, workspace_id=target.workspace_id, adapter_id=chosen, base_model=base_model or None)
    address = f"/projects/{target.project_id}/studio?start={row.id}"
    if not is_htmx(request):
        return go(request, address)
    response = _in_place(request, session, target.workspace_id, target.project_id, form, row.id)
    response.headers["HX-Push-Url"] = address
    return response


@router.get("/projects/{project_id}/studio/start")
def without(
    request: Request, session: ReadSession, visitor: Editor, project_id: RowId, form: Annotated[DrawnWith, Query()]
) -> Response:
    """What of the studio changes when it is to start from nothing again."""
    return _in_place(request, session, visitor.workspace.id, project_id, form, None)


def _in_place(
    request: Request, session: ReadSession, workspace_id: str, project_id: str, form: DrawnWith, start: str | None
) -> Response:
    project = projects.project(session, workspace_id=workspace_id, project_id=project_id)
    state = studio.form_state_on(
        session,
        workspace_id=workspace_id,
        project_id=project.id,
        adapter_ids=form.adapters,
        base_model=form.base_model or None,
        channel=form.channel,
        start=start,
    )
    return fragment(request, "partials/studio_start.html", form_state=state, project=project)


@router.post("/outputs/{output_id}/start")
@audited("start_picture.added")
def from_output(request: Request, target: FromOutput, session: WriteSession, storage: FileStorage) -> Response:
    kept = keep_copy(storage, target.key, project_id=target.project_id)
    row = start_pictures.add(
        session, kept, workspace_id=target.workspace_id, project_id=target.project_id, created_by=target.user_id
    )
    return go(request, f"/projects/{target.project_id}/studio?start={row.id}")


@router.post("/images/{image_id}/start")
@audited("start_picture.added")
def from_image(request: Request, target: FromImage, session: WriteSession, storage: FileStorage) -> Response:
    kept = keep_copy(storage, target.key, project_id=target.project_id)
    row = start_pictures.add(
        session, kept, workspace_id=target.workspace_id, project_id=target.project_id, created_by=target.user_id
    )
    return go(request, f"/projects/{target.project_id}/studio?start={row.id}")


@router.get("/starts/{start_id}/picture")
def picture(session: ReadSession, visitor: Viewer, storage: FileStorage, start_id: RowId) -> Response:
    row = start_pictures.start_picture(session, workspace_id=visitor.workspace.id, start_id=start_id)
    return send(storage, row.key, "image/png", keep=False)
