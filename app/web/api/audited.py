"""How a route says what it does, for the audit log: ``@audited("image.deleted")`` between the router and the function.

The write session follows what the request changes and adds the event to the same transaction.
"""

from collections.abc import Callable
from typing import TypeVar

from fastapi import Request

from app.audit.actions import ACTIONS
from app.audit.following import Actor, Draft
from app.web.gate.visitor import Visitor

Endpoint = TypeVar("Endpoint", bound=Callable[..., object])
_ACTION = "__audited__"


def audited(action: str) -> Callable[[Endpoint], Endpoint]:
    """``action`` is a key of ``app.audit.actions.ACTIONS``."""
    assert action in ACTIONS, action

    def mark(endpoint: Endpoint) -> Endpoint:
        setattr(endpoint, _ACTION, action)
        return endpoint

    return mark


def action_of(endpoint: object) -> str | None:
    """What a route was said to do; None for one that changes nothing."""
    action: str | None = getattr(endpoint, _ACTION, None)
    return action


def draft_for(request: Request) -> Draft:
    """The beginning of the event about a request: what it does, and who asks."""
    visitor: Visitor | None = request.state.visitor
    return Draft(
        action=action_of(request.scope.get("endpoint")),
        actor=actor_of(visitor) if visitor else None,
        workspace_id=visitor.workspace.id if visitor else None,
        request=request.state.request_id,
        addressed=dict(request.path_params),
    )


def actor_of(visitor: Visitor) -> Actor:
    if visitor.token is not None:
        return Actor("token", visitor.token.id, f"{visitor.token.name} ({visitor.user.name})", visitor.user.id)
    return Actor("person", visitor.user.id, visitor.user.name, visitor.user.id)
