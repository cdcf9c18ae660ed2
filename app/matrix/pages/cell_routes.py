"""One cell of a matrix: what it looks like, what may be changed, for it alone or for all like it, and its versions."""

from typing import Annotated, Any

from fastapi import APIRouter, Form, Request, Response
from pydantic import StringConstraints

from app.errors import NotFound
from app.matrix import cells, pictures, queries
from app.matrix.models import CellVersion
from app.matrix.pages.forms import CropForm, LayoutForm, PartsForm, PictureForm, VersionForm, WordsForm
from app.matrix.pages.home_routes import answer, author
from app.matrix.pages.view import campaign_page, cell_part
from app.web import files
from app.web.answers import is_htmx
from app.web.api.audited import audited
from app.web.api.deferred_route import DeferredRoute
from app.web.gate.signed_in import Editor, Viewer
from app.web.gate.visitor import Visitor
from app.web.session_deps import FileStorage, ReadSession, WriteSession
from app.web.templating import fragment, page
from app.web.text import RowId

router = APIRouter(route_class=DeferredRoute)
Hash = Annotated[str, StringConstraints(pattern="^[0-9a-f]{8,64}$")]


@router.get("/campaigns/{campaign_id}/cells/{cell_id}")
def show(request: Request, session: ReadSession, visitor: Viewer, campaign_id: RowId, cell_id: RowId) -> Response:
    row = queries.brief_row(session, workspace_id=visitor.workspace.id, campaign_id=campaign_id)
    cell = queries.cell(session, workspace_id=visitor.workspace.id, campaign_id=campaign_id, cell_id=cell_id)
    (view,) = queries.views(session, [cell])
    given = campaign_page(session, visitor, row) | cell_part(session, visitor, row, view)
    if is_htmx(request):
        return fragment(request, "partials/cell_face.html", **given)
    return page(request, "pages/cell.html", **given)


@router.get("/campaigns/{campaign_id}/cells/{cell_id}/preview/{sha}")
def preview(
    session: ReadSession, visitor: Viewer, storage: FileStorage, campaign_id: RowId, cell_id: RowId, sha: Hash
) -> Response:
    """A small picture of a version, which the address names by its hash, so that a browser may keep it."""
    version = _version(session, visitor, campaign_id, cell_id, sha)
    return files.send(storage, version.preview_key or "", "image/webp")


@router.get("/campaigns/{campaign_id}/cells/{cell_id}/ad/{sha}")
def ad(
    session: ReadSession, visitor: Viewer, storage: FileStorage, campaign_id: RowId, cell_id: RowId, sha: Hash
) -> Response:
    """A version at its exact pixels."""
    version = _version(session, visitor, campaign_id, cell_id, sha)
    return files.send(storage, version.key or "", "image/png")


@router.post("/campaigns/{campaign_id}/cells/{cell_id}/picture")
@audited("cell.changed")
def choose_picture(
    request: Request,
    session: WriteSession,
    visitor: Editor,
    campaign_id: RowId,
    cell_id: RowId,
    form: Annotated[PictureForm, Form()],
) -> Response:
    changed = pictures.choose(session, author(visitor, campaign_id), cell_id, form.scope, form.output_id)
    return answer(request, campaign_id, changed, _place(campaign_id, cell_id))


@router.post("/campaigns/{campaign_id}/cells/{cell_id}/crop")
@audited("cell.changed")
def crop(
    request: Request,
    session: WriteSession,
    visitor: Editor,
    campaign_id: RowId,
    cell_id: RowId,
    form: Annotated[CropForm, Form()],
) -> Response:
    parts = {"focus": (form.focus_x, form.focus_y)}
    return _change(request, session, visitor, campaign_id, cell_id, form.scope, "crop", parts)


@router.post("/campaigns/{campaign_id}/cells/{cell_id}/words")
@audited("cell.changed")
def change_words(
    request: Request,
    session: WriteSession,
    visitor: Editor,
    campaign_id: RowId,
    cell_id: RowId,
    form: Annotated[WordsForm, Form()],
) -> Response:
    parts = {"words": form.words()}
    return _change(request, session, visitor, campaign_id, cell_id, form.scope, "words", parts)


@router.post("/campaigns/{campaign_id}/cells/{cell_id}/layout")
@audited("cell.changed")
def choose_layout(
    request: Request,
    session: WriteSession,
    visitor: Editor,
    campaign_id: RowId,
    cell_id: RowId,
    form: Annotated[LayoutForm, Form()],
) -> Response:
    parts = {"layout": form.layout, "theme": form.theme}
    return _change(request, session, visitor, campaign_id, cell_id, form.scope, "layout", parts)


@router.post("/campaigns/{campaign_id}/cells/{cell_id}/parts")
@audited("cell.changed")
def show_parts(
    request: Request,
    session: WriteSession,
    visitor: Editor,
    campaign_id: RowId,
    cell_id: RowId,
    form: Annotated[PartsForm, Form()],
) -> Response:
    hidden = form.hidden()
    return _change(request, session, visitor, campaign_id, cell_id, form.scope, "parts", {"hidden": hidden})


@router.post("/campaigns/{campaign_id}/cells/{cell_id}/put-back")
@audited("cell.put_back")
def put_back(
    request: Request,
    session: WriteSession,
    visitor: Editor,
    campaign_id: RowId,
    cell_id: RowId,
    form: Annotated[VersionForm, Form()],
) -> Response:
    changed = cells.put_back(session, author(visitor, campaign_id), cell_id, form.number)
    return answer(request, campaign_id, changed, _place(campaign_id, cell_id))


def _change(
    request: Request,
    session: WriteSession,
    visitor: Visitor,
    campaign_id: str,
    cell_id: str,
    scope: cells.Scope,
    act: cells.Act,
    parts: dict[str, Any],
) -> Response:
    changed = cells.change(session, author(visitor, campaign_id), cell_id, scope, act, parts)
    return answer(request, campaign_id, changed, _place(campaign_id, cell_id))


def _place(campaign_id: str, cell_id: str) -> str:
    return f"/campaigns/{campaign_id}/cells/{cell_id}"


def _version(session: ReadSession, visitor: Visitor, campaign_id: str, cell_id: str, sha: str) -> CellVersion:
    """Raises ``NotFound`` for a hash that is of none of the cell's versions."""
    cell = queries.cell(session, workspace_id=visitor.workspace.id, campaign_id=campaign_id, cell_id=cell_id)
    for version in queries.history(session, workspace_id=visitor.workspace.id, cell_id=cell.id):
        if version.sha256 is not None and version.sha256.startswith(sha):
            return version
    raise NotFound()
