"""The visitor as a dependency, by the least role that a route asks for."""

from typing import Annotated

from fastapi import Depends, Request
from sqlalchemy import Connection, event
from sqlalchemy.orm import Session, SessionTransaction

from app.accounts import queries
from app.accounts.errors import ReadOnlyToken
from app.accounts.models import ROLES
from app.errors import Forbidden, SignInNeeded
from app.web.gate.visitor import Visitor


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


def watch(session: Session, visitor: Visitor | None) -> None:
    """Look once more with the first statement of a writing transaction, which may come long after the gate looked: a
    body takes its time, and whoever holds one back must not keep a right by it that was taken away meanwhile.

    That statement raises ``SignInNeeded`` or ``Forbidden``.
    """
    if visitor is None:
        return

    def look(_session: Session, _transaction: SessionTransaction, connection: Connection) -> None:
        role = queries.role_now(
            connection,
            workspace_id=visitor.workspace.id,
            user_id=visitor.user.id,
            session_id=visitor.session_id,
            token_id=visitor.token.id if visitor.token else None,
        )
        if role is None:
            raise SignInNeeded()
        if ROLES.index(role) < ROLES.index(visitor.role):
            raise Forbidden()

    event.listen(session, "after_begin", look, once=True)


def is_admin(session: Session, visitor: Visitor) -> bool:
    """Whether the visitor owns the first workspace and thereby runs the installation: anybody can make a further
    workspace and own that."""
    return visitor.may("owner") and queries.is_first_workspace(session, visitor.workspace.id)


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
