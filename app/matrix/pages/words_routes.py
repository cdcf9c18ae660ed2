"""What a campaign's ads say, by audience and language, with variants in the brand's voice; and the prompts of its
pictures."""

from typing import Annotated, Any

from fastapi import APIRouter, Form, Query, Request, Response

from app.errors import N_, NotFound
from app.matrix import pictures, queries, service
from app.matrix.brief import AudienceKey
from app.matrix.cells import Author
from app.matrix.drafts import service as drafts
from app.matrix.drafts.requests import DraftField
from app.matrix.pages.words_forms import DraftForm, PictureForm, WordsForm
from app.matrix.pages.words_view import limits, sheet, words_page
from app.web.answers import go, is_htmx, with_toast
from app.web.api.audited import audited
from app.web.api.deferred_route import DeferredRoute
from app.web.flashes import Flash
from app.web.gate.signed_in import Editor, Viewer
from app.web.gate.visitor import Visitor
from app.web.language import counted, ngettext, translate
from app.web.session_deps import ReadSession, WriteSession
from app.web.templating import fragment, page
from app.web.text import Line, RowId
from app.writings import queries as writings

router = APIRouter(route_class=DeferredRoute)
SAVED = N_("Words saved.")
CHANGED = ngettext("%(num)s ad changed.", "%(num)s ads changed.")
REOPENED = ngettext("%(num)s ad moved back to review.", "%(num)s ads moved back to review.")
DRAWING = N_("New pictures are on their way.")
Asked = Annotated[str | None, Query(max_length=20)]


@router.get("/campaigns/{campaign_id}/words")
def show_words(
    request: Request, session: ReadSession, visitor: Viewer, campaign_id: RowId, locale: Asked = None
) -> Response:
    row = queries.find_brief(session, workspace_id=visitor.workspace.id, campaign_id=campaign_id)
    if row is None:
        return go(request, "/campaigns")
    return page(request, "pages/words.html", **words_page(session, visitor, row, locale))


@router.post("/campaigns/{campaign_id}/words")
@audited("campaign.worded")
def save_words(
    request: Request, session: WriteSession, visitor: Editor, campaign_id: RowId, form: Annotated[WordsForm, Form()]
) -> Response:
    """Keep them for one audience, or for everybody."""
    author, locale = _author(visitor, campaign_id), request.state.locale
    row = queries.brief_row(session, workspace_id=visitor.workspace.id, campaign_id=campaign_id)
    others = [one.key for one in queries.brief_of(row).audiences if one.key != form.audience]
    changed = [
        service.save_words(session, author, audience, form.locale, form.words())
        for audience in (form.audience, *(others if form.everybody else ()))
    ]
    told = translate(locale, SAVED)
    for sentence, count in (
        (CHANGED, sum(one.count for one in changed if one is not None)),
        (REOPENED, sum(one.reopened for one in changed if one is not None)),
    ):
        told = f"{told} {counted(locale, sentence, count)}" if count else told
    if not is_htmx(request) or form.everybody:
        address = f"/campaigns/{campaign_id}/words?locale={form.locale}#words-{form.audience}-{form.locale}"
        return go(request, address, Flash("ok", told))
    one = sheet(session, visitor, row, form.audience, form.locale)
    rules = writings.rules_of(session, [row.project_id])[row.project_id]
    given: dict[str, Any] = {"one": one, "campaign_id": campaign_id, "limits": limits(rules), "many": bool(others)}
    return with_toast(fragment(request, "partials/words_sheet.html", **given), told)


@router.post("/campaigns/{campaign_id}/words/drafts")
@audited("writing.ordered")
def order_drafts(
    request: Request,
    reading: ReadSession,
    session: WriteSession,
    visitor: Editor,
    campaign_id: RowId,
    form: Annotated[DraftForm, Form()],
) -> Response:
    """Three variants of one field, in the brand's voice."""
    author = _author(visitor, campaign_id)
    composed = drafts.compose(reading, author, form.audience, form.locale, form.field)
    drafts.order(session, author, form.audience, form.locale, form.field, composed)
    if is_htmx(request):
        return _drafts(request, session, visitor, campaign_id, form.audience, form.locale, form.field)
    return go(request, f"/campaigns/{campaign_id}/words?locale={form.locale}#words-{form.audience}-{form.locale}")


@router.get("/campaigns/{campaign_id}/words/drafts")
def show_drafts(
    request: Request,
    session: ReadSession,
    visitor: Viewer,
    campaign_id: RowId,
    audience: Annotated[AudienceKey, Query()],
    locale: Annotated[Line, Query(max_length=20)],
    field: Annotated[DraftField, Query()],
) -> Response:
    """The variants of one field as far as they are written."""
    queries.brief_row(session, workspace_id=visitor.workspace.id, campaign_id=campaign_id)
    if not is_htmx(request):
        return go(request, f"/campaigns/{campaign_id}/words?locale={locale}")
    return _drafts(request, session, visitor, campaign_id, audience, locale, field)


def _drafts(
    request: Request,
    session: ReadSession,
    visitor: Visitor,
    campaign_id: str,
    audience: str,
    locale: str,
    field: DraftField,
) -> Response:
    row = queries.brief_row(session, workspace_id=visitor.workspace.id, campaign_id=campaign_id)
    one = sheet(session, visitor, row, audience, locale)
    if one is None:
        raise NotFound()
    return fragment(request, "partials/words_drafts.html", one=one, name=field, campaign_id=campaign_id)


@router.post("/campaigns/{campaign_id}/pictures")
@audited("campaign.pictured")
def draw(
    request: Request, session: WriteSession, visitor: Editor, campaign_id: RowId, form: Annotated[PictureForm, Form()]
) -> Response:
    """New pictures for one audience and class of proportions."""
    pictures.draw(session, _author(visitor, campaign_id), form.audience, form.shape, form.prompt)
    told = translate(request.state.locale, DRAWING)
    if is_htmx(request):
        return with_toast(Response(status_code=204), told)
    return go(request, f"/campaigns/{campaign_id}/words", Flash("ok", told))


def _author(visitor: Visitor, campaign_id: str) -> Author:
    return Author(visitor.workspace.id, campaign_id, visitor.user.id, visitor.is_owner)
