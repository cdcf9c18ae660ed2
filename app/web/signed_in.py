"""The visitor as a dependency, by the least role that a route asks for."""

from typing import Annotated

from fastapi import Depends, Request

from app.accounts.errors import ReadOnlyToken
from app.errors import Forbidden, SignInNeeded
from app.web.visitor import Visitor


def _viewer(request: Request) -> Visitor:
    visitor: Visitor | None = request.state.visitor
    if visitor is None:
        raise SignInNeeded()
    if visitor.read_only and request.method not in ("GET", "HEAD"):
        raise ReadOnlyToken()
    return visitor


def _editor(visitor: Annotated[Visitor, Depends(_viewer)]) -> Visitor:
    if not visitor.may("editor"):
        raise Forbidden()
    return visitor


def _owner(visitor: Annotated[Visitor, Depends(_viewer)]) -> Visitor:
    if not visitor.may("owner"):
        raise Forbidden()
    return visitor


Viewer = Annotated[Visitor, Depends(_viewer)]
Editor = Annotated[Visitor, Depends(_editor)]
Owner = Annotated[Visitor, Depends(_owner)]
