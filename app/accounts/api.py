"""People, keys and settings of the token's workspace, as JSON."""

from datetime import datetime
from decimal import Decimal

from fastapi import APIRouter, Request, Response
from pydantic import BaseModel, Field

from app.accounts import members, queries, recovery, second_factors, service, tokens
from app.accounts.forms import Currency, InviteForm, Locale, NameForm, Price, Role, RoleForm
from app.accounts.models import Invitation
from app.accounts.pages.member_routes import base_url
from app.web.api.audited import audited
from app.web.api.deferred_route import DeferredRoute
from app.web.api.json_body import JsonBody
from app.web.gate import rate_limit
from app.web.gate.signed_in import Owner, Viewer
from app.web.session_deps import AppSettings, ReadSession, WriteSession
from app.web.text import Name, RowId

router = APIRouter(tags=["people"], route_class=DeferredRoute)


class Me(BaseModel, defer_build=True):
    """Whose token this is, and where it works."""

    user_id: str
    name: str
    email: str
    locale: str
    role: Role = Field(
        description="viewer looks and downloads what is approved, editor also makes, owner also manages people"
    )
    read_only: bool = Field(description="Whether this token may only read")
    workspace_id: str
    workspace_name: str
    has_second_factor: bool = Field(description="Set up on the page “Your account”: it needs a browser or a device")
    may_make_workspaces: bool


class ChangeMe(JsonBody):
    """What is left out stays."""

    name: Name | None = None
    locale: Locale | None = None


class NewWorkspace(JsonBody, NameForm):
    """A further workspace, which the token's person will own."""


class ChangeRole(JsonBody, RoleForm):
    """What somebody may do from now on."""


class NewInvitation(JsonBody, InviteForm):
    """Whom to invite, and what they may do."""


class MemberItem(BaseModel, defer_build=True):
    """Somebody who belongs to the workspace."""

    user_id: str
    name: str
    email: str
    role: Role
    since: datetime
    has_second_factor: bool | None = Field(description="For owners alone; null for others")


class MemberList(BaseModel, defer_build=True):
    items: list[MemberItem]
    next: str | None = None


class EndedLinks(BaseModel, defer_build=True):
    """What ended with somebody's right to let people in: links of theirs that still worked until then."""

    invitations: int
    reset_links: int


class ResetLinkItem(BaseModel, defer_build=True):
    """A one-time link with which a member sets a new password. It is shown this once; pass it on."""

    link: str
    expires_at: datetime


class InvitationItem(BaseModel, defer_build=True):
    """An invitation whose link still works. Livery sends no mail: pass the link on."""

    id: str
    email: str
    role: Role
    link: str
    created_at: datetime
    expires_at: datetime


class InvitationList(BaseModel, defer_build=True):
    items: list[InvitationItem]
    next: str | None = None


class TokenItem(BaseModel, defer_build=True):
    """A token without its secret, which is shown once, on the settings page that makes it."""

    id: str
    name: str
    prefix: str
    read_only: bool
    user_id: str
    user_name: str
    created_at: datetime
    last_used_at: datetime | None


class TokenList(BaseModel, defer_build=True):
    items: list[TokenItem]
    next: str | None = None


class WorkspaceSettings(BaseModel, defer_build=True):
    """Name, what an hour of the device costs (null when nobody has said), and what members must or may."""

    name: str
    price_per_hour: Decimal | None
    currency: str
    requires_second_factor: bool
    forbids_own_approval: bool = Field(description="Whether members may not approve their own work.")
    viewers_download_open: bool = Field(description="Whether viewers may download what is not approved.")


class ChangeWorkspace(JsonBody):
    """What is left out stays; a price of null means that nobody knows."""

    name: Name | None = None
    price_per_hour: Price = None
    currency: Currency | None = None
    requires_second_factor: bool | None = None
    forbids_own_approval: bool | None = None
    viewers_download_open: bool | None = None


class WorkspaceItem(BaseModel, defer_build=True):
    """A workspace that the token's person belongs to. A token works in one alone; make another in the other."""

    id: str
    name: str
    role: Role


