"""A sentence that waits for the next page: kept in a signed, short-lived cookie. And the address of what undoes it."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Annotated

from fastapi import Path, Request, Response
from itsdangerous import BadData, URLSafeTimedSerializer

from app.web.api.audited import action_of

COOKIE = "livery_flash"
LIFE_SECONDS = 60
Stamp = Annotated[int, Path(ge=0, le=4_000_000_000_000_000)]
"""The moment of a deletion in the address that undoes it, in microseconds."""


@dataclass(frozen=True)
class Flash:
    kind: str
    """``ok``, ``error`` or ``undo``."""
    text: str
    undo_action: str | None = None
    done: str = ""
    """What was done, as the audit log names it: the page tells it beside the text, which people may word anew."""


def _signer(request: Request) -> URLSafeTimedSerializer:
    return URLSafeTimedSerializer(request.app.state.signing_key, salt="flash")


def waiting(request: Request) -> list[Flash]:
    raw = request.cookies.get(COOKIE)
    if not raw:
        return []
    try:
        return [Flash(*item) for item in _signer(request).loads(raw, max_age=LIFE_SECONDS)]
    except (BadData, TypeError):
        return []


def leave(request: Request, response: Response, flash: Flash) -> None:
    """Show ``flash`` on the next page."""
    done = action_of(request.scope.get("endpoint")) or ""
    value = _signer(request).dumps([(flash.kind, flash.text, flash.undo_action, done)])
    response.set_cookie(COOKIE, value, max_age=LIFE_SECONDS, httponly=True, samesite="lax")


def forget(request: Request, response: Response) -> None:
    if COOKIE in request.cookies:
        response.delete_cookie(COOKIE)


def to_stamp(moment: datetime) -> int:
    """A deletion's moment as microseconds, for an address."""
    return round(moment.timestamp() * 1_000_000)


def from_stamp(stamp: int) -> datetime:
    return datetime.fromtimestamp(stamp // 1_000_000, UTC) + timedelta(microseconds=stamp % 1_000_000)
