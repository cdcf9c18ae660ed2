"""What may be seen of people and workspaces."""

from typing import NamedTuple

from sqlalchemy import select
from sqlalchemy.orm import Session

from app.accounts.models import ApiToken, BrowserSession, Membership, User, Workspace
from app.accounts.service import sha256
from app.db import now


class Entrance(NamedTuple):
    """Who a cookie or token stands for. One of ``browser`` and ``token`` is None."""

    user: User
    workspace: Workspace
    role: str
    browser: BrowserSession | None
    token: ApiToken | None


def entrance_by_cookie(session: Session, token: str) -> Entrance | None:
    """Whose browser this is; None when signed out, expired, or no longer a member."""
    row = session.execute(
        select(BrowserSession, User, Workspace, Membership.role)
        .join(User, User.id == BrowserSession.user_id)
        .join(Workspace, Workspace.id == BrowserSession.workspace_id)
        .join(Membership, (Membership.user_id == User.id) & (Membership.workspace_id == Workspace.id))
        .where(BrowserSession.token_hash == sha256(token), BrowserSession.expires_at > now())
    ).first()
    return Entrance(row[1], row[2], row[3], row[0], None) if row else None


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


def workspace(session: Session, workspace_id: str) -> Workspace:
    found = session.get(Workspace, workspace_id)
    assert found is not None, "a visitor's workspace exists while the visitor does"
    return found


def names_of(session: Session, user_ids: set[str]) -> dict[str, str]:
    """Names by user id, for lists that say who did something."""
    if not user_ids:
        return {}
    return {row.id: row.name for row in session.execute(select(User.id, User.name).where(User.id.in_(user_ids)))}
