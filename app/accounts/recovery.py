"""Ways back in for somebody who is locked out. Raises the kinds of ``accounts.errors``.

An owner may help those who belong to nothing but workspaces of theirs: with somebody's password come all the
workspaces of that person, and nobody may reach a foreign one by that. For all others there is the machine itself,
``python -m app.rescue``.
"""

import secrets
from datetime import timedelta
from typing import NamedTuple

from sqlalchemy import delete, func, or_, select, update
from sqlalchemy.orm import Session

from app.accounts import errors, second_factors
from app.accounts.models import ApiToken, Membership, ResetLink, User, Workspace
from app.accounts.service import person, sha256, sign_out_everywhere
from app.db import now
from app.errors import NotFound

LINK_LIFE = timedelta(hours=1)


def _roles(session: Session, user_id: str) -> dict[str, str]:
    """Somebody's role by workspace."""
    rows = session.execute(select(Membership.workspace_id, Membership.role).where(Membership.user_id == user_id))
    return {row.workspace_id: row.role for row in rows}


def _is_within_reach(session: Session, *, user_id: str, owner_id: str, workspace_id: str, only_here: bool) -> bool:
    """Whether every workspace of a person is one that the owner owns; with ``only_here``, this one alone counts."""
    owned = {where for where, role in _roles(session, owner_id).items() if role == "owner"}
    belongs_to = set(_roles(session, user_id))
    return workspace_id in owned & belongs_to and belongs_to <= ({workspace_id} if only_here else owned)


def check_reach(session: Session, *, user_id: str, owner_id: str, workspace_id: str, only_here: bool) -> User:
    """The member whom this owner may help. ``only_here`` for a token, which reaches no other workspace of its person.

    Raises ``NotFound`` for somebody who is no member, ``OwnPassword``, ``NotYoursAlone``.
    """
    if session.get(Membership, {"workspace_id": workspace_id, "user_id": user_id}) is None:
        raise NotFound()
    if user_id == owner_id:
        raise errors.OwnPassword()
    user = person(session, user_id)
    if not _is_within_reach(
        session, user_id=user_id, owner_id=owner_id, workspace_id=workspace_id, only_here=only_here
    ):
        raise errors.NotYoursAlone(name=user.name, email=user.email)
    return user


def make_link(
    session: Session, *, user_id: str, made_by: str | None = None, workspace_id: str | None = None
) -> tuple[ResetLink, str]:
    """A one-time link's row and its token, which is kept nowhere: show it once. It ends the link before.

    ``made_by`` and ``workspace_id`` name the owner, checked by ``check_reach``; without them the machine made it.
    """
    session.execute(delete(ResetLink).where(ResetLink.user_id == user_id))
    token = secrets.token_urlsafe(32)
    link = ResetLink(
        user_id=user_id,
        token_hash=sha256(token),
        made_by=made_by,
        workspace_id=workspace_id,
        expires_at=now() + LINK_LIFE,
    )
    session.add(link)
    session.flush()
    return link, token


def link_address(base_url: str, token: str) -> str:
    return f"{base_url.rstrip('/')}/password-reset?token={token}"


def open_link(session: Session, token: str) -> User:
    """Whose password a link sets. Raises ``ResetLinkSpent`` for anything that does not work (any more): used, replaced,
    expired, or from an owner who could not make it now."""
    link = session.scalar(select(ResetLink).where(ResetLink.token_hash == sha256(token), ResetLink.expires_at > now()))
    if link is None:
        raise errors.ResetLinkSpent()
    if link.made_by is not None and not _is_within_reach(
        session,
        user_id=link.user_id,
        owner_id=link.made_by,
        workspace_id=link.workspace_id or "",
        only_here=False,
    ):
        raise errors.ResetLinkSpent()
    return person(session, link.user_id)


def use_link(session: Session, *, token: str, password_hash: str, revoke_tokens: bool) -> User:
    """Set the new password and sign the person out everywhere; of several who use a link at once one comes through.

    Raises ``ResetLinkSpent``.
    """
    user = open_link(session, token)
    used = session.execute(delete(ResetLink).where(ResetLink.token_hash == sha256(token)).returning(ResetLink.id))
    if used.first() is None:
        raise errors.ResetLinkSpent()
    user.password_hash = password_hash
    sign_out_everywhere(session, user.id)
    if revoke_tokens:
        revoke_all_tokens(session, user.id)
    session.flush()
    return user


def revoke_all_tokens(session: Session, user_id: str) -> None:
    """End a person's API tokens of every workspace."""
    session.execute(
        update(ApiToken).where(ApiToken.user_id == user_id, ApiToken.revoked_at.is_(None)).values(revoked_at=now())
    )


class Rescued(NamedTuple):
    user_id: str
    name: str
    token: str
    """The token of the link, which is shown once."""
    workspace: str | None
    """The name of the one that the person owns now."""
    belongs_somewhere: bool
    has_second_factor: bool


def rescue(
    session: Session, *, email: str, make_owner_of: str | None = None, remove_second_factors: bool = False
) -> Rescued:
    """A link for somebody, made on the machine itself, whatever they belong to. Raises ``NobodyWithAddress`` and the
    errors of ``adopt_workspace``."""
    user = session.scalar(select(User).where(User.email == email.strip().lower()))
    if user is None:
        raise errors.NobodyWithAddress(email=email)
    workspace = adopt_workspace(session, user_id=user.id, named=make_owner_of) if make_owner_of else None
    if remove_second_factors:
        second_factors.remove_all(session, user.id)
    _link, token = make_link(session, user_id=user.id)
    return Rescued(
        user.id,
        user.name,
        token,
        workspace.name if workspace else None,
        bool(_roles(session, user.id)),
        second_factors.has_one(session, user.id),
    )


def adopt_workspace(session: Session, *, user_id: str, named: str) -> Workspace:
    """Make a person the owner of a workspace that has none, found by its id or name. Raises ``NoSuchWorkspace``,
    ``HasAnOwner``, and ``SeveralWorkspaces`` where several have the name."""
    found = session.scalars(
        select(Workspace)
        .where(or_(Workspace.id == named, func.lower(Workspace.name) == named.strip().lower()))
        .order_by(Workspace.created_at)
    ).all()
    if not found:
        raise errors.NoSuchWorkspace(name=named)
    if len(found) > 1:
        raise errors.SeveralWorkspaces(name=named, ids=", ".join(one.id for one in found))
    (workspace,) = found
    members = session.scalars(select(Membership).where(Membership.workspace_id == workspace.id)).all()
    if any(member.role == "owner" for member in members):
        raise errors.HasAnOwner(name=workspace.name)
    own = next((member for member in members if member.user_id == user_id), None)
    if own is None:
        own = Membership(workspace_id=workspace.id, user_id=user_id, role="owner")
        session.add(own)
    own.role = "owner"
    session.flush()
    return workspace
