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
    sentence = N_("This form did not come from a page of this Livery, or the page is too old. Reload it and try again.")


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
    """The form token of a session, or of a signed-out browser's form cookie."""
    return hmac.new(key, f"form:{bound_to}".encode(), hashlib.sha256).hexdigest()


def new_form_cookie() -> str:
    return secrets.token_urlsafe(16)


async def check_form(request: Request) -> None:
    """A dependency of every page router: refuses a changing request without the right token."""
    if request.method in SAFE_METHODS:
        return
    given: str | UploadFile | None = request.headers.get("x-csrf-token")
    if given is None:
        given = (await request.form()).get("csrf_token")
    if not isinstance(given, str) or not hmac.compare_digest(given.encode(), request.state.csrf_token.encode()):
        raise ForeignForm()
