"""Forms that only our own pages can send.

Two walls: the browser says where a request comes from (``Sec-Fetch-Site``, ``Origin``), and every form or script
repeats a token that only a page of the same session can know. Requests with an API token carry no cookie and need
neither.
"""

import hashlib
import hmac
import secrets
from urllib.parse import urlsplit

from fastapi import Request
from starlette.datastructures import Headers, UploadFile

from app.errors import N_, Forbidden

SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})
FORM_COOKIE = "livery_form"


class ForeignForm(Forbidden):
    sentence = N_(
        "This form did not come from a page of this Livery, or its page is too old. Reload the page and try again."
    )


def comes_from_us(method: str, headers: Headers) -> bool:
    """Whether the browser's own headers allow a changing request. Without any such header the token decides alone."""
    if method in SAFE_METHODS:
        return True
    site = headers.get("sec-fetch-site")
    if site is not None:
        return site in ("same-origin", "none")
    origin = headers.get("origin")
    try:
        return origin is None or urlsplit(origin).netloc == headers.get("host")
    except ValueError:  # such as “http://[”
        return False


def token_for(key: bytes, bound_to: str) -> str:
    """The form token of a session, or of a signed-out browser's form cookie.

    Another text each time: a random mask, and the secret under it. A secret that stood on every page as it is could be
    guessed from how well pages pack (``app.web.wire.compression``).
    """
    secret = hmac.new(key, f"form:{bound_to}".encode(), hashlib.sha256).digest()
    mask = secrets.token_bytes(len(secret))
    return (mask + _under(mask, secret)).hex()


def _under(mask: bytes, text: bytes) -> bytes:
    return bytes(one ^ other for one, other in zip(mask, text, strict=True))


def _secret_of(token: str) -> bytes:
    """What is under the token's mask; nothing for what is no token."""
    try:
        raw = bytes.fromhex(token)
    except ValueError:
        return b""
    size = hashlib.sha256().digest_size
    return _under(raw[:size], raw[size:]) if len(raw) == 2 * size else b""


def new_form_cookie() -> str:
    return secrets.token_urlsafe(16)


async def check_form(request: Request) -> None:
    """A dependency of every page router: refuses a changing request without the right token."""
    if request.method in SAFE_METHODS:
        return
    given: str | UploadFile | None = request.headers.get("x-csrf-token")
    if given is None:
        given = (await request.form()).get("csrf_token")
    wanted = _secret_of(request.state.csrf_token)
    if not isinstance(given, str) or not wanted or not hmac.compare_digest(_secret_of(given), wanted):
        raise ForeignForm()
