"""Secrets that must wait in the database for a worker: sealed with the installation's own key, never shown again."""

import base64
import hashlib
import hmac
from typing import TYPE_CHECKING

from app.errors import N_, AppError

if TYPE_CHECKING:
    from cryptography.fernet import Fernet


class CannotOpen(AppError):
    status = 409
    sentence = N_(
        "The token can no longer be read because the secret key of this installation has changed. Please enter "
        "the token again."
    )


def seal(key: bytes, purpose: str, secret: str) -> str:
    """``secret`` as a text that only ``unseal`` with the same key and purpose can read."""
    return _box(key, purpose).encrypt(secret.encode()).decode()


def unseal(key: bytes, purpose: str, sealed: str) -> str:
    """Raises ``CannotOpen``."""
    from cryptography.fernet import InvalidToken

    try:
        return _box(key, purpose).decrypt(sealed.encode()).decode()
    except InvalidToken as error:
        raise CannotOpen() from error


def _box(key: bytes, purpose: str) -> "Fernet":
    # Imported for a secret: few requests have one, and the library takes 7 MB.
    from cryptography.fernet import Fernet

    own = hmac.new(key, f"seal:{purpose}".encode(), hashlib.sha256).digest()
    return Fernet(base64.urlsafe_b64encode(own))
