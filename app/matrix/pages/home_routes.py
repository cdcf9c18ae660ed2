"""A campaign's home: the matrix, what is decided about it, and who did what."""

from typing import Annotated

from fastapi import APIRouter, Form, Query, Request, Response

from app.accounts import queries as accounts
from app.db import own
from app.errors import N_
from app.matrix import cells, decisions, queries, service
from app.matrix.cells import ACTS, Author, Changed
from app.matrix.models import Rendering
from app.matrix.pages.forms import DecideForm, MatrixQuery
from app.matrix.pages.view import campaign_page, matrix_part
from app.web.answers import go, is_htmx, where_from
from app.web.api.audited import audited
from app.web.api.deferred_route import DeferredRoute
from app.web.flashes import Flash
from app.web.gate.signed_in import Editor, Viewer
from app.web.gate.visitor import Visitor
from app.web.language import counted, ngettext, translate
from app.web.session_deps import ReadSession, WriteSession
from app.web.templating import fragment, page
from app.web.text import RowId

router = APIRouter(route_class=DeferredRoute)
MADE = ngettext("%(num)s ad is on its way.", "%(num)s ads are on their way.")
UP_TO_DATE = N_("Everything is made already.")
CHANGED = ngettext("%(num)s ad changed.", "%(num)s ads changed.")
APPROVED = ngettext("%(num)s ad approved.", "%(num)s ads approved.")
REJECTED = ngettext("%(num)s ad rejected.", "%(num)s ads rejected.")
REOPENED = ngettext("%(num)s ad moved back to review.", "%(num)s ads moved back to review.")
LEFT_OUT = ngettext(
    "Left out: %(num)s ad of your own, which someone else has to approve.",
    "Left out: %(num)s ads of your own, which someone else has to approve.",
)
DECIDED = {"approved": APPROVED, "rejected": REJECTED, "open": REOPENED}


@router.get("/campaigns/{campaign_id}")
def show(
    request: Request,
    session: ReadSession,
    visitor: Viewer,
    campaign_id: RowId,
    asked: Annotated[MatrixQuery, Query()],
) -> Response:
    """A campaign that only groups pictures is shown as those."""
    row = queries.find_brief(session, workspace_id=visitor.workspace.id, campaign_id=campaign_id)
    if row is None:
        return go(request, f"/gallery?campaign={campaign_id}")
    part = matrix_part(session, visitor, row, asked.filters(), asked.after)
    given = campaign_page(session, visitor, row) | part
    if is_htmx(request):
        return fragment(request, "partials/matrix.html", **given)
    return page(request, "pages/campaign.html", **given)


@router.get("/campaigns/{campaign_id}/history")
def history(request: Request, session: ReadSession, visitor: Viewer, campaign_id: RowId) -> Response:
    where = {"workspace_id": visitor.workspace.id, "campaign_id": campaign_id}
    row = queries.brief_row(session, **where)
    acts = queries.recent_acts(session, workspace_id=visitor.workspace.id, campaign_id=campaign_id)
    people = accounts.names_of(session, {one.rendering.created_by for one in acts if one.rendering.created_by})
    given = campaign_page(session, visitor, row)
    return page(request, "pages/campaign_history.html", acts=acts, act_words=ACTS, people=people, **given)


@router.get("/renderings/{rendering_id}")
def show_act(request: Request, session: ReadSession, visitor: Viewer, rendering_id: RowId) -> Response:
    """The campaign that the act is about."""
    found = own(session, Rendering, rendering_id, visitor.workspace.id)
    return go(request, f"/campaigns/{found.campaign_id}")


@router.post("/campaigns/{campaign_id}/make")
@audited("campaign.made")
def make(request: Request, session: WriteSession, visitor: Editor, campaign_id: RowId) -> Response:
    """Order what the brief lists and what is not there yet."""
    made = service.produce(session, author(visitor, campaign_id))
    is_new = made.orders or made.changed is not None
    locale = request.state.locale
    told = counted(locale, MADE, made.cells) if is_new else translate(locale, UP_TO_DATE)
    return go(request, f"/campaigns/{campaign_id}", Flash("ok", told))


@router.post("/campaigns/{campaign_id}/take-over-kit")
@audited("campaign.changed")
def take_over_kit(request: Request, session: WriteSession, visitor: Editor, campaign_id: RowId) -> Response:
    changed = cells.take_over_kit(session, author(visitor, campaign_id))
    return answer(request, campaign_id, changed, f"/campaigns/{campaign_id}")


@router.post("/campaigns/{campaign_id}/acts/{rendering_id}/undo")
@audited("campaign.undone")
def undo(request: Request, session: WriteSession, visitor: Editor, campaign_id: RowId, rendering_id: RowId) -> Response:
    changed = cells.undo(session, author(visitor, campaign_id), rendering_id)
    return answer(request, campaign_id, changed, where_from(request, f"/campaigns/{campaign_id}"), can_undo=False)


@router.post("/campaigns/{campaign_id}/decide")
@audited("cell.decided")
def decide(
    request: Request,
    session: WriteSession,
    visitor: Editor,
    campaign_id: RowId,
    form: Annotated[DecideForm, Form()],
) -> Response:
    decided = decisions.decide(session, author(visitor, campaign_id), form.ids, form.review, form.reason)
    told = counted(request.state.locale, DECIDED[form.review], decided.count)
    if decided.left_out:
        told = f"{told} {counted(request.state.locale, LEFT_OUT, decided.left_out)}"
    return go(request, where_from(request, f"/campaigns/{campaign_id}"), Flash("ok", told))


def author(visitor: Visitor, campaign_id: str) -> Author:
    return Author(visitor.workspace.id, campaign_id, visitor.user.id, visitor.is_owner)


def answer(request: Request, campaign_id: str, changed: Changed | None, url: str, *, can_undo: bool = True) -> Response:
    """Back to ``url``, with what was done and the way to undo it."""
    if changed is None:
        return go(request, url, Flash("ok", translate(request.state.locale, UP_TO_DATE)))
    told = counted(request.state.locale, CHANGED, changed.count)
    if changed.reopened:
        told = f"{told} {counted(request.state.locale, REOPENED, changed.reopened)}"
    if not can_undo:
        return go(request, url, Flash("ok", told))
    return go(request, url, Flash("undo", told, f"/campaigns/{campaign_id}/acts/{changed.rendering.id}/undo"))
