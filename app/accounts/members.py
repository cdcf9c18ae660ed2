"""Workspaces, who belongs to them, and how one comes in. Raises the kinds of ``accounts.errors``."""

from datetime import timedelta
from decimal import Decimal
from typing import NamedTuple

from itsdangerous import BadData, URLSafeSerializer
from sqlalchemy import ColumnElement, CursorResult, delete, select, update
from sqlalchemy.orm import Session

from app.accounts import errors
from app.accounts.models import (
    ROLES,
    ApiToken,
    BrowserSession,
    Invitation,
    Membership,
    ResetLink,
    User,
    Workspace,
)
from app.accounts.second_factors import has_one
from app.accounts.service import checked_email, checked_name
from app.audit import service as audit
from app.db import now, own
from app.errors import NotFound

INVITATION_LIFE = timedelta(days=7)
CURRENCIES = ("EUR", "CHF", "USD", "GBP", "DKK", "NOK", "SEK", "PLN", "CZK")


class Withdrawn(NamedTuple):
    """What went with somebody's right to let people in: how many links of theirs still worked until then."""

    invitations: int = 0
    reset_links: int = 0


def create_workspace(session: Session, *, user_id: str, name: str) -> Workspace:
    """A further workspace, which its maker owns."""
    workspace = Workspace(name=checked_name(name))
    session.add(workspace)
    session.flush()
    session.add(Membership(workspace_id=workspace.id, user_id=user_id, role="owner"))
    audit.within(session, workspace.id)
    session.flush()
    return workspace


def change_workspace(
    session: Session,
    *,
    workspace_id: str,
    name: str,
    price_per_hour: Decimal | None,
    currency: str,
    requires_second_factor: bool,
    forbids_own_approval: bool,
    viewers_download_open: bool,
    changed_by: str,
) -> Workspace:
    """Set name, what an hour of the device costs (None when nobody knows), and what members must or may.

    Raises ``SecondFactorFirst`` if who asks that of others has none.
    """
    workspace = session.get(Workspace, workspace_id)
    if workspace is None:
        raise NotFound()
    if requires_second_factor and not workspace.requires_second_factor and not has_one(session, changed_by):
        raise errors.SecondFactorFirst()
    workspace.name, workspace.price_per_hour, workspace.currency = checked_name(name), price_per_hour, currency
    workspace.requires_second_factor = requires_second_factor
    workspace.forbids_own_approval, workspace.viewers_download_open = forbids_own_approval, viewers_download_open
    session.flush()
    return workspace


def switch_workspace(session: Session, *, user_id: str, session_id: str | None, workspace_id: str) -> None:
    """Let a browser look at another workspace of its person. Raises ``NotFound``."""
    _membership(session, workspace_id, user_id)
    session.execute(
        update(BrowserSession)
        .where(BrowserSession.id == (session_id or ""), BrowserSession.user_id == user_id)
        .values(workspace_id=workspace_id)
    )


def _membership(session: Session, workspace_id: str, user_id: str) -> Membership:
    membership = session.scalar(
        select(Membership).where(Membership.workspace_id == workspace_id, Membership.user_id == user_id)
    )
    if membership is None:
        raise NotFound()
    return membership


def _keep_an_owner(session: Session, membership: Membership) -> None:
    """Raises ``LastOwner`` if this is the only one; locks the owners, so that two cannot leave at once."""
    if membership.role != "owner":
        return
    owners = session.scalars(
        select(Membership.user_id)
        .where(Membership.workspace_id == membership.workspace_id, Membership.role == "owner")
        .with_for_update()
    ).all()
    if len(owners) < 2:
        raise errors.LastOwner()


def _withdraw_links(session: Session, workspace_id: str, user_id: str, *, is_gone: bool) -> Withdrawn:
    """End what somebody handed out as an owner: open invitations, and links to set others' passwords. Of somebody who
    ``is_gone`` also an invitation to their own address, which they may have left unused and would come back by."""
    theirs = Invitation.invited_by == user_id
    if is_gone:
        theirs |= Invitation.email == select(User.email).where(User.id == user_id).scalar_subquery()
    by_them = (Invitation.workspace_id == workspace_id, theirs)
    gone = session.execute(
        delete(Invitation)
        .where(*by_them, Invitation.accepted_at.is_(None))
        .returning(Invitation.expires_at)
        .execution_options(synchronize_session=False)
    )
    links = session.execute(
        delete(ResetLink)
        .where(ResetLink.workspace_id == workspace_id, ResetLink.made_by == user_id)
        .returning(ResetLink.expires_at)
        .execution_options(synchronize_session=False)
    )
    moment = now()
    return Withdrawn(*(sum(expires_at > moment for expires_at in ended.scalars()) for ended in (gone, links)))


