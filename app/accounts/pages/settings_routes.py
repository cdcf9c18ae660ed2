"""The workspace's settings, the tokens of programs, and the page that says what programs can do."""

from typing import Annotated

from fastapi import APIRouter, Form, Request, Response
from fastapi.responses import JSONResponse

from app.accounts import members, queries, tokens
from app.accounts.api_guide import guide
from app.accounts.forms import TokenForm, WorkspaceForm
from app.accounts.pages.member_routes import base_url
from app.errors import N_
from app.web.answers import go
from app.web.api.audited import audited
from app.web.api.deferred_route import DeferredRoute
from app.web.flashes import Flash
from app.web.gate.signed_in import Owner, Viewer
from app.web.language import translate
from app.web.session_deps import AppSettings, ReadSession, WriteSession
from app.web.templating import page
from app.web.text import RowId

router = APIRouter(prefix="/settings", route_class=DeferredRoute)


@router.get("")
def show(request: Request, visitor: Viewer, session: ReadSession) -> Response:
    """Everybody may read them; owners may change them."""
    workspace = queries.workspace(session, visitor.workspace.id)
    return page(request, "pages/workspace_settings.html", workspace=workspace, currencies=members.CURRENCIES)


@router.post("")
@audited("workspace.changed")
def change(request: Request, form: Annotated[WorkspaceForm, Form()], visitor: Owner, session: WriteSession) -> Response:
    members.change_workspace(
        session,
        workspace_id=visitor.workspace.id,
        name=form.name,
        price_per_hour=form.price_per_hour,
        currency=form.currency,
        requires_second_factor=form.requires_second_factor,
        forbids_own_approval=form.forbids_own_approval,
        viewers_download_open=form.viewers_download_open,
        changed_by=visitor.user.id,
    )
    return go(request, "/settings", Flash("ok", translate(request.state.locale, N_("Settings saved."))))


@router.get("/tokens")
def show_tokens(request: Request, visitor: Viewer, session: ReadSession) -> Response:
    return page(request, "pages/tokens.html", tokens=_tokens(visitor, session), made=None)


def _tokens(visitor: Viewer, session: ReadSession) -> list[queries.TokenOf]:
    """One's own; an owner sees everybody's, so that none is forgotten."""
    whose = None if visitor.is_owner else visitor.user.id
    return queries.tokens(session, visitor.workspace.id, user_id=whose)


@router.post("/tokens")
@audited("token.created")
def make_token(
    request: Request, form: Annotated[TokenForm, Form()], visitor: Viewer, session: WriteSession
) -> Response:
    """The only answer that ever holds the secret, so this one is a page and not a way to the next."""
    token, secret = tokens.make_token(
        session,
        workspace_id=visitor.workspace.id,
        user_id=visitor.user.id,
        name=form.name,
        read_only=form.read_only,
    )
    return page(
        request, "pages/tokens.html", tokens=_tokens(visitor, session), made={"name": token.name, "secret": secret}
    )


@router.post("/tokens/{token_id}/revoke")
@audited("token.revoked")
def revoke_token(request: Request, token_id: RowId, visitor: Viewer, session: WriteSession) -> Response:
    whose = None if visitor.is_owner else visitor.user.id
    tokens.revoke_token(session, workspace_id=visitor.workspace.id, token_id=token_id, user_id=whose)
    text = translate(request.state.locale, N_("Token revoked. Programs that use it no longer have access."))
    return go(request, "/settings/tokens", Flash("ok", text))


@router.get("/api/openapi.json")
def api_description(request: Request, visitor: Viewer) -> JSONResponse:
    """The same as ``/api/openapi.json``, for a browser, which has no token."""
    return JSONResponse(request.app.openapi())


@router.get("/api")
def api_page(request: Request, visitor: Viewer, settings: AppSettings) -> Response:
    chapters = guide(request.app.openapi(), base_url(request, settings).rstrip("/"))
    return page(request, "pages/api.html", chapters=chapters, base=base_url(request, settings).rstrip("/"))
