"""Who belongs to the workspace, and the workspaces that one belongs to."""

from typing import Annotated

from fastapi import APIRouter, Form, Request, Response

from app.accounts import members, queries
from app.accounts.forms import InviteForm, NameForm, RoleForm, SwitchForm
from app.errors import N_
from app.settings import Settings
from app.web import rate_limit
from app.web.answers import go
from app.web.deferred_route import DeferredRoute
from app.web.flashes import Flash
from app.web.language import translate
from app.web.session_deps import AppSettings, ReadSession, WriteSession
from app.web.signed_in import Owner, Viewer
from app.web.templating import page
from app.web.text import RowId

router = APIRouter(route_class=DeferredRoute)


def base_url(request: Request, settings: Settings) -> str:
    """The address that people reach this Livery under, as far as it is known."""
    return settings.public_url or str(request.base_url)


def _done(request: Request, sentence: str, where: str = "/members") -> Response:
    return go(request, where, Flash("ok", translate(request.state.locale, sentence)))


@router.get("/members")
def show(request: Request, visitor: Viewer, session: ReadSession, settings: AppSettings) -> Response:
    key, base = request.app.state.signing_key, base_url(request, settings)
    open_ones = queries.open_invitations(session, visitor.workspace.id) if visitor.is_owner else []
    return page(
        request,
        "pages/members.html",
        members=queries.members(session, visitor.workspace.id),
        invitations=[(one, members.invitation_link(key, one.id, base)) for one in open_ones],
    )


@router.post("/members/{user_id}/role")
def change_role(
    request: Request, user_id: RowId, form: Annotated[RoleForm, Form()], visitor: Owner, session: WriteSession
) -> Response:
    members.change_role(session, workspace_id=visitor.workspace.id, user_id=user_id, role=form.role)
    return _done(request, N_("The role is changed. It counts from now on."))


@router.post("/members/{user_id}/remove")
def remove(request: Request, user_id: RowId, visitor: Owner, session: WriteSession) -> Response:
    members.remove_member(session, workspace_id=visitor.workspace.id, user_id=user_id)
    return _done(request, N_("That person no longer belongs to this workspace. What they made stays."))


@router.post("/members/leave")
def leave(request: Request, visitor: Viewer, session: WriteSession) -> Response:
    members.remove_member(session, workspace_id=visitor.workspace.id, user_id=visitor.user.id)
    return _done(request, N_("You have left the workspace."), "/sign-in")


@router.post("/members/invitations")
def invite(
    request: Request,
    form: Annotated[InviteForm, Form()],
    visitor: Owner,
    session: WriteSession,
    settings: AppSettings,
) -> Response:
    rate_limit.count(settings.broker_url, rate_limit.INVITATIONS, visitor.workspace.id)
    members.invite(
        session, workspace_id=visitor.workspace.id, email=form.email, role=form.role, invited_by=visitor.user.id
    )
    return _done(request, N_("The invitation is ready. Copy its link and send it to the person."))


@router.post("/members/invitations/{invitation_id}/withdraw")
def withdraw(request: Request, invitation_id: RowId, visitor: Owner, session: WriteSession) -> Response:
    members.withdraw_invitation(session, workspace_id=visitor.workspace.id, invitation_id=invitation_id)
    return _done(request, N_("The invitation is withdrawn; its link opens nothing any more."))


@router.get("/workspaces")
def workspaces(request: Request, visitor: Viewer, session: ReadSession) -> Response:
    return page(request, "pages/workspaces.html", workspaces=queries.workspaces_of(session, visitor.user.id))


@router.post("/workspaces")
def create(request: Request, form: Annotated[NameForm, Form()], visitor: Viewer, session: WriteSession) -> Response:
    made = members.create_workspace(session, user_id=visitor.user.id, name=form.name)
    return _switch(request, visitor, session, made.id)


@router.post("/workspace/switch")
def switch(request: Request, form: Annotated[SwitchForm, Form()], visitor: Viewer, session: WriteSession) -> Response:
    return _switch(request, visitor, session, form.workspace_id)


def _switch(request: Request, visitor: Viewer, session: WriteSession, workspace_id: str) -> Response:
    members.switch_workspace(session, user_id=visitor.user.id, session_id=visitor.session_id, workspace_id=workspace_id)
    return go(request, "/")
