"""The page of channels in the workspace's settings."""

from typing import Annotated

from fastapi import APIRouter, Form, Request, Response

from app.campaigns.channels import queries, service
from app.campaigns.channels.forms import ChannelForm
from app.errors import N_
from app.layouts.channels import channels
from app.web.answers import go
from app.web.api.audited import audited
from app.web.api.deferred_route import DeferredRoute
from app.web.flashes import Flash
from app.web.gate.signed_in import Owner, Viewer
from app.web.language import translate
from app.web.session_deps import ReadSession, WriteSession
from app.web.templating import page
from app.web.text import RowId

router = APIRouter(prefix="/settings/channels", route_class=DeferredRoute)

ADDED = N_("Channel added.")
REMOVED = N_("Channel removed. Ads that were made for it stay.")
CAME_BACK = N_("The channel is back.")


@router.get("")
def show_channels(request: Request, session: ReadSession, visitor: Viewer) -> Response:
    """Everybody may see them; owners add and remove their own."""
    own = queries.own_channels(session, workspace_id=visitor.workspace.id)
    shown = [(row, queries.channel_of(row)) for row in own]
    return page(request, "pages/channels.html", own=shown, known=channels(), most=service.MOST_OWN)


@router.post("")
@audited("channel.added")
def add_channel(
    request: Request, session: WriteSession, visitor: Owner, form: Annotated[ChannelForm, Form()]
) -> Response:
    where = {"workspace_id": visitor.workspace.id, "user_id": visitor.user.id}
    service.add_channel(session, **where, wanted=form.wanted())
    return go(request, "/settings/channels", Flash("ok", translate(request.state.locale, ADDED)))


@router.post("/{channel_id}/remove")
@audited("channel.removed")
def remove_channel(request: Request, session: WriteSession, visitor: Owner, channel_id: RowId) -> Response:
    service.remove_channel(session, workspace_id=visitor.workspace.id, channel_id=channel_id)
    undo = f"/settings/channels/{channel_id}/put-back"
    return go(request, "/settings/channels", Flash("undo", translate(request.state.locale, REMOVED), undo))


@router.post("/{channel_id}/put-back")
@audited("channel.put_back")
def put_back_channel(request: Request, session: WriteSession, visitor: Owner, channel_id: RowId) -> Response:
    service.put_back_channel(session, workspace_id=visitor.workspace.id, channel_id=channel_id)
    return go(request, "/settings/channels", Flash("ok", translate(request.state.locale, CAME_BACK)))
