"""The page of a brand's look, which is its kit: each section is a form of its own and answered with itself."""

from typing import Annotated, Any

from fastapi import APIRouter, File, Form, Request, Response, UploadFile

from app.brand_kits import queries, service
from app.brand_kits.errors import KitChanged
from app.brand_kits.files import MOST_AT_ONCE
from app.brand_kits.forms import (
    ColoursForm,
    DoNotsForm,
    FamilyForm,
    FileHash,
    FontForm,
    FontRolesForm,
    KitForm,
    LegalForm,
    Licence,
    Number,
    PersonasForm,
    PlaceLogoForm,
)
from app.brand_kits.guidelines import queries as guidelines
from app.brand_kits.service import Author
from app.brand_kits.snapshot import KitSnapshot, LogoKind
from app.brand_kits.upload_target import KitTargetDep
from app.brand_kits.view import look_page
from app.errors import N_
from app.projects import queries as projects
from app.projects import service as projects_service
from app.projects.forms import LookForm
from app.projects.models import Project
from app.web.answers import go, is_htmx, with_toast
from app.web.api.audited import audited
from app.web.api.deferred_route import DeferredRoute
from app.web.files import send
from app.web.flashes import Flash
from app.web.gate.signed_in import Editor, Viewer
from app.web.gate.visitor import Visitor
from app.web.language import translate
from app.web.session_deps import FileStorage, ReadSession, WriteSession
from app.web.templating import fragment, page
from app.web.text import RowId

router = APIRouter(route_class=DeferredRoute)

SAVED = N_("Saved")
LOGO_ADDED = N_("Logo added.")
FONTS_ADDED = N_("Fonts added.")
LOGO_REPLACED = N_("Logo replaced.")
LOGO_REMOVED = N_("Logo removed.")
FONT_REMOVED = N_("Font removed.")
CAME_BACK = N_("It is back in the kit.")
NOT_BACK = N_("There is nothing to put back.")


@router.get("/projects/{project_id}/look")
def show_look(request: Request, session: ReadSession, visitor: Viewer, project_id: RowId) -> Response:
    project, kit = _brand(session, visitor, project_id)
    waiting = guidelines.waiting(session, workspace_id=visitor.workspace.id, project_id=project_id)
    return page(request, "pages/look.html", **look_page(project, kit, guideline=waiting))


@router.post("/projects/{project_id}/look")
@audited("project.changed")
def describe_look(
    request: Request, session: WriteSession, visitor: Editor, project_id: RowId, form: Annotated[LookForm, Form()]
) -> Response:
    """Words that somebody else saved after this form was opened are shown beside one's own, and not overwritten."""
    project = projects.project(session, workspace_id=visitor.workspace.id, project_id=project_id)
    if not form.may_replace(project.words_version):
        return _look_changed(request, session, visitor, project, form)
    projects_service.describe_look(
        session,
        workspace_id=visitor.workspace.id,
        project_id=project_id,
        trigger=form.trigger_word,
        look_notes=form.look_notes,
    )
    return go(request, f"/projects/{project_id}/look", Flash("ok", translate(request.state.locale, SAVED)))


def _look_changed(
    request: Request, session: ReadSession, visitor: Visitor, project: Project, mine: LookForm
) -> Response:
    if not is_htmx(request):
        _project, kit = _brand(session, visitor, project.id)
        return page(request, "pages/look.html", status=409, **look_page(project, kit, mine=mine))
    response = fragment(request, "partials/look_changed.html", status=409, project=project)
    response.headers["HX-Retarget"] = "find [data-changed]"
    response.headers["HX-Reswap"] = "innerHTML"
    return response


@router.get("/projects/{project_id}/brand-kit/colours")
def show_colours(request: Request, session: ReadSession, visitor: Viewer, project_id: RowId) -> Response:
    """The roles once more, after the palette has changed beside them."""
    project, kit = _brand(session, visitor, project_id)
    if not is_htmx(request):
        return go(request, f"/projects/{project_id}/look#colours")
    return fragment(request, "partials/kit_colours.html", **look_page(project, kit))


@router.post("/projects/{project_id}/brand-kit/colours")
@audited("kit.changed")
def change_colours(
    request: Request, session: WriteSession, visitor: Editor, project_id: RowId, form: Annotated[ColoursForm, Form()]
) -> Response:
    return _change(request, session, visitor, project_id, form, form.parts(), "colours")


