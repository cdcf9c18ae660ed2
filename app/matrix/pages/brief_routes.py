"""The page of a brief: to begin a campaign, to change it, and to copy one."""

from typing import Annotated, Any

from fastapi import APIRouter, Form, Query, Request, Response

from app.campaigns import queries as campaigns
from app.errors import N_, AppError
from app.matrix import queries, service
from app.matrix.cells import Author
from app.matrix.errors import BriefChanged
from app.matrix.pages.brief_forms import BriefForm, CopyForm, NewBriefForm, as_sent, empty, filled_with
from app.matrix.pages.brief_view import brief_fields, changed_fields, personas_of, problem_of
from app.projects import queries as projects
from app.web.answers import go, is_htmx
from app.web.api.audited import audited
from app.web.api.deferred_route import DeferredRoute
from app.web.flashes import Flash
from app.web.gate.signed_in import Editor, Viewer
from app.web.gate.visitor import Visitor
from app.web.language import translate
from app.web.session_deps import ReadSession, WriteSession
from app.web.templating import fragment, page
from app.web.text import RowId

router = APIRouter(route_class=DeferredRoute)
BEGUN = N_("Campaign “%(name)s” created.")
SAVED = N_("Brief saved.")
COPIED = N_("“%(name)s” is a copy with the same brief, words and pictures.")


@router.get("/campaigns/new")
def show_new(
    request: Request,
    session: ReadSession,
    visitor: Editor,
    brand: Annotated[RowId | None, Query()] = None,
    campaign: Annotated[RowId | None, Query()] = None,
) -> Response:
    """For a brand; without one, the brands to choose from. ``campaign`` is one that only groups pictures so far."""
    workspace_id = visitor.workspace.id
    existing = campaigns.campaign(session, workspace_id=workspace_id, campaign_id=campaign) if campaign else None
    if brand is None:
        brands = projects.projects(session, workspace_id=workspace_id, limit=200)
        if len(brands) != 1:
            return page(request, "pages/campaign_brand.html", brands=brands, campaign=existing)
        brand = brands[0].id
    return _new(request, session, visitor, brand, existing.id if existing else None)


def _new(
    request: Request,
    session: ReadSession,
    visitor: Visitor,
    brand: str,
    campaign_id: str | None,
    form: BriefForm | None = None,
    error: AppError | None = None,
) -> Response:
    where, locale = {"workspace_id": visitor.workspace.id}, request.state.locale
    project = projects.project(session, **where, project_id=brand)
    filled = as_sent(form) if form is not None else empty(locale)
    existing = campaigns.campaign(session, **where, campaign_id=campaign_id) if campaign_id else None
    return page(
        request,
        "pages/brief.html",
        status=error.status if error else 200,
        campaign=existing,
        brief_row=None,
        personas=personas_of(session, visitor, project.id, None),
        problems=problem_of(error, locale),
        theirs=None,
        **brief_fields(session, visitor, project, filled, locale),
    )


@router.post("/campaigns/new")
@audited("campaign.created")
def create(request: Request, session: WriteSession, visitor: Editor, form: Annotated[NewBriefForm, Form()]) -> Response:
    where = {"workspace_id": visitor.workspace.id}
    project = projects.project(session, **where, project_id=form.brand)
    try:
        with session.begin_nested():
            brief = form.brief(personas_of(session, visitor, project.id, None))
            campaign = service.begin(
                session, **where, project_id=project.id, user_id=visitor.user.id, name=form.name, brief=brief
            )
    except AppError as error:
        if is_htmx(request):
            raise
        return _new(request, session, visitor, project.id, None, form, error)
    told = translate(request.state.locale, BEGUN, name=campaign.name)
    return go(request, f"/campaigns/{campaign.id}", Flash("ok", told))


@router.get("/campaigns/{campaign_id}/brief")
def show_brief(
    request: Request,
    session: ReadSession,
    visitor: Viewer,
    campaign_id: RowId,
    brand: Annotated[RowId | None, Query()] = None,
) -> Response:
    """Of a campaign that only groups pictures, an empty one for ``brand``."""
    row = queries.find_brief(session, workspace_id=visitor.workspace.id, campaign_id=campaign_id)
    if row is None:
        if brand is None or not visitor.can_edit:
            return go(request, f"/campaigns/new?campaign={campaign_id}" if visitor.can_edit else "/campaigns")
        return _new(request, session, visitor, brand, campaign_id)
    return _edit(request, session, visitor, campaign_id)


