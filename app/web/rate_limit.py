"""How often somebody may try. Counted in memory, or in Redis where several web processes share a broker."""

from functools import cache

from limits import RateLimitItem, RateLimitItemPerHour, RateLimitItemPerMinute
from limits.storage import storage_from_string
from limits.strategies import MovingWindowRateLimiter

from app.errors import TooMany

SIGN_IN_BY_ADDRESS = RateLimitItemPerMinute(10, 15, namespace="sign-in-address")
SIGN_IN_BY_ACCOUNT = RateLimitItemPerMinute(10, 15, namespace="sign-in-account")
INVITATIONS = RateLimitItemPerHour(50, namespace="invitations")


@cache
def _limiter(address: str) -> MovingWindowRateLimiter:
    return MovingWindowRateLimiter(storage_from_string(address or "memory://"))


def count(broker_url: str, limit: RateLimitItem, who: str) -> None:
    """Count one try of ``who``. Raises ``TooMany`` with the seconds to wait."""
    limiter = _limiter(broker_url if broker_url.startswith("redis") else "")
    if not limiter.hit(limit, who):
        raise TooMany(seconds=limit.get_expiry())


def forget(broker_url: str, limit: RateLimitItem, who: str) -> None:
    """Start counting anew, after a try that was right."""
    _limiter(broker_url if broker_url.startswith("redis") else "").clear(limit, who)
