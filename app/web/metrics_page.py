"""``/metrics``, for monitoring. Not public: a token that the settings name, or an API token of an owner."""

import secrets

import anyio.to_thread
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response

from app.settings import Settings
from app.web.gate.signed_in import is_admin
from app.web.gate.visitor import Visitor


async def show(request: Request) -> Response:
    """200 with the metrics, 401 without a token, 403 with one of somebody who is no admin of this installation."""
    settings: Settings = request.app.state.settings
    wanted, visitor = settings.metrics_token.get_secret_value(), request.state.visitor
    _, _, given = request.headers.get("authorization", "").partition(" ")
    if not (wanted and secrets.compare_digest(given.strip().encode(), wanted.encode())):
        if visitor is None:
            return PlainTextResponse("Send a bearer token.\n", 401, {"www-authenticate": "Bearer"})
        if not await anyio.to_thread.run_sync(_may, request, visitor):
            return PlainTextResponse("Only for owners of this installation's first workspace.\n", 403)
    body = await anyio.to_thread.run_sync(generate_latest, request.app.state.registry)
    return Response(body, headers={"content-type": CONTENT_TYPE_LATEST})


def _may(request: Request, visitor: Visitor) -> bool:
    with request.app.state.database.read() as session:
        return is_admin(session, visitor)
