"""What a changing request answers: where to go next, or a notice beside the page that stays."""

import json
from urllib.parse import urlsplit

from fastapi import Request, Response
from fastapi.responses import RedirectResponse

from app.web import flashes
from app.web.flashes import Flash


def is_htmx(request: Request) -> bool:
    return "hx-request" in request.headers


def go(request: Request, url: str, flash: Flash | None = None) -> Response:
    """Send the browser to ``url`` (ours, beginning with ``/``), with or without scripts."""
    response: Response = RedirectResponse(url, 303)
    if is_htmx(request):  # with the address as it is quoted there: headers know no “€”
        response = Response(status_code=204, headers={"HX-Redirect": response.headers["location"]})
    if flash is not None:
        flashes.leave(request, response, flash)
    return response


def with_toast(response: Response, text: str, undo_url: str | None = None, kind: str = "ok") -> Response:
    """Let the page that stays show ``text``, with an undo where there is one."""
    detail = {"text": text, "kind": kind, "undo_url": undo_url}
    response.headers["HX-Trigger"] = json.dumps({"livery:toast": detail})
    return response


def where_from(request: Request, otherwise: str) -> str:
    """The page of ours that the request was sent from."""
    came_from = urlsplit(request.headers.get("referer", ""))
    return own_path(came_from.path + (f"?{came_from.query}" if came_from.query else ""), otherwise)


def own_path(url: str | None, otherwise: str = "/") -> str:
    """``url`` if it is an address of this site, else ``otherwise``; nobody is sent elsewhere by a link."""
    if url and url.startswith("/") and not url.startswith("//") and "\\" not in url and url.isprintable():
        return url
    return otherwise
