"""The visitor as a dependency, by the least role that a route asks for."""

from typing import Annotated

from fastapi import Depends, Request

from app.accounts.errors import ReadOnlyToken
from app.errors import Forbidden, SignInNeeded
from app.web.visitor import Visitor


def check(visitor: Visitor | None, least_role: str | None, method: str) -> None:
    """Raises ``SignInNeeded``, ``ReadOnlyToken`` or ``Forbidden``; with ``least_role`` None everybody may come."""
    if least_role is None:
        return
    if visitor is None:
        raise SignInNeeded()
    if visitor.read_only and method not in ("GET", "HEAD"):
        raise ReadOnlyToken()
    if not visitor.may(least_role):
        raise Forbidden()


def viewer(request: Request) -> Visitor:
    return _checked(request, "viewer")


def editor(request: Request) -> Visitor:
    return _checked(request, "editor")


def owner(request: Request) -> Visitor:
    return _checked(request, "owner")


def _checked(request: Request, least_role: str) -> Visitor:
    visitor: Visitor | None = request.state.visitor
    check(visitor, least_role, request.method)
    assert visitor is not None
    return visitor


Viewer = Annotated[Visitor, Depends(viewer)]
Editor = Annotated[Visitor, Depends(editor)]
Owner = Annotated[Visitor, Depends(owner)]