def _edit(
    request: Request,
    session: ReadSession,
    visitor: Visitor,
    campaign_id: str,
    form: BriefForm | None = None,
    error: AppError | None = None,
) -> Response:
    where, locale = {"workspace_id": visitor.workspace.id}, request.state.locale
    row = queries.brief_row(session, **where, campaign_id=campaign_id)
    brief = queries.brief_of(row)
    project = projects.project(session, **where, project_id=row.project_id)
    personas = personas_of(session, visitor, project.id, brief)
    late = isinstance(error, BriefChanged)
    given: dict[str, Any] = {
        "campaign": campaigns.campaign(session, **where, campaign_id=campaign_id),
        "brief_row": row,
        "brief": brief,
        "counts": queries.counts(session, **where, campaign_id=campaign_id),
        "personas": personas,
        "problems": problem_of(None if late else error, locale),
        "theirs": brief if late else None,
        "their_number": row.number,
    }
    filled = as_sent(form) if form is not None else filled_with(brief, personas, row.number)
    fields = brief_fields(session, visitor, project, filled, locale)
    return page(request, "pages/brief.html", status=error.status if error else 200, **given, **fields)


@router.post("/campaigns/{campaign_id}/brief")
@audited("campaign.briefed")
def save(
    request: Request,
    session: WriteSession,
    visitor: Editor,
    campaign_id: RowId,
    form: Annotated[BriefForm, Form()],
    brand: Annotated[RowId | None, Query()] = None,
) -> Response:
    """A brief that somebody else saved after this form was opened is shown beside one's own, and not overwritten."""
    row = queries.find_brief(session, workspace_id=visitor.workspace.id, campaign_id=campaign_id)
    project_id = row.project_id if row is not None else brand
    if brand is not None:  # refused where it is another workspace's, whether it is needed or not
        projects.project(session, workspace_id=visitor.workspace.id, project_id=brand)
    if project_id is None:
        return go(request, f"/campaigns/new?campaign={campaign_id}")
    try:
        with session.begin_nested():
            brief = form.brief(personas_of(session, visitor, project_id, queries.brief_of(row) if row else None))
            number = form.over if form.over is not None else form.number
            service.save_brief(session, _author(visitor, campaign_id), project_id, brief, number=number)
    except BriefChanged as error:
        return _changed(request, session, visitor, campaign_id, form, error)
    except AppError as error:
        if is_htmx(request):
            raise
        if row is None:
            return _new(request, session, visitor, project_id, campaign_id, form, error)
        return _edit(request, session, visitor, campaign_id, form, error)
    told = translate(request.state.locale, SAVED)
    return go(request, f"/campaigns/{campaign_id}/brief" if row else f"/campaigns/{campaign_id}", Flash("ok", told))


def _changed(
    request: Request,
    session: ReadSession,
    visitor: Visitor,
    campaign_id: str,
    form: BriefForm,
    error: BriefChanged,
) -> Response:
    if not is_htmx(request):
        return _edit(request, session, visitor, campaign_id, form, error)
    row = queries.brief_row(session, workspace_id=visitor.workspace.id, campaign_id=campaign_id)
    given = changed_fields(session, visitor, row)
    campaign = campaigns.campaign(session, workspace_id=visitor.workspace.id, campaign_id=campaign_id)
    response = fragment(request, "partials/brief_changed.html", status=409, campaign=campaign, **given)
    response.headers["HX-Retarget"] = "find [data-changed]"
    response.headers["HX-Reswap"] = "innerHTML"
    return response


@router.post("/campaigns/{campaign_id}/copy")
@audited("campaign.copied")
def copy(
    request: Request, session: WriteSession, visitor: Editor, campaign_id: RowId, form: Annotated[CopyForm, Form()]
) -> Response:
    made = service.copy(session, _author(visitor, campaign_id), form.name)
    told = translate(request.state.locale, COPIED, name=made.name)
    return go(request, f"/campaigns/{made.id}", Flash("ok", told))


def _author(visitor: Visitor, campaign_id: str) -> Author:
    return Author(visitor.workspace.id, campaign_id, visitor.user.id, visitor.is_owner)