@router.post("/projects/{project_id}/brand-kit/do-nots")
@audited("kit.changed")
def change_do_nots(
    request: Request, session: WriteSession, visitor: Editor, project_id: RowId, form: Annotated[DoNotsForm, Form()]
) -> Response:
    return _change(request, session, visitor, project_id, form, form.parts(), "do_nots")


@router.post("/projects/{project_id}/brand-kit/legal")
@audited("kit.changed")
def change_legal(
    request: Request, session: WriteSession, visitor: Editor, project_id: RowId, form: Annotated[LegalForm, Form()]
) -> Response:
    return _change(request, session, visitor, project_id, form, form.parts(), "legal")


@router.post("/projects/{project_id}/brand-kit/personas")
@audited("kit.changed")
def change_personas(
    request: Request, session: WriteSession, visitor: Editor, project_id: RowId, form: Annotated[PersonasForm, Form()]
) -> Response:
    return _change(request, session, visitor, project_id, form, form.parts(), "personas")


@router.post("/projects/{project_id}/brand-kit/logos")
@audited("kit.logo_added")
def upload_logo(
    request: Request,
    target: KitTargetDep,
    session: WriteSession,
    visitor: Editor,
    file: Annotated[UploadFile, File()],
    kind: Annotated[LogoKind, Form()],
) -> Response:
    kept, project_id = target.logo(file), target.author.project_id
    before = queries.current(session, workspace_id=visitor.workspace.id, project_id=project_id)
    kit = service.set_logo(session, target.author, kept, kind)
    is_other = before.logo(kind) is not None and kit.version != before.version
    told = LOGO_REPLACED if is_other else LOGO_ADDED
    return _section(request, session, visitor, project_id, "logos", kit, told, can_undo=is_other)


@router.post("/projects/{project_id}/brand-kit/logos/{logo_kind}")
@audited("kit.changed")
def place_logo(
    request: Request,
    session: WriteSession,
    visitor: Editor,
    project_id: RowId,
    logo_kind: LogoKind,
    form: Annotated[PlaceLogoForm, Form()],
) -> Response:
    author = _author(visitor, project_id, form)
    share = form.clear_percent / 100
    kit = service.place_logo(session, author, logo_kind, clear_space=share, least_width=form.least_width)
    return _section(request, session, visitor, project_id, "logos", kit)


@router.post("/projects/{project_id}/brand-kit/logos/{logo_kind}/remove")
@audited("kit.logo_removed")
def remove_logo(
    request: Request, session: WriteSession, visitor: Editor, project_id: RowId, logo_kind: LogoKind
) -> Response:
    kit = service.remove_logo(session, _author(visitor, project_id), logo_kind)
    return _section(request, session, visitor, project_id, "logos", kit, LOGO_REMOVED, can_undo=True)


@router.post("/projects/{project_id}/brand-kit/fonts")
@audited("kit.font_added")
def upload_fonts(
    request: Request,
    target: KitTargetDep,
    session: WriteSession,
    visitor: Editor,
    file: Annotated[list[UploadFile], File(max_length=MOST_AT_ONCE)],
    licence: Annotated[Licence, Form()] = "",
) -> Response:
    kit = service.add_fonts(session, target.author, target.fonts(file), licence=licence)
    return _section(request, session, visitor, target.author.project_id, "fonts", kit, FONTS_ADDED)


@router.post("/projects/{project_id}/brand-kit/fonts/{sha}")
@audited("kit.changed")
def describe_font(
    request: Request,
    session: WriteSession,
    visitor: Editor,
    project_id: RowId,
    sha: FileHash,
    form: Annotated[FontForm, Form()],
) -> Response:
    author = _author(visitor, project_id, form)
    kit = service.describe_font(session, author, sha, licence=form.licence, may_embed=form.may_embed)
    return _section(request, session, visitor, project_id, "fonts", kit)


@router.post("/projects/{project_id}/brand-kit/fonts/{sha}/remove")
@audited("kit.font_removed")
def remove_font(request: Request, session: WriteSession, visitor: Editor, project_id: RowId, sha: FileHash) -> Response:
    kit = service.remove_font(session, _author(visitor, project_id), sha)
    return _section(request, session, visitor, project_id, "fonts", kit, FONT_REMOVED, can_undo=True)


