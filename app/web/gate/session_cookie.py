"""The two cookies of a sign-in: who is in, and that this browser was let in before.

**Who is locked out by wrong tries.** A stranger may try ten passwords for an address in fifteen minutes; then that
address is closed to strangers. If that closed it to its owner as well, anybody could shut anybody out. So a browser
that was let in keeps a signed cookie for a year, and its tries are counted by that cookie alone: strangers can do
nothing to it, and a stolen one gives ten tries like any other. A new device waits while its account is under attack;
a known one does not.
"""

import logging
import secrets
from datetime import timedelta
from functools import cache

from fastapi import Request, Response
from itsdangerous import BadData, URLSafeTimedSerializer

from app.accounts.service import sha256
from app.settings import Settings
from app.web.gate import rate_limit
from app.web.gate.middleware import SESSION_COOKIE

log = logging.getLogger("livery.web")
DEVICE_COOKIE = "livery_device"
DEVICE_LIFE_SECONDS = 365 * 24 * 3600


def let_in(request: Request, response: Response, token: str) -> None:
    """Give the browser its session; scripts cannot read it, other sites cannot send it."""
    life: timedelta = request.app.state.settings.sign_in_life
    set_cookie(request, response, SESSION_COOKIE, token, int(life.total_seconds()))


def let_out(response: Response) -> None:
    response.delete_cookie(SESSION_COOKIE, httponly=True, samesite="lax")


def remember_device(request: Request, response: Response, email: str) -> None:
    """Note in the browser that it was let in as this person."""
    value = _signer(request).dumps([_digest(email), secrets.token_hex(8)])
    set_cookie(request, response, DEVICE_COOKIE, value, DEVICE_LIFE_SECONDS)


def address_of(request: Request) -> str:
    """The browser's address, or that of the proxy before it where no setting says that the proxy is to be believed."""
    if "x-forwarded-for" in request.headers and not request.app.state.settings.trusted_proxies:
        _warn_of_proxy()
    return request.client.host if request.client else "unknown"


@cache
def _warn_of_proxy() -> None:
    log.warning(
        "requests come through a proxy that TRUSTED_PROXIES does not name: everybody behind it counts as one address, "
        "and sixty wrong passwords of theirs shut new browsers out for a quarter of an hour"
    )


def count_try(request: Request, settings: Settings, email: str) -> None:
    """Count one try to sign in, before the password is looked at. Raises ``TooMany``."""
    device = known_device(request, email)
    if device is not None:
        rate_limit.count(settings.broker_url, rate_limit.SIGN_IN_BY_ACCOUNT, f"device:{device}")
        return
    rate_limit.count(settings.broker_url, rate_limit.SIGN_IN_BY_ADDRESS, address_of(request))
    rate_limit.count(settings.broker_url, rate_limit.SIGN_IN_BY_ACCOUNT, f"account:{_digest(email)}")


def forget_tries(request: Request, settings: Settings, email: str) -> None:
    """Start counting anew after a right password; the address's count stays, or a stranger with an account of their own
    could clear it between tries at others'."""
    device = known_device(request, email)
    who = f"device:{device}" if device is not None else f"account:{_digest(email)}"
    rate_limit.forget(settings.broker_url, rate_limit.SIGN_IN_BY_ACCOUNT, who)


def known_device(request: Request, email: str) -> str | None:
    try:
        owner, device = _signer(request).loads(request.cookies.get(DEVICE_COOKIE, ""), max_age=DEVICE_LIFE_SECONDS)
    except (BadData, ValueError, TypeError):
        return None
    return str(device) if owner == _digest(email) else None


def _digest(email: str) -> str:
    return sha256(email.strip().lower())[:32]


def _signer(request: Request) -> URLSafeTimedSerializer:
    return URLSafeTimedSerializer(request.app.state.signing_key, salt="known-device")


def set_cookie(request: Request, response: Response, name: str, value: str, seconds: int) -> None:
    secure: bool = request.app.state.settings.secure_cookies
    response.set_cookie(name, value, max_age=seconds, httponly=True, samesite="lax", secure=secure)
