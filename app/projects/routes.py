"""Pages of a brand by itself: its palette, its name, and the archive."""

from typing import Annotated, Any

from fastapi import APIRouter, Form, Query, Request, Response

from app.errors import N_
from app.projects import queries, service, trigger_word
from app.projects.forms import NameForm, NewBrandForm, PaletteForm
from app.web.answers import go, is_htmx, with_toast
from app.web.api.audited import audited
from app.web.api.deferred_route import DeferredRoute
from app.web.flashes import Flash
from app.web.gate.signed_in import Editor, Viewer
from app.web.language import translate
from app.web.session_deps import WriteSession
from app.web.templating import fragment
from app.web.text import RowId

router = APIRouter(route_class=DeferredRoute)

SAVED = N_("Saved")
PALETTE_CHANGED = N_(
    "The palette has changed since you opened this page. The current colours are now shown; please try again."
)
CREATED = N_("“%(name)s” is ready for its first pictures.")
ARCHIVED = N_("“%(name)s” was archived. Nothing was lost.")
UNARCHIVED = N_("“%(name)s” was restored from the archive.")


@router.get("/projects/trigger-word")
def suggest_trigger_word(
    request: Request, _visitor: Viewer, name: Annotated[str, Query(max_length=300)] = ""
) -> Response:
    return fragment(request, "partials/trigger_suggestion.html", suggestion=trigger_word.suggest(name))


@router.post("/projects")
@audited("project.created")
def create(request: Request, session: WriteSession, visitor: Editor, form: Annotated[NewBrandForm, Form()]) -> Response:
    project = service.create_project(
        session,
        workspace_id=visitor.workspace.id,
        name=form.name,
        trigger=form.trigger_word,
        created_by=visitor.user.id,
    )
    told = translate(request.state.locale, CREATED, name=project.name)
    return go(request, f"/projects/{project.id}/images", Flash("ok", told))


@router.post("/projects/{project_id}/palette")
@audited("project.changed")
def change_palette(
    request: Request, session: WriteSession, visitor: Editor, project_id: RowId, form: Annotated[PaletteForm, Form()]
) -> Response:
    """A palette that somebody else changed meanwhile is shown as it is now; one click too many is soon repeated."""
    project = queries.project(session, workspace_id=visitor.workspace.id, project_id=project_id)
    is_late = form.version not in ("", project.palette_version)
    if not is_late:
        project = service.set_palette(
            session, workspace_id=visitor.workspace.id, project_id=project_id, colours=form.wanted()
        )
    told = translate(request.state.locale, PALETTE_CHANGED if is_late else SAVED)
    if not is_htmx(request):
        return go(request, f"/projects/{project_id}/look", Flash("error" if is_late else "ok", told))
    shown: dict[str, Any] = {
        "project": project,
        "most_colours": service.MOST_COLOURS,
        "in_use": form.suggested and not is_late,
    }
    response = fragment(request, "partials/palette_editor.html", **shown)
    if is_late:
        return with_toast(response, told, kind="error")
    return with_toast(response, told) if form.suggested else response


@router.post("/projects/{project_id}/name")
@audited("project.changed")
def rename(
    request: Request, session: WriteSession, visitor: Editor, project_id: RowId, form: Annotated[NameForm, Form()]
) -> Response:
    service.rename(session, workspace_id=visitor.workspace.id, project_id=project_id, name=form.name)
    return go(request, f"/projects/{project_id}/look", Flash("ok", translate(request.state.locale, SAVED)))


@router.post("/projects/{project_id}/archive")
@audited("project.archived")
def archive(request: Request, session: WriteSession, visitor: Editor, project_id: RowId) -> Response:
    project = service.archive(session, workspace_id=visitor.workspace.id, project_id=project_id)
    told = translate(request.state.locale, ARCHIVED, name=project.name)
    return go(request, "/projects", Flash("undo", told, f"/projects/{project_id}/unarchive"))


@router.post("/projects/{project_id}/unarchive")
@audited("project.unarchived")
def unarchive(request: Request, session: WriteSession, visitor: Editor, project_id: RowId) -> Response:
    project = service.unarchive(session, workspace_id=visitor.workspace.id, project_id=project_id)
    told = translate(request.state.locale, UNARCHIVED, name=project.name)
    return go(request, f"/projects/{project_id}", Flash("ok", told))