@router.post("/projects/{project_id}/brand-kit/font-roles")
@audited("kit.changed")
def change_font_roles(
    request: Request, session: WriteSession, visitor: Editor, project_id: RowId, form: Annotated[FontRolesForm, Form()]
) -> Response:
    return _change(request, session, visitor, project_id, form, form.parts(), "fonts")


@router.post("/projects/{project_id}/brand-kit/awaited-fonts/remove")
@audited("kit.changed")
def stop_awaiting(
    request: Request, session: WriteSession, visitor: Editor, project_id: RowId, form: Annotated[FamilyForm, Form()]
) -> Response:
    kit = service.stop_awaiting(session, _author(visitor, project_id), form.family)
    return _section(request, session, visitor, project_id, "fonts", kit)


@router.post("/projects/{project_id}/brand-kit/versions/{kit_version}/put-back")
@audited("kit.put_back")
def put_back(
    request: Request, session: WriteSession, visitor: Editor, project_id: RowId, kit_version: Number
) -> Response:
    """Undo what a version took away; what has been changed since stays."""
    author = _author(visitor, project_id)
    before = queries.current(session, workspace_id=author.workspace_id, project_id=project_id)
    is_back = service.put_back(session, author, kit_version).version != before.version
    told = translate(request.state.locale, CAME_BACK if is_back else NOT_BACK)
    return go(request, f"/projects/{project_id}/look", Flash("ok", told))


@router.get("/projects/{project_id}/brand-kit/preview/{sha}")
def preview(session: ReadSession, visitor: Viewer, storage: FileStorage, project_id: RowId, sha: FileHash) -> Response:
    """A picture that we drew of a logo or font. The address carries the hash, so that a browser may keep it."""
    file = queries.file(session, workspace_id=visitor.workspace.id, project_id=project_id, sha=sha)
    return send(storage, file.preview_key, "image/png")


def _brand(session: ReadSession, visitor: Visitor, project_id: str) -> tuple[Project, KitSnapshot]:
    where = {"workspace_id": visitor.workspace.id, "project_id": project_id}
    return projects.project(session, **where), queries.current(session, **where)


def _author(visitor: Visitor, project_id: str, form: KitForm | None = None) -> Author:
    began_with, over = (form.version, form.over) if form is not None else (None, None)
    return Author(visitor.workspace.id, project_id, visitor.user.id, began_with, over)


def _change(
    request: Request,
    session: ReadSession,
    visitor: Visitor,
    project_id: str,
    form: KitForm,
    parts: dict[str, Any],
    section: str,
) -> Response:
    """Save one section; where somebody saved the same one meanwhile, theirs is shown above what one has written."""
    try:
        kit = service.change(session, _author(visitor, project_id, form), parts)
    except KitChanged:
        project, theirs = _brand(session, visitor, project_id)
        given = look_page(project, theirs.model_copy(update=parts), theirs=theirs, late=section)
        if not is_htmx(request):
            return page(request, "pages/look.html", status=409, **given)
        response = fragment(request, "partials/kit_changed.html", status=409, **given)
        response.headers["HX-Retarget"] = "find [data-changed]"
        response.headers["HX-Reswap"] = "innerHTML"
        return response
    return _section(request, session, visitor, project_id, section, kit)


def _section(
    request: Request,
    session: ReadSession,
    visitor: Visitor,
    project_id: str,
    section: str,
    kit: KitSnapshot,
    told: str = SAVED,
    *,
    can_undo: bool = False,
) -> Response:
    """The section as it is now, and what was done."""
    text = translate(request.state.locale, told)
    undo = f"/projects/{project_id}/brand-kit/versions/{kit.version}/put-back" if can_undo else None
    if not is_htmx(request):
        flash = Flash("undo" if can_undo else "ok", text, undo)
        return go(request, f"/projects/{project_id}/look#{section.replace('_', '-')}", flash)
    project = projects.project(session, workspace_id=visitor.workspace.id, project_id=project_id)
    shown = fragment(request, f"partials/kit_{section}.html", **look_page(project, kit, fresh=True))
    return with_toast(shown, text, undo)
