"""People, sessions and keys: who may come in. Raises the kinds of ``accounts.errors``."""

import hashlib
import re
import secrets
from datetime import timedelta
from functools import cache

from pwdlib import PasswordHash
from pwdlib.hashers.argon2 import Argon2Hasher
from sqlalchemy import delete, func, select, update
from sqlalchemy.orm import Session

from app.accounts import errors
from app.accounts.models import ApiToken, BrowserSession, Membership, User, Workspace
from app.db import now

SESSION_LIFE = timedelta(days=30)
MINIMUM_PASSWORD = 10
MAXIMUM_PASSWORD = 200
TOKEN_START = "lvy_"
_EMAIL = re.compile(r"[^@\s]{1,64}@[^@\s]{1,180}\.[^@\s.]{2,}")


@cache
def _hasher() -> PasswordHash:
    return PasswordHash((Argon2Hasher(),))


@cache
def _decoy_hash() -> str:
    """Verified against when the address is unknown, so that both answers take as long."""
    return _hasher().hash(secrets.token_hex(16))


def hash_password(password: str) -> str:
    """Argon2id with the library's own cost. Slow on purpose: call it before the first statement of a transaction."""
    if not MINIMUM_PASSWORD <= len(password) <= MAXIMUM_PASSWORD:
        raise errors.WeakPassword(minimum=MINIMUM_PASSWORD)
    return _hasher().hash(password)


def checked_email(email: str) -> str:
    """``email`` in lower case. Raises ``BadEmail``."""
    email = email.strip().lower()
    if len(email) > 254 or not _EMAIL.fullmatch(email):
        raise errors.BadEmail(email=email[:80])
    return email


def checked_name(name: str) -> str:
    """``name`` without white space around it, at most 120 characters. Raises ``NameMissing``."""
    name = " ".join(name.split())[:120]
    if not name:
        raise errors.NameMissing()
    return name


def sha256(secret: str) -> str:
    return hashlib.sha256(secret.encode()).hexdigest()


def needs_owner(session: Session) -> bool:
    """Whether nobody is here yet."""
    return session.scalar(select(func.count()).select_from(User)) == 0


def create_owner(
    session: Session, *, name: str, email: str, password_hash: str, workspace_name: str, locale: str
) -> tuple[User, Workspace]:
    """The first person and their workspace. Raises ``AlreadySetUp`` once there is anybody."""
    if not needs_owner(session):
        raise errors.AlreadySetUp()
    user = User(name=checked_name(name), email=checked_email(email), password_hash=password_hash, locale=locale)
    workspace = Workspace(name=checked_name(workspace_name))
    session.add_all([user, workspace])
    session.flush()
    session.add(Membership(workspace_id=workspace.id, user_id=user.id, role="owner"))
    session.flush()
    return user, workspace


def check_password(session: Session, *, email: str, password: str) -> User:
    """The person with this address and password. Raises ``WrongCredentials``, after the same time either way."""
    user = session.scalar(select(User).where(User.email == email.strip().lower()))
    known = user.password_hash if user else _decoy_hash()
    if not _hasher().verify(password[:MAXIMUM_PASSWORD], known) or user is None:
        raise errors.WrongCredentials()
    return user


def open_session(session: Session, user: User, *, user_agent: str, workspace_id: str | None = None) -> str:
    """A new signed-in browser; the returned token goes into its cookie and is kept nowhere."""
    memberships = select(Membership).where(Membership.user_id == user.id).order_by(Membership.created_at)
    if workspace_id is not None:
        memberships = memberships.where(Membership.workspace_id == workspace_id)
    membership = session.scalars(memberships).first()
    if membership is None:
        raise errors.WrongCredentials()
    token = secrets.token_urlsafe(32)
    session.add(
        BrowserSession(
            token_hash=sha256(token),
            user_id=user.id,
            workspace_id=membership.workspace_id,
            user_agent=user_agent[:300],
            expires_at=now() + SESSION_LIFE,
        )
    )
    session.flush()
    return token


def close_session(session: Session, *, user_id: str, session_id: str) -> None:
    """Sign one browser of this person out."""
    session.execute(delete(BrowserSession).where(BrowserSession.id == session_id, BrowserSession.user_id == user_id))


def touch_session(session: Session, session_id: str) -> None:
    """Note that a browser is still in use."""
    session.execute(update(BrowserSession).where(BrowserSession.id == session_id).values(last_seen_at=now()))


def touch_token(session: Session, token_id: str) -> None:
    session.execute(update(ApiToken).where(ApiToken.id == token_id).values(last_used_at=now()))
