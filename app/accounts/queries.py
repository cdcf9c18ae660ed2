"""What may be seen of people and workspaces."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import NamedTuple

from sqlalchemy import Connection, or_, select
from sqlalchemy.orm import Session

from app.accounts import errors
from app.accounts.members import invitation_works
from app.accounts.models import ApiToken, BrowserSession, Invitation, Membership, User, Workspace
from app.accounts.second_factors import has_second_factor
from app.accounts.service import sha256
from app.db import now


class Entrance(NamedTuple):
    """Who a cookie or token stands for. One of ``browser`` and ``token`` is None."""

    user: User
    workspace: Workspace
    role: str
    browser: BrowserSession | None
    token: ApiToken | None


def entrance_by_cookie(session: Session, token: str, *, life: timedelta, idle: timedelta) -> Entrance | None:
    """Whose browser this is; None when signed out, expired, not seen for ``idle``, or no longer a member. ``life`` as
    it is set now counts for sign-ins of before, too."""
    row = session.execute(
        select(BrowserSession, User, Workspace, Membership.role)
        .join(User, User.id == BrowserSession.user_id)
        .join(Workspace, Workspace.id == BrowserSession.workspace_id)
        .join(Membership, (Membership.user_id == User.id) & (Membership.workspace_id == Workspace.id))
        .where(
            BrowserSession.token_hash == sha256(token),
            BrowserSession.expires_at > now(),
            BrowserSession.created_at > now() - life,
            BrowserSession.last_seen_at > now() - idle,
        )
    ).first()
    return Entrance(row[1], row[2], row[3], row[0], None) if row else None


def browsers_looking_at(session: Session, session_ids: set[str]) -> dict[str, str]:
    """The workspace that each of these browsers looks at; without those that are signed out, expired or shut out, also
    for want of a second factor."""
    rows = session.execute(
        select(BrowserSession.id, BrowserSession.workspace_id)
        .join(
            Membership,
            (Membership.user_id == BrowserSession.user_id) & (Membership.workspace_id == BrowserSession.workspace_id),
        )
        .join(Workspace, Workspace.id == BrowserSession.workspace_id)
        .where(
            BrowserSession.id.in_(session_ids),
            BrowserSession.expires_at > now(),
            or_(~Workspace.requires_second_factor, has_second_factor(BrowserSession.user_id)),
        )
    )
    return {row.id: row.workspace_id for row in rows}


def entrance_by_token(session: Session, token: str) -> Entrance | None:
    """Whose API token this is; None when revoked or its person is no longer a member."""
    row = session.execute(
        select(ApiToken, User, Workspace, Membership.role)
        .join(User, User.id == ApiToken.user_id)
        .join(Workspace, Workspace.id == ApiToken.workspace_id)
        .join(Membership, (Membership.user_id == User.id) & (Membership.workspace_id == Workspace.id))
        .where(ApiToken.token_hash == sha256(token), ApiToken.revoked_at.is_(None))
    ).first()
    return Entrance(row[1], row[2], row[3], None, row[0]) if row else None


def role_now(
    connection: Connection, *, workspace_id: str, user_id: str, session_id: str | None, token_id: str | None
) -> str | None:
    """Somebody's role in a workspace; None when they are no member any more, or their browser or token is shut out."""
    key: type[BrowserSession | ApiToken] = BrowserSession if session_id else ApiToken
    is_open = BrowserSession.expires_at > now() if session_id else ApiToken.revoked_at.is_(None)
    return connection.scalar(
        select(Membership.role)
        .join(key, key.user_id == Membership.user_id)
        .where(Membership.workspace_id == workspace_id, Membership.user_id == user_id)
        .where(key.id == (session_id or token_id), is_open)
    )


def signed_in_at(session: Session, session_id: str) -> datetime:
    """When a browser was signed in; long ago for one that is not."""
    found = session.get(BrowserSession, session_id)
    return found.created_at if found else datetime.min.replace(tzinfo=UTC)


def workspace(session: Session, workspace_id: str) -> Workspace:
    found = session.get(Workspace, workspace_id)
    assert found is not None, "a visitor's workspace exists while the visitor does"
    return found


