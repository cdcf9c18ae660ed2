"""The help: a list of its pages, a search over them, and each page."""

from typing import Annotated

from fastapi import APIRouter, Query, Request, Response

from app.errors import NotFound
from app.help import pages
from app.web.api.deferred_route import DeferredRoute
from app.web.gate.signed_in import Viewer
from app.web.templating import page
from app.web.text import Line

router = APIRouter(route_class=DeferredRoute)


@router.get("/help")
def show_help(request: Request, visitor: Viewer, q: Annotated[Line, Query()] = "") -> Response:
    locale = request.state.locale
    hits = pages.search(q, locale)
    return page(request, "pages/help.html", chapters=pages.in_chapters(locale), q=q, hits=hits)


@router.get("/help/{help_page}")
def show_help_page(request: Request, visitor: Viewer, help_page: str) -> Response:
    """Raises ``NotFound``."""
    found = pages.find(help_page, request.state.locale)
    if found is None:
        raise NotFound()
    return page(request, "pages/help_page.html", found=found)
