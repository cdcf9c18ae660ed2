"""A second factor: codes of an authenticator app, passkeys (``passkeys``), and recovery codes for when both are lost.

Raises the kinds of ``accounts.errors``.
"""

import hmac
import secrets
import time
from typing import NamedTuple

from sqlalchemy import ColumnElement, CursorResult, delete, exists, func, or_, select, update
from sqlalchemy.orm import InstrumentedAttribute, Session

from app import sealing
from app.accounts import errors
from app.accounts.models import Authenticator, Passkey, RecoveryCode
from app.accounts.service import sha256, sign_out_everywhere
from app.db import now

STEP_SECONDS = 30
CLOCKS_MAY_DIFFER_STEPS = 1
RECOVERY_CODES = 10
_LETTERS = "abcdefghjkmnpqrstuvwxyz23456789"
"""Without those that are mistaken for another; sixteen of them are 79 bits, so a fast hash keeps them well."""
_LIFE_OF_A_PROPOSAL_SECONDS = 30 * 60


class Proposal(NamedTuple):
    """An app that might be set up. Nothing is kept until its first code was right."""

    secret: str
    uri: str
    """What the app scans."""
    sealed: str
    """Comes back with the first code."""


class State(NamedTuple):
    """What somebody has."""

    authenticator: Authenticator | None
    passkeys: list[Passkey]
    codes_left: int

    @property
    def is_set_up(self) -> bool:
        return self.authenticator is not None or bool(self.passkeys)


def has_second_factor(user_id: InstrumentedAttribute[str]) -> ColumnElement[bool]:
    """A condition for queries: whether the person in this column has a second factor."""
    return or_(
        exists().where(Authenticator.user_id == user_id),
        exists().where(Passkey.user_id == user_id),
    )


def has_one(session: Session, user_id: str) -> bool:
    return any(
        session.scalar(select(kind.id).where(kind.user_id == user_id).limit(1)) is not None
        for kind in (Authenticator, Passkey)
    )


def state(session: Session, user_id: str) -> State:
    left = select(func.count()).where(RecoveryCode.user_id == user_id, RecoveryCode.used_at.is_(None))
    return State(
        session.scalar(select(Authenticator).where(Authenticator.user_id == user_id)),
        list(session.scalars(select(Passkey).where(Passkey.user_id == user_id).order_by(Passkey.created_at))),
        session.scalar(left.select_from(RecoveryCode)) or 0,
    )


def propose(key: bytes, *, user_id: str, email: str) -> Proposal:
    """A new secret for an authenticator app; ``key`` is the installation's signing key."""
    import pyotp

    secret = pyotp.random_base32()
    uri = pyotp.TOTP(secret).provisioning_uri(name=email, issuer_name="Livery")
    return Proposal(secret, uri, sealing.seal(key, f"authenticator proposal:{user_id}", f"{int(time.time())}:{secret}"))


def add_authenticator(session: Session, key: bytes, *, user_id: str, sealed: str, code: str) -> list[str]:
    """Keep the proposed app, whose present code proves that it was scanned. Returns recovery codes if it is the first
    factor. Raises ``SetupTooOld``, ``AppAlreadyThere``, ``WrongCode``."""
    try:
        made_at, _, secret = sealing.unseal(key, f"authenticator proposal:{user_id}", sealed).partition(":")
    except sealing.CannotOpen as error:
        raise errors.SetupTooOld() from error
    if time.time() - int(made_at) > _LIFE_OF_A_PROPOSAL_SECONDS:
        raise errors.SetupTooOld()
    is_first = not has_one(session, user_id)
    if session.scalar(select(Authenticator.id).where(Authenticator.user_id == user_id)) is not None:
        raise errors.AppAlreadyThere()
    step = _step_of(secret, code)
    if step is None:
        raise errors.WrongCode()
    sealed_secret = sealing.seal(key, f"authenticator:{user_id}", secret)
    session.add(Authenticator(user_id=user_id, sealed_secret=sealed_secret, last_step=step))
    session.flush()
    return make_recovery_codes(session, user_id) if is_first else []


def _step_of(secret: str, code: str) -> int | None:
    """The half minute that ``code`` belongs to, if it is about now."""
    import pyotp

    app, present = pyotp.TOTP(secret), int(time.time()) // STEP_SECONDS
    typed = "".join(code.split()).encode()
    found = None
    for step in range(present - CLOCKS_MAY_DIFFER_STEPS, present + CLOCKS_MAY_DIFFER_STEPS + 1):
        if hmac.compare_digest(app.generate_otp(step).encode(), typed):
            found = step
    return found


def make_recovery_codes(session: Session, user_id: str) -> list[str]:
    """Ten new codes in place of those before; kept nowhere, so show them once. Raises ``NoSecondFactor``."""
    if not has_one(session, user_id):
        raise errors.NoSecondFactor()
    session.execute(delete(RecoveryCode).where(RecoveryCode.user_id == user_id))
    codes = ["".join(secrets.choice(_LETTERS) for _letter in range(16)) for _number in range(RECOVERY_CODES)]
    session.add_all(RecoveryCode(user_id=user_id, code_hash=sha256(code)) for code in codes)
    session.flush()
    return ["-".join(code[start : start + 4] for start in range(0, 16, 4)) for code in codes]


def check_code(session: Session, key: bytes, *, user_id: str, code: str) -> None:
    """Take the app's present code or a recovery code; each counts once, however many send it at the same moment.

    Raises ``WrongCode``, ``SecretUnreadable``.
    """
    if len("".join(code.split())) > 8:
        _use_recovery_code(session, user_id, code)
        return
    authenticator = session.scalar(select(Authenticator).where(Authenticator.user_id == user_id))
    if authenticator is None:
        raise errors.WrongCode()
    try:
        secret = sealing.unseal(key, f"authenticator:{user_id}", authenticator.sealed_secret)
    except sealing.CannotOpen as error:
        raise errors.SecretUnreadable() from error
    step = _step_of(secret, code)
    if step is None:
        raise errors.WrongCode()
    taken = session.execute(
        update(Authenticator)
        .where(Authenticator.id == authenticator.id, Authenticator.last_step < step)
        .values(last_step=step, last_used_at=now())
        .execution_options(synchronize_session=False)
    )
    assert isinstance(taken, CursorResult)
    if taken.rowcount != 1:
        raise errors.WrongCode()


def _use_recovery_code(session: Session, user_id: str, code: str) -> None:
    typed = "".join(letter for letter in code.lower() if letter.isalnum())
    taken = session.execute(
        update(RecoveryCode)
        .where(RecoveryCode.user_id == user_id, RecoveryCode.code_hash == sha256(typed), RecoveryCode.used_at.is_(None))
        .values(used_at=now())
        .execution_options(synchronize_session=False)
    )
    assert isinstance(taken, CursorResult)
    if taken.rowcount != 1:
        raise errors.WrongCode()


def remove_authenticator(session: Session, user_id: str) -> None:
    session.execute(delete(Authenticator).where(Authenticator.user_id == user_id))
    tidy(session, user_id)


def tidy(session: Session, user_id: str) -> None:
    """Recovery codes end with the last factor: they would open nothing, and look as if they did."""
    if not has_one(session, user_id):
        session.execute(delete(RecoveryCode).where(RecoveryCode.user_id == user_id))


def remove_all(session: Session, user_id: str) -> None:
    """For somebody who lost their device: a password alone is enough again. Signs them out everywhere, as a device that
    is lost may be signed in."""
    for kind in (Authenticator, Passkey, RecoveryCode):
        session.execute(delete(kind).where(kind.user_id == user_id))
    sign_out_everywhere(session, user_id)
