"""Passwords as they are kept, and how many are worked on at once. Raises the kinds of ``accounts.errors``.

Each takes 19 MiB and some hundredths of a second on purpose. So only a few are hashed at a time, and nothing else is
held meanwhile: no transaction, no connection. A route that hashes or compares takes a ``PasswordTurn``
(``web.session_deps``), which waits without a thread; the limit here is for whoever comes without one.
"""

import os
import secrets
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache

from pwdlib import PasswordHash
from pwdlib.hashers.argon2 import Argon2Hasher

from app.accounts import errors
from app.plain_text import composed

MINIMUM_PASSWORD = 10
MAXIMUM_PASSWORD = 200
AT_ONCE = min(4, os.cpu_count() or 1)
PATIENCE_SECONDS = 10
"""So long a password waits for its turn."""
_turns = threading.BoundedSemaphore(AT_ONCE)


@cache
def _hasher() -> PasswordHash:
    """Argon2id with 19 MiB, 2 passes, 1 thread: OWASP's second choice, as dear to a guesser as the first."""
    return PasswordHash((Argon2Hasher(time_cost=2, memory_cost=19 * 1024, parallelism=1),))


@contextmanager
def _turn() -> Iterator[None]:
    if not _turns.acquire(timeout=PATIENCE_SECONDS):
        raise errors.ManyPasswords(seconds=PATIENCE_SECONDS)
    try:
        yield
    finally:
        _turns.release()


def hash_password(password: str) -> str:
    """As it is kept. Slow on purpose: call it while no transaction is open.

    Raises ``WeakPassword``, ``ManyPasswords``.
    """
    if not MINIMUM_PASSWORD <= len(password) <= MAXIMUM_PASSWORD:
        raise errors.WeakPassword(minimum=MINIMUM_PASSWORD)
    with _turn():
        return _hasher().hash(_typed(password))


def compare(password: str, kept: str | None) -> tuple[bool, str | None]:
    """Whether ``password`` is the one that is ``kept``, and then a new hash where that one is of an older kind.

    Without one (nobody has this address) it takes as long and is wrong. Slow on purpose: call it while no transaction
    is open. Raises ``ManyPasswords``.
    """
    with _turn():
        right, renewed = _hasher().verify_and_update(_typed(password), kept or _decoy())
    return right and kept is not None, renewed


@cache
def _decoy() -> str:
    return _hasher().hash(secrets.token_hex(16))


def _typed(password: str) -> str:
    """The same password from every keyboard: some send “ü” as one character, some as two."""
    return composed(password)[:MAXIMUM_PASSWORD]