def change_role(session: Session, *, workspace_id: str, user_id: str, role: str) -> Withdrawn:
    """Who is no owner any more cannot let anybody in: their open links end. Raises ``NotFound`` for somebody who is no
    member, ``LastOwner``."""
    assert role in ROLES
    membership = _membership(session, workspace_id, user_id)
    if role != "owner":
        _keep_an_owner(session, membership)
    membership.role = role
    session.flush()
    return Withdrawn() if role == "owner" else _withdraw_links(session, workspace_id, user_id, is_gone=False)


def remove_member(session: Session, *, workspace_id: str, user_id: str) -> Withdrawn:
    """End a membership, with the person's browsers and tokens in this workspace, and the links they handed out as an
    owner. What they made stays.

    Raises ``NotFound`` for somebody who is no member, ``LastOwner``.
    """
    membership = _membership(session, workspace_id, user_id)
    _keep_an_owner(session, membership)
    withdrawn = _withdraw_links(session, workspace_id, user_id, is_gone=True)
    session.execute(
        delete(BrowserSession).where(BrowserSession.user_id == user_id, BrowserSession.workspace_id == workspace_id)
    )
    session.execute(
        update(ApiToken)
        .where(ApiToken.user_id == user_id, ApiToken.workspace_id == workspace_id, ApiToken.revoked_at.is_(None))
        .values(revoked_at=now())
    )
    session.delete(membership)
    session.flush()
    return withdrawn


def invite(session: Session, *, workspace_id: str, email: str, role: str, invited_by: str) -> Invitation:
    """An invitation, in place of an earlier one to the same address. Raises ``BadEmail``, ``AlreadyMember``."""
    assert role in ROLES
    email = checked_email(email)
    member = select(Membership).join(User, User.id == Membership.user_id)
    if session.scalar(member.where(Membership.workspace_id == workspace_id, User.email == email)):
        raise errors.AlreadyMember(email=email)
    session.execute(
        delete(Invitation).where(
            Invitation.workspace_id == workspace_id, Invitation.email == email, Invitation.accepted_at.is_(None)
        )
    )
    invitation = Invitation(
        workspace_id=workspace_id, email=email, role=role, invited_by=invited_by, expires_at=now() + INVITATION_LIFE
    )
    session.add(invitation)
    session.flush()
    return invitation


def withdraw_invitation(session: Session, *, workspace_id: str, invitation_id: str) -> None:
    """Its link opens nothing any more. Raises ``NotFound``, also for one that was accepted."""
    session.delete(own(session, Invitation, invitation_id, workspace_id, Invitation.accepted_at.is_(None)))
    session.flush()


def _signer(signing_key: bytes) -> URLSafeSerializer:
    return URLSafeSerializer(signing_key, salt="invitation")


def invitation_link(signing_key: bytes, invitation_id: str, base_url: str) -> str:
    """The address to send. When it ends stands on the row, so it can be shown again as long as it works."""
    return f"{base_url.rstrip('/')}/invitations/accept?invitation={_signer(signing_key).dumps(invitation_id)}"


def invitation_works() -> tuple[ColumnElement[bool], ...]:
    """What an invitation needs so that its link opens something: unused, in time, and from somebody who is an owner of
    its workspace now, whatever became of them meanwhile."""
    inviter = select(Membership.user_id).where(
        Membership.user_id == Invitation.invited_by,
        Membership.workspace_id == Invitation.workspace_id,
        Membership.role == "owner",
    )
    return Invitation.accepted_at.is_(None), Invitation.expires_at > now(), inviter.exists()


def open_invitation(session: Session, signing_key: bytes, signed: str) -> Invitation:
    """The invitation behind a link. Raises ``InvitationSpent`` for anything that does not work (any more)."""
    try:
        invitation_id = _signer(signing_key).loads(signed)
    except BadData as error:
        raise errors.InvitationSpent() from error
    found = session.scalar(select(Invitation).where(Invitation.id == str(invitation_id), *invitation_works()))
    if found is None:
        raise errors.InvitationSpent()
    return found


def accept_invitation(session: Session, *, invitation_id: str, user_id: str) -> str:
    """Let a person in; the link works once, however many use it at the same moment. Returns the workspace's id.

    Raises ``InvitationSpent``, ``AlreadyMember``.
    """
    taken = session.execute(
        update(Invitation)
        .where(Invitation.id == invitation_id, *invitation_works())
        .values(accepted_at=now())
        .execution_options(synchronize_session=False)
    )
    assert isinstance(taken, CursorResult)
    if taken.rowcount != 1:
        raise errors.InvitationSpent()
    invitation, user = session.get_one(Invitation, invitation_id), session.get_one(User, user_id)
    key = {"workspace_id": invitation.workspace_id, "user_id": user_id}
    if session.get(Membership, key) is not None:
        raise errors.AlreadyMember(email=user.email)
    session.add(Membership(**key, role=invitation.role))
    audit.within(session, invitation.workspace_id)
    session.flush()
    return invitation.workspace_id
