"""The packs of a campaign: what would go in, made, watched, downloaded."""

from typing import Annotated

from fastapi import APIRouter, Form, Request, Response

from app.accounts import queries as accounts
from app.ad_files.names import DEFAULT_PATTERN, PLACEHOLDERS
from app.campaigns import queries as campaigns
from app.db import own
from app.errors import N_, NotFound
from app.matrix import queries
from app.matrix.models import Pack
from app.matrix.packs import queries as packs
from app.matrix.packs import service
from app.matrix.packs.forms import PackForm, reader
from app.matrix.pages.home_routes import author
from app.matrix.pages.view import campaign_page
from app.web.answers import go, is_htmx
from app.web.api.audited import audited
from app.web.api.deferred_route import DeferredRoute
from app.web.files import send
from app.web.flashes import Flash
from app.web.gate.signed_in import Editor, Viewer
from app.web.language import translate
from app.web.session_deps import FileStorage, ReadSession, WriteSession
from app.web.templating import fragment, page
from app.web.text import RowId

router = APIRouter(route_class=DeferredRoute)
ORDERED = N_("Pack %(number)s is being made.")
STOPPING = N_("Pack %(number)s will stop at its next file.")
WHY = {
    "waiting": N_("waiting for a picture"),
    "laying_out": N_("being laid out"),
    "problem": N_("not laid out"),
    "open": N_("to review"),
    "rejected": N_("rejected"),
}
"""Why an ad stays out, by its state."""


@router.get("/campaigns/{campaign_id}/packs")
def show(request: Request, session: ReadSession, visitor: Viewer, campaign_id: RowId) -> Response:
    where = {"workspace_id": visitor.workspace.id, "campaign_id": campaign_id}
    row = queries.brief_row(session, **where)
    found = packs.views(session, **where)
    given = {
        "packs": found,
        "people": accounts.names_of(session, {one.created_by for one in found if one.created_by}),
        **campaign_page(session, visitor, row),
    }
    if is_htmx(request):
        return fragment(request, "partials/packs.html", **given)
    return page(
        request,
        "pages/campaign_packs.html",
        going=packs.going(session, **where),
        why=WHY,
        pattern=row.name_pattern or DEFAULT_PATTERN,
        placeholders=PLACEHOLDERS,
        **given,
    )


@router.get("/packs/{pack_id}")
def show_pack(request: Request, session: ReadSession, visitor: Viewer, pack_id: RowId) -> Response:
    """The packs of the campaign that it belongs to."""
    found = own(session, Pack, pack_id, visitor.workspace.id)
    return go(request, f"/campaigns/{found.campaign_id}/packs#pack-{found.number}")


@router.post("/campaigns/{campaign_id}/packs")
@audited("pack.ordered")
def order(
    request: Request, session: WriteSession, visitor: Editor, campaign_id: RowId, form: Annotated[PackForm, Form()]
) -> Response:
    locale = request.state.locale
    made = service.order(session, author(visitor, campaign_id), tuple(form.formats), form.pattern, reader(locale))
    told = translate(locale, ORDERED, number=made.number)
    return go(request, f"/campaigns/{campaign_id}/packs", Flash("ok", told))


@router.get("/campaigns/{campaign_id}/packs/{pack_id}/download")
def download(
    session: ReadSession, visitor: Viewer, storage: FileStorage, campaign_id: RowId, pack_id: RowId
) -> Response:
    where = {"workspace_id": visitor.workspace.id, "campaign_id": campaign_id}
    found = packs.pack(session, **where, pack_id=pack_id)
    if found.key is None:
        raise NotFound()
    service.check_taking(session, found, may_all=visitor.downloads_open)
    name = packs.file_name(campaigns.campaign(session, **where).name, found.number)
    return send(storage, found.key, "application/zip", download_name=name, keep=False)


@router.post("/campaigns/{campaign_id}/packs/{pack_id}/cancel")
@audited("pack.cancelled")
def cancel(request: Request, session: WriteSession, visitor: Editor, campaign_id: RowId, pack_id: RowId) -> Response:
    where = {"workspace_id": visitor.workspace.id, "campaign_id": campaign_id}
    number = packs.pack(session, **where, pack_id=pack_id).number
    service.cancel(session, **where, pack_id=pack_id)
    told = translate(request.state.locale, STOPPING, number=number)
    return go(request, f"/campaigns/{campaign_id}/packs", Flash("ok", told))
