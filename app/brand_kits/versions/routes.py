"""The page of a kit's versions: who changed what, and the way back."""

from typing import Annotated, Any

from fastapi import APIRouter, Query, Request, Response

from app.brand_kits import queries as kits
from app.brand_kits import service
from app.brand_kits.forms import Number
from app.brand_kits.service import Author
from app.brand_kits.versions import queries
from app.brand_kits.versions.queries import PAGE
from app.brand_kits.versions.view import versions_page
from app.errors import N_
from app.projects import queries as projects
from app.web.answers import go
from app.web.api.audited import audited
from app.web.api.deferred_route import DeferredRoute
from app.web.flashes import Flash
from app.web.gate.signed_in import Editor, Viewer
from app.web.language import translate
from app.web.session_deps import ReadSession, WriteSession
from app.web.templating import page
from app.web.text import RowId

router = APIRouter(prefix="/projects/{project_id}/brand-kit/versions", route_class=DeferredRoute)
RESTORED = N_("The kit is as it was in version %(number)s. This is version %(now)s.")
SAME = N_("The kit says this already.")


@router.get("")
def show_versions(
    request: Request,
    session: ReadSession,
    visitor: Viewer,
    project_id: RowId,
    before: Annotated[Number | None, Query()] = None,
) -> Response:
    where: dict[str, Any] = {"workspace_id": visitor.workspace.id, "project_id": project_id}
    project, kit = projects.project(session, **where), kits.current(session, **where)
    found = queries.versions(session, **where, before=before)
    more = found[PAGE - 1].number if len(found) > PAGE else None
    return page(request, "pages/kit_versions.html", **versions_page(project, kit, found[:PAGE], more))


@router.post("/{kit_version}/restore")
@audited("kit.restored")
def restore(
    request: Request, session: WriteSession, visitor: Editor, project_id: RowId, kit_version: Number
) -> Response:
    author = Author(visitor.workspace.id, project_id, visitor.user.id)
    before = kits.current(session, workspace_id=author.workspace_id, project_id=project_id)
    kit = service.restore(session, author, kit_version)
    sentence = RESTORED if kit.version != before.version else SAME
    told = translate(request.state.locale, sentence, number=kit_version, now=kit.version)
    return go(request, f"/projects/{project_id}/brand-kit/versions", Flash("ok", told))
