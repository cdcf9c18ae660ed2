"""People, their passwords and their signed-in browsers. Raises the kinds of ``accounts.errors``."""

import hashlib
import re
import secrets
from dataclasses import dataclass
from datetime import timedelta

from sqlalchemy import delete, func, select, text, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from app.accounts import errors, passwords
from app.accounts.models import ApiToken, BrowserSession, Membership, ResetLink, User, Workspace
from app.db import now
from app.errors import NotFound

SESSION_LIFE = timedelta(days=30)
"""How long a sign-in lasts where nothing else is set."""
FRESH_FOR = timedelta(minutes=10)
"""So long after a sign-in nobody is asked for the password once more."""
TOKEN_START = "lvy_"  # noqa: S105 - how every token begins, not one
_EMAIL = re.compile(r"[^@\s]{1,64}@[^@\s]{1,180}\.[^@\s.]{2,}")
_SETUP_LOCK = 7_310_001
"""Any number that nothing else locks on a PostgreSQL server."""


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
    """The first person and their workspace. Raises ``AlreadySetUp`` once there is anybody.

    Of several who try at once, one comes through: on SQLite a writer is alone, on PostgreSQL a lock makes it so.
    """
    if session.get_bind().dialect.name == "postgresql":
        session.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": _SETUP_LOCK})
    if not needs_owner(session):
        raise errors.AlreadySetUp()
    user = User(name=checked_name(name), email=checked_email(email), password_hash=password_hash, locale=locale)
    workspace = Workspace(name=checked_name(workspace_name))
    session.add_all([user, workspace])
    session.flush()
    session.add(Membership(workspace_id=workspace.id, user_id=user.id, role="owner"))
    session.flush()
    return user, workspace


def create_person(session: Session, *, name: str, email: str, password_hash: str, locale: str) -> User:
    """Somebody new, who belongs nowhere yet. Raises ``EmailTaken``."""
    user = User(name=checked_name(name), email=checked_email(email), password_hash=password_hash, locale=locale)
    try:
        with session.begin_nested():
            session.add(user)
    except IntegrityError as error:
        raise errors.EmailTaken(email=user.email) from error
    return user


@dataclass(frozen=True)
class Proven:
    """Somebody whose password was right, and the hash to keep instead where theirs is of an older kind."""

    user_id: str
    password_hash: str
    renewed_hash: str | None


def check_password(session: Session, *, email: str, password: str) -> Proven:
    """The person with this address and password. Raises ``WrongCredentials``, after the same time either way, and
    ``ManyPasswords``.

    Give it a session for reading: it is closed before the password is looked at, so nobody waits for its connection.
    """
    found = session.execute(select(User.id, User.password_hash).where(User.email == email.strip().lower())).first()
    like = None if found else _password_of_another(session, email)
    session.close()
    right, renewed = passwords.compare(password, found.password_hash if found else None, like)
    if found is None or not right:
        raise errors.WrongCredentials()
    return Proven(found.id, found.password_hash, renewed)


def _password_of_another(session: Session, email: str) -> str | None:
    """Somebody's hash, the same for an address each time. Those of an earlier version take longer, and how long a try
    takes must not tell that nobody has the address."""
    beyond = select(User.password_hash).where(User.id >= sha256(email.strip().lower())[:32]).order_by(User.id).limit(1)
    return session.scalar(beyond) or session.scalar(select(User.password_hash).order_by(User.id).limit(1))


def find(session: Session, user_id: str) -> User | None:
    return session.get(User, user_id)


def person(session: Session, user_id: str) -> User:
    """Raises ``NotFound`` for somebody who is gone."""
    user = session.get(User, user_id)
    if user is None:
        raise NotFound()
    return user


def still(session: Session, proven: Proven) -> User:
    """The person whose password was right, in this session, with a hash of today.

    Raises ``WrongCredentials`` if it was changed meanwhile.
    """
    user = session.get(User, proven.user_id)
    if user is None or user.password_hash != proven.password_hash:
        raise errors.WrongCredentials()
    user.password_hash = proven.renewed_hash or user.password_hash
    session.flush()
    return user


def rename_person(session: Session, *, user_id: str, name: str) -> None:
    person(session, user_id).name = checked_name(name)
    session.flush()


def prefer(session: Session, *, user_id: str, locale: str | None, theme: str | None) -> None:
    """Keep the language and brightness that somebody chose; None leaves one as it is."""
    user = person(session, user_id)
    user.locale, user.theme = locale or user.locale, theme or user.theme
    session.flush()


def open_session(
    session: Session, user: User, *, user_agent: str, workspace_id: str | None = None, life: timedelta = SESSION_LIFE
) -> str:
    """A new signed-in browser; the returned token goes into its cookie and is kept nowhere.

    Raises ``NoWorkspace`` for somebody who belongs to none (any more).
    """
    memberships = select(Membership).where(Membership.user_id == user.id).order_by(Membership.created_at)
    if workspace_id is not None:
        memberships = memberships.where(Membership.workspace_id == workspace_id)
    membership = session.scalars(memberships).first()
    if membership is None:
        raise errors.NoWorkspace()
    session.execute(delete(BrowserSession).where(BrowserSession.user_id == user.id, BrowserSession.expires_at < now()))
    token = secrets.token_urlsafe(32)
    session.add(
        BrowserSession(
            token_hash=sha256(token),
            user_id=user.id,
            workspace_id=membership.workspace_id,
            user_agent=user_agent[:300],
            expires_at=now() + life,
        )
    )
    session.flush()
    return token


def change_password(
    session: Session,
    *,
    user_id: str,
    password_hash: str,
    workspace_id: str,
    user_agent: str,
    life: timedelta = SESSION_LIFE,
) -> str:
    """Set a new password: every signed-in browser is signed out, and this one gets the returned token. A link to set
    another one ends."""
    user = person(session, user_id)
    user.password_hash = password_hash
    sign_out_everywhere(session, user_id)
    session.execute(delete(ResetLink).where(ResetLink.user_id == user_id))
    return open_session(session, user, user_agent=user_agent, workspace_id=workspace_id, life=life)


def sign_out_everywhere(session: Session, user_id: str) -> None:
    session.execute(delete(BrowserSession).where(BrowserSession.user_id == user_id))


def close_session(session: Session, *, user_id: str, session_id: str) -> None:
    """Sign one browser of this person out. Raises ``NotFound``."""
    found = session.scalar(
        select(BrowserSession).where(BrowserSession.id == session_id, BrowserSession.user_id == user_id)
    )
    if found is None:
        raise NotFound()
    session.delete(found)
    session.flush()


def close_other_sessions(session: Session, *, user_id: str, kept_session_id: str | None) -> None:
    """Sign every browser of this person out but one."""
    session.execute(
        delete(BrowserSession).where(BrowserSession.user_id == user_id, BrowserSession.id != (kept_session_id or ""))
    )


def touch_session(session: Session, session_id: str) -> None:
    """Note that a browser is still in use."""
    session.execute(update(BrowserSession).where(BrowserSession.id == session_id).values(last_seen_at=now()))


def touch_token(session: Session, token_id: str) -> None:
    session.execute(update(ApiToken).where(ApiToken.id == token_id).values(last_used_at=now()))