class WorkspaceList(BaseModel, defer_build=True):
    items: list[WorkspaceItem]
    next: str | None = None


@router.get("/me", summary="Show whose token this is")
def me(visitor: Viewer, session: ReadSession, settings: AppSettings) -> Me:
    return Me(
        user_id=visitor.user.id,
        name=visitor.user.name,
        email=visitor.user.email,
        locale=visitor.user.locale,
        role=visitor.role,
        read_only=visitor.read_only,
        workspace_id=visitor.workspace.id,
        workspace_name=visitor.workspace.name,
        has_second_factor=second_factors.has_one(session, visitor.user.id),
        may_make_workspaces=queries.may_make_workspaces(session, user_id=visitor.user.id, by=settings.workspaces_by),
    )


@router.patch("/me", status_code=204, summary="Change your name or language")
@audited("person.changed")
def change_me(change: ChangeMe, visitor: Viewer, session: WriteSession) -> Response:
    if change.name is not None:
        service.rename_person(session, user_id=visitor.user.id, name=change.name)
    service.prefer(session, user_id=visitor.user.id, locale=change.locale, theme=None)
    return Response(status_code=204)


@router.get("/members", summary="List everyone in the workspace")
def list_members(visitor: Viewer, session: ReadSession) -> MemberList:
    found = queries.members(session, visitor.workspace.id)
    hidden = {} if visitor.may("owner") else {"has_second_factor": None}
    return MemberList(items=[MemberItem.model_validate(member._asdict() | hidden) for member in found])


@router.patch("/members/{user_id}", summary="Change a member's role")
@audited("member.role_changed")
def change_role(user_id: RowId, change: ChangeRole, visitor: Owner, session: WriteSession) -> EndedLinks:
    done = members.change_role(session, workspace_id=visitor.workspace.id, user_id=user_id, role=change.role)
    return EndedLinks(**done._asdict())


@router.delete("/members/{user_id}", summary="Remove a member; what they created stays")
@audited("member.removed")
def remove_member(user_id: RowId, visitor: Owner, session: WriteSession) -> EndedLinks:
    done = members.remove_member(session, workspace_id=visitor.workspace.id, user_id=user_id)
    return EndedLinks(**done._asdict())


@router.post("/members/{user_id}/reset-link", status_code=201, summary="Create a link for a forgotten password")
@audited("reset_link.created")
def make_reset_link(
    request: Request, user_id: RowId, visitor: Owner, session: WriteSession, settings: AppSettings
) -> ResetLinkItem:
    """Works only for a member who belongs to no other workspace: a token cannot reach other workspaces."""
    rate_limit.count(settings.broker_url, rate_limit.INVITATIONS, visitor.workspace.id)
    where = {"workspace_id": visitor.workspace.id}
    recovery.check_reach(session, user_id=user_id, owner_id=visitor.user.id, only_here=True, **where)
    link, token = recovery.make_link(session, user_id=user_id, made_by=visitor.user.id, **where)
    address = recovery.link_address(base_url(request, settings), token)
    return ResetLinkItem(link=address, expires_at=link.expires_at)


@router.delete(
    "/members/{user_id}/second-factor", status_code=204, summary="Remove a locked-out member's second factor"
)
@audited("member.second_factor_removed")
def remove_second_factor(user_id: RowId, visitor: Owner, session: WriteSession) -> Response:
    """Works only for a member who belongs to no other workspace: a token cannot reach other workspaces."""
    where = {"workspace_id": visitor.workspace.id}
    recovery.check_reach(session, user_id=user_id, owner_id=visitor.user.id, only_here=True, **where)
    second_factors.remove_all(session, user_id)
    return Response(status_code=204)


@router.get("/invitations", summary="List pending invitations")
def list_invitations(request: Request, visitor: Owner, session: ReadSession, settings: AppSettings) -> InvitationList:
    found = queries.open_invitations(session, visitor.workspace.id)
    base = base_url(request, settings)
    return InvitationList(items=[_invitation(request, one, base) for one in found])


