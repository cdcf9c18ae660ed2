"""How often somebody may try. Counted in memory, or in Redis where several web processes share a broker."""

import math
import time
from functools import cache
from typing import Any

from limits import RateLimitItem, RateLimitItemPerHour, RateLimitItemPerMinute
from limits.errors import StorageError
from limits.storage import storage_from_string
from limits.strategies import MovingWindowRateLimiter

from app.errors import TooMany

SIGN_IN_BY_ADDRESS = RateLimitItemPerMinute(60, 15, namespace="sign-in-address")
"""Wider than by account: a whole office may share one address on a Monday morning."""
SIGN_IN_BY_ACCOUNT = RateLimitItemPerMinute(10, 15, namespace="sign-in-account")
SECOND_STEP = RateLimitItemPerMinute(10, 15, namespace="second-step")
CHALLENGE = RateLimitItemPerMinute(1, 10, namespace="challenge")
"""A passkey's challenge: the span is longer than a challenge lives, so that each is answered once."""
RESET_LINKS = RateLimitItemPerMinute(30, 15, namespace="reset-links")
"""Counted by address; tokens cannot be guessed, and asking for them should cost something all the same."""
AUDIT_CHECKS = RateLimitItemPerMinute(6, 1, namespace="audit-checks")
"""Counted by workspace, as a check reads the whole log."""
INVITATIONS = RateLimitItemPerHour(50, namespace="invitations")


@cache
def _limiter(address: str) -> MovingWindowRateLimiter:
    if not address:
        return MovingWindowRateLimiter(storage_from_string("memory://"))
    # Imported where there is a broker: without one the web process never needs Redis' library.
    from redis.backoff import NoBackoff
    from redis.retry import Retry

    # Asked once and not for long: people wait for it, and when it hangs there is another way to count.
    once: Any = {"socket_timeout": 2, "socket_connect_timeout": 2, "retry": Retry(NoBackoff(), 0)}
    return MovingWindowRateLimiter(storage_from_string(address, wrap_exceptions=True, **once))


def _limiter_for(broker_url: str) -> MovingWindowRateLimiter:
    return _limiter(broker_url if broker_url.startswith("redis") else "")


def count(broker_url: str, limit: RateLimitItem, who: str) -> None:
    """Count one try of ``who``. Raises ``TooMany`` with the seconds to wait.

    While the broker is away this process counts by itself: nobody is shut out by that, and the limits stay.
    """
    limiter = _limiter_for(broker_url)
    try:
        allowed = limiter.hit(limit, who)
    except StorageError:
        limiter = _limiter("")
        allowed = limiter.hit(limit, who)
    if not allowed:
        reset_time = limiter.get_window_stats(limit, who).reset_time
        raise TooMany(seconds=max(1, math.ceil(reset_time - time.time())))


def is_first(broker_url: str, limit: RateLimitItem, what: str) -> bool:
    """Whether ``what`` is met for the first time within the limit's stretch of time."""
    try:
        count(broker_url, limit, what)
    except TooMany:
        return False
    return True


def forget(broker_url: str, limit: RateLimitItem, who: str) -> None:
    """Start counting anew, after a try that was right."""
    try:
        _limiter_for(broker_url).clear(limit, who)
    except StorageError:
        _limiter("").clear(limit, who)
