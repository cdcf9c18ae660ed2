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

from argon2 import extract_parameters
from argon2.exceptions import InvalidHashError
from pwdlib import PasswordHash
from pwdlib.exceptions import UnknownHashError
from pwdlib.hashers.argon2 import Argon2Hasher

from app.accounts import errors
from app.plain_text import composed

MINIMUM_PASSWORD = 10
MAXIMUM_PASSWORD = 200
AT_ONCE = min(4, os.cpu_count() or 1)
PATIENCE_SECONDS = 30
"""So long a password waits for its turn. A hundred of an earlier version's, at once on two cores, need some fifteen."""
Cost = tuple[int, int, int]
"""Passes, KiB, threads."""
TODAY: Cost = (2, 19 * 1024, 1)
"""OWASP's second choice for Argon2id, as dear to a guesser as the first."""
_turns = threading.BoundedSemaphore(AT_ONCE)


@cache
def _hasher() -> PasswordHash:
    return PasswordHash((_argon2(TODAY),))


def _argon2(cost: Cost) -> Argon2Hasher:
    passes, kib, threads = cost
    return Argon2Hasher(time_cost=passes, memory_cost=kib, parallelism=threads)


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


def compare(password: str, kept: str | None, like: str | None = None) -> tuple[bool, str | None]:
    """Whether ``password`` is the one that is ``kept``, and then a new hash where that one is of an older kind.

    Without one (nobody has this address) it is wrong, and takes as long as with ``like``, a hash of somebody else. One
    that no version of Livery wrote is wrong, too. Slow on purpose: call it while no transaction is open.

    Raises ``ManyPasswords``.
    """
    typed = _typed(password)
    with _turn():
        try:
            right, renewed = _hasher().verify_and_update(typed, kept or _decoy(_cost_of(like)))
        except UnknownHashError:
            _hasher().verify(typed, _decoy(TODAY))
            return False, None
    return right and kept is not None, renewed


def _cost_of(kept: str | None) -> Cost:
    """What a hash costs to compare with; as one of today where it does not say."""
    try:
        parts = extract_parameters(kept or "")
    except InvalidHashError:
        return TODAY
    return parts.time_cost, parts.memory_cost, parts.parallelism


@cache
def _decoy(cost: Cost) -> str:
    """A hash of no password."""
    return _argon2(cost).hash(secrets.token_hex(16))


def _typed(password: str) -> str:
    """The same password from every keyboard: some send “ü” as one character, some as two."""
    return composed(password)[:MAXIMUM_PASSWORD]
