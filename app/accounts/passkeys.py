"""Passkeys: a device signs in by itself, or is the second factor beside a password (WebAuthn).

Each asks the person for a finger, face or PIN, so one passkey is as good as two factors. Raises the kinds of
``accounts.errors``.
"""

from typing import NamedTuple

from sqlalchemy import CursorResult, func, or_, select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from app.accounts import errors, second_factors
from app.accounts.models import Passkey, User
from app.accounts.service import checked_name
from app.db import now
from app.errors import NotFound

MOST_PASSKEYS = 20


class RelyingParty(NamedTuple):
    """This Livery as browsers know it: passkeys made for one name work under no other."""

    id: str
    """The host's name, without a port."""
    origins: list[str]
    """The origin that a page may have asked from."""


class Ceremony(NamedTuple):
    """What the browser is asked, and the challenge that its answer must repeat."""

    options: str
    """JSON for ``navigator.credentials``."""
    challenge: bytes


def registration(session: Session, party: RelyingParty, *, user_id: str, name: str, email: str) -> Ceremony:
    """Raises ``TooManyPasskeys``."""
    from webauthn import base64url_to_bytes, generate_registration_options, options_to_json
    from webauthn.helpers.structs import (
        AuthenticatorSelectionCriteria,
        PublicKeyCredentialDescriptor,
        ResidentKeyRequirement,
        UserVerificationRequirement,
    )

    known = session.scalars(select(Passkey.credential_id).where(Passkey.user_id == user_id)).all()
    if len(known) >= MOST_PASSKEYS:
        raise errors.TooManyPasskeys(count=MOST_PASSKEYS)
    options = generate_registration_options(
        rp_id=party.id,
        rp_name="Livery",
        user_id=bytes.fromhex(user_id),
        user_name=email,
        user_display_name=name,
        authenticator_selection=AuthenticatorSelectionCriteria(
            resident_key=ResidentKeyRequirement.REQUIRED, user_verification=UserVerificationRequirement.REQUIRED
        ),
        exclude_credentials=[PublicKeyCredentialDescriptor(id=base64url_to_bytes(one)) for one in known],
    )
    return Ceremony(options_to_json(options), options.challenge)


def add(
    session: Session, party: RelyingParty, *, user_id: str, name: str, challenge: bytes, credential: str
) -> list[str]:
    """Keep a new passkey. Returns recovery codes if it is the first factor. Raises ``PasskeyRefused``,
    ``PasskeyAlreadyThere``, ``TooManyPasskeys``."""
    from webauthn import verify_registration_response
    from webauthn.helpers import bytes_to_base64url
    from webauthn.helpers.exceptions import WebAuthnException

    held = session.scalar(select(func.count()).select_from(Passkey).where(Passkey.user_id == user_id)) or 0
    if held >= MOST_PASSKEYS:
        raise errors.TooManyPasskeys(count=MOST_PASSKEYS)
    try:
        verified = verify_registration_response(
            credential=credential,
            expected_challenge=challenge,
            expected_rp_id=party.id,
            expected_origin=party.origins,
            require_user_verification=True,
        )
    except (WebAuthnException, ValueError, KeyError, TypeError, RecursionError) as error:
        raise errors.PasskeyRefused() from error
    is_first = not second_factors.has_one(session, user_id)
    passkey = Passkey(
        user_id=user_id,
        name=checked_name(name),
        credential_id=bytes_to_base64url(verified.credential_id),
        public_key=bytes_to_base64url(verified.credential_public_key),
        sign_count=verified.sign_count,
    )
    try:
        with session.begin_nested():
            session.add(passkey)
    except IntegrityError as error:
        raise errors.PasskeyAlreadyThere() from error
    return second_factors.make_recovery_codes(session, user_id) if is_first else []


def sign_in(session: Session, party: RelyingParty, *, user_id: str | None) -> Ceremony:
    """For anybody whose device knows this Livery, or with ``user_id`` for one person's passkeys alone."""
    from webauthn import base64url_to_bytes, generate_authentication_options, options_to_json
    from webauthn.helpers.structs import PublicKeyCredentialDescriptor, UserVerificationRequirement

    known = session.scalars(select(Passkey.credential_id).where(Passkey.user_id == user_id)) if user_id else ()
    options = generate_authentication_options(
        rp_id=party.id,
        allow_credentials=[PublicKeyCredentialDescriptor(id=base64url_to_bytes(one)) for one in known],
        user_verification=UserVerificationRequirement.REQUIRED,
    )
    return Ceremony(options_to_json(options), options.challenge)


def check(session: Session, party: RelyingParty, *, challenge: bytes, credential: str) -> User:
    """Who the passkey belongs to. Raises ``PasskeyRefused``, ``PasskeyCopied`` when its counter fell back."""
    from webauthn import base64url_to_bytes, verify_authentication_response
    from webauthn.helpers import bytes_to_base64url, parse_authentication_credential_json
    from webauthn.helpers.exceptions import WebAuthnException

    try:
        given = parse_authentication_credential_json(credential)
        passkey = session.scalar(select(Passkey).where(Passkey.credential_id == bytes_to_base64url(given.raw_id)))
        if passkey is None or given.response.user_handle not in (None, b"", bytes.fromhex(passkey.user_id)):
            raise errors.PasskeyRefused()
        verified = verify_authentication_response(
            credential=given,
            expected_challenge=challenge,
            expected_rp_id=party.id,
            expected_origin=party.origins,
            credential_public_key=base64url_to_bytes(passkey.public_key),
            # Checked below, so that a copy is told from a wrong signature and of two at once one comes through.
            credential_current_sign_count=0,
            require_user_verification=True,
        )
    except (WebAuthnException, ValueError, KeyError, TypeError, RecursionError) as error:
        raise errors.PasskeyRefused() from error
    counts = verified.new_sign_count
    taken = session.execute(
        update(Passkey)
        .where(
            Passkey.id == passkey.id,
            or_(Passkey.sign_count < counts, (Passkey.sign_count == 0) & (counts == 0)),
        )
        .values(sign_count=counts, last_used_at=now())
        .execution_options(synchronize_session=False)
    )
    assert isinstance(taken, CursorResult)
    if taken.rowcount != 1:
        raise errors.PasskeyCopied()
    return session.get_one(User, passkey.user_id)


def remove(session: Session, *, user_id: str, passkey_id: str) -> str:
    """End one of a person's passkeys; returns its name. Raises ``NotFound``."""
    found = session.scalar(select(Passkey).where(Passkey.id == passkey_id, Passkey.user_id == user_id))
    if found is None:
        raise NotFound()
    session.delete(found)
    session.flush()
    second_factors.tidy(session, user_id)
    return found.name
