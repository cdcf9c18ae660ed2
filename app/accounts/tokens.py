"""API tokens: a person's key to one workspace for a program. Raises the kinds of ``accounts.errors``."""

import secrets

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from app.accounts import errors
from app.accounts.models import ApiToken
from app.accounts.service import TOKEN_START, checked_name, sha256
from app.db import now, own

MOST_TOKENS = 50
SHOWN_CHARACTERS = len(TOKEN_START) + 6


def make_token(
    session: Session, *, workspace_id: str, user_id: str, name: str, read_only: bool
) -> tuple[ApiToken, str]:
    """A new token and its secret, which is kept nowhere: show it once. Raises ``TooManyTokens``."""
    held = session.scalar(
        select(func.count())
        .select_from(ApiToken)
        .where(ApiToken.workspace_id == workspace_id, ApiToken.user_id == user_id, ApiToken.revoked_at.is_(None))
    )
    if (held or 0) >= MOST_TOKENS:
        raise errors.TooManyTokens(count=MOST_TOKENS)
    secret = TOKEN_START + secrets.token_urlsafe(32)
    token = ApiToken(
        workspace_id=workspace_id,
        user_id=user_id,
        name=checked_name(name),
        prefix=secret[:SHOWN_CHARACTERS],
        token_hash=sha256(secret),
        read_only=read_only,
    )
    session.add(token)
    session.flush()
    return token, secret


def revoke_token(session: Session, *, workspace_id: str, token_id: str, user_id: str | None) -> ApiToken:
    """End a token; with ``user_id`` only one of that person's. Raises ``NotFound``."""
    theirs = () if user_id is None else (ApiToken.user_id == user_id,)
    token = own(session, ApiToken, token_id, workspace_id, ApiToken.revoked_at.is_(None), *theirs)
    token.revoked_at = now()
    session.flush()
    return token