def names_of(session: Session, user_ids: set[str]) -> dict[str, str]:
    """Names by user id, for lists that say who did something."""
    if not user_ids:
        return {}
    return {row.id: row.name for row in session.execute(select(User.id, User.name).where(User.id.in_(user_ids)))}


class Member(NamedTuple):
    user_id: str
    name: str
    email: str
    role: str
    since: datetime
    has_second_factor: bool


class WorkspaceOf(NamedTuple):
    """One of the workspaces that a person belongs to."""

    id: str
    name: str
    role: str


class TokenOf(NamedTuple):
    id: str
    name: str
    prefix: str
    read_only: bool
    created_at: datetime
    last_used_at: datetime | None
    user_id: str
    user_name: str


def members(session: Session, workspace_id: str) -> list[Member]:
    """Everybody in a workspace, the earliest first."""
    rows = session.execute(
        select(User.id, User.name, User.email, Membership.role, Membership.created_at, has_second_factor(User.id))
        .join(Membership, Membership.user_id == User.id)
        .where(Membership.workspace_id == workspace_id)
        .order_by(Membership.created_at, User.id)
    )
    return [Member(*row) for row in rows]


def open_invitations(session: Session, workspace_id: str) -> Sequence[Invitation]:
    """Those whose links still work, the newest first."""
    return session.scalars(
        select(Invitation)
        .where(Invitation.workspace_id == workspace_id, *invitation_works())
        .order_by(Invitation.created_at.desc(), Invitation.id)
    ).all()


def workspaces_of(session: Session, user_id: str) -> list[WorkspaceOf]:
    """A person's workspaces, by name."""
    rows = session.execute(
        select(Workspace.id, Workspace.name, Membership.role)
        .join(Membership, Membership.workspace_id == Workspace.id)
        .where(Membership.user_id == user_id)
        .order_by(Workspace.name, Workspace.id)
    )
    return [WorkspaceOf(*row) for row in rows]


def browsers_of(session: Session, user_id: str) -> Sequence[BrowserSession]:
    """A person's signed-in browsers, the last used first."""
    return session.scalars(
        select(BrowserSession)
        .where(BrowserSession.user_id == user_id, BrowserSession.expires_at > now())
        .order_by(BrowserSession.last_seen_at.desc(), BrowserSession.id)
    ).all()


def tokens(session: Session, workspace_id: str, *, user_id: str | None) -> list[TokenOf]:
    """The tokens that work in a workspace, the newest first; with ``user_id`` those of one person."""
    wanted = (
        select(ApiToken, User.name)
        .join(User, User.id == ApiToken.user_id)
        .where(ApiToken.workspace_id == workspace_id, ApiToken.revoked_at.is_(None))
        .order_by(ApiToken.created_at.desc(), ApiToken.id)
    )
    if user_id is not None:
        wanted = wanted.where(ApiToken.user_id == user_id)
    return [
        TokenOf(
            token.id,
            token.name,
            token.prefix,
            token.read_only,
            token.created_at,
            token.last_used_at,
            token.user_id,
            name,
        )
        for token, name in session.execute(wanted)
    ]


def _first_workspace(session: Session) -> str | None:
    return session.scalar(select(Workspace.id).order_by(Workspace.created_at, Workspace.id).limit(1))


def is_first_workspace(session: Session, workspace_id: str) -> bool:
    """Whether this workspace was made by the first visit: its owners keep the installation."""
    return _first_workspace(session) == workspace_id


def may_make_workspaces(session: Session, *, user_id: str, by: str) -> bool:
    """``by`` is the setting ``WORKSPACES_BY``."""
    if by != "first-owners":
        return by == "everybody"
    owned = select(Membership.workspace_id).where(Membership.user_id == user_id, Membership.role == "owner")
    return _first_workspace(session) in session.scalars(owned).all()


def check_may_make_workspaces(session: Session, *, user_id: str, by: str) -> None:
    """Raises ``NoFurtherWorkspaces``, ``WorkspacesByFirstOwners``."""
    if not may_make_workspaces(session, user_id=user_id, by=by):
        raise errors.NoFurtherWorkspaces() if by == "nobody" else errors.WorkspacesByFirstOwners()


def is_known(session: Session, email: str) -> bool:
    """Whether somebody with this address is here."""
    return session.scalar(select(User.id).where(User.email == email)) is not None