@router.post("/invitations", status_code=201, summary="Invite someone by e-mail address")
@audited("invitation.created")
def invite(
    request: Request, order: NewInvitation, visitor: Owner, session: WriteSession, settings: AppSettings
) -> InvitationItem:
    rate_limit.count(settings.broker_url, rate_limit.INVITATIONS, visitor.workspace.id)
    made = members.invite(
        session, workspace_id=visitor.workspace.id, email=order.email, role=order.role, invited_by=visitor.user.id
    )
    return _invitation(request, made, base_url(request, settings))


def _invitation(request: Request, one: Invitation, base: str) -> InvitationItem:
    link = members.invitation_link(request.app.state.signing_key, one.id, base)
    return InvitationItem.model_validate({**vars(one), "link": link})


@router.delete("/invitations/{invitation_id}", status_code=204, summary="Withdraw an invitation")
@audited("invitation.withdrawn")
def withdraw(invitation_id: RowId, visitor: Owner, session: WriteSession) -> Response:
    members.withdraw_invitation(session, workspace_id=visitor.workspace.id, invitation_id=invitation_id)
    return Response(status_code=204)


@router.get("/tokens", summary="List your tokens; owners see everyone's")
def list_tokens(visitor: Viewer, session: ReadSession) -> TokenList:
    whose = None if visitor.may("owner") else visitor.user.id
    found = queries.tokens(session, visitor.workspace.id, user_id=whose)
    return TokenList(items=[TokenItem.model_validate(token._asdict()) for token in found])


@router.delete("/tokens/{token_id}", status_code=204, summary="Revoke a token")
@audited("token.revoked")
def revoke_token(token_id: RowId, visitor: Viewer, session: WriteSession) -> Response:
    whose = None if visitor.may("owner") else visitor.user.id
    tokens.revoke_token(session, workspace_id=visitor.workspace.id, token_id=token_id, user_id=whose)
    return Response(status_code=204)


@router.get("/workspace", summary="Show the workspace's settings")
def settings(visitor: Viewer, session: ReadSession) -> WorkspaceSettings:
    return WorkspaceSettings.model_validate(vars(queries.workspace(session, visitor.workspace.id)))


@router.patch("/workspace", summary="Change the workspace's settings")
@audited("workspace.changed")
def change_settings(change: ChangeWorkspace, visitor: Owner, session: WriteSession) -> WorkspaceSettings:
    present = queries.workspace(session, visitor.workspace.id)
    changed = members.change_workspace(
        session,
        workspace_id=visitor.workspace.id,
        name=change.name or present.name,
        price_per_hour=change.price_per_hour if "price_per_hour" in change.model_fields_set else present.price_per_hour,
        currency=change.currency or present.currency,
        changed_by=visitor.user.id,
        **{
            name: getattr(present if getattr(change, name) is None else change, name)
            for name in ("requires_second_factor", "forbids_own_approval", "viewers_download_open")
        },
    )
    return WorkspaceSettings.model_validate(vars(changed))


@router.get("/workspaces", summary="List the workspaces that you belong to")
def list_workspaces(visitor: Viewer, session: ReadSession) -> WorkspaceList:
    found = queries.workspaces_of(session, visitor.user.id)
    return WorkspaceList(items=[WorkspaceItem.model_validate(one._asdict()) for one in found])


@router.post("/workspaces", status_code=201, summary="Create a new workspace that you own")
@audited("workspace.created")
def make_workspace(order: NewWorkspace, visitor: Viewer, session: WriteSession, settings: AppSettings) -> WorkspaceItem:
    """The installation's settings define who may create workspaces; `GET /me` shows whether you may."""
    queries.check_may_make_workspaces(session, user_id=visitor.user.id, by=settings.workspaces_by)
    made = members.create_workspace(session, user_id=visitor.user.id, name=order.name)
    return WorkspaceItem(id=made.id, name=made.name, role="owner")
