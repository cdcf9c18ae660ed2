"""``/live``: what has changed on the jobs that a page shows, as Server-Sent Events, for as long as the page is open.

The page says what it shows: ``of`` with the id of a training or generation, as often as needed, and ``board`` for all
that waits or runs. An event carries a version; a page that shows another one asks for the part that it already knows
how to ask for, so templates draw everything. What moves every second, a count and the time left, comes along in words.
"""

import json
import re
import secrets
from collections.abc import AsyncIterator
from functools import lru_cache

import anyio.to_thread
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse
from starlette.types import Receive, Scope, Send

from app.errors import Invalid, NotFound
from app.jobs import queries
from app.jobs.stream import ALL_JOBS, Follow, Listener, News, Streams
from app.web.gate.visitor import Visitor
from app.web.templating import duration, number, speaking

PATH = "/live"
MOST_FOLLOWED = 50
HEARTBEAT_SECONDS = 15.0
"""So often something is written at least: proxies close what is silent, and a browser that is gone is noticed."""
RETRY_MS = range(2000, 6000)
"""So long a browser waits before it connects again, each another time: after a deploy they do not all come at once."""


async def show(request: Request) -> Response:
    """Raises ``Invalid`` for a token's request or without anything to follow, ``NotFound`` for another's ids,
    ``TooManyStreams``."""
    visitor: Visitor = request.state.visitor
    subject_ids = frozenset(request.query_params.getlist("of"))
    all_jobs = ALL_JOBS in request.query_params
    if visitor.session_id is None or len(subject_ids) > MOST_FOLLOWED or not (subject_ids or all_jobs):
        raise Invalid()
    if any(re.fullmatch("[0-9a-f]{32}", subject_id) is None for subject_id in subject_ids):
        raise NotFound()
    if subject_ids and not await anyio.to_thread.run_sync(_are_here, request, visitor, subject_ids):
        raise NotFound()
    follow = Follow(visitor.session_id, visitor.workspace.id, subject_ids, all_jobs)
    return LiveResponse(request.app.state.streams, follow, request.state.locale)


def _are_here(request: Request, visitor: Visitor, subject_ids: frozenset[str]) -> bool:
    with request.app.state.database.read() as session:
        return queries.are_here(session, workspace_id=visitor.workspace.id, subject_ids=subject_ids)


class LiveResponse(StreamingResponse):
    """Takes its place among the streams when it begins and leaves it whenever it ends, whoever ends it."""

    def __init__(self, streams: Streams, follow: Follow, locale: str) -> None:
        # Without the last header nginx collects an answer before it passes it on.
        super().__init__(_nothing(), media_type="text/event-stream", headers={"x-accel-buffering": "no"})
        self._streams, self._follow, self._locale = streams, follow, locale

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        with self._streams.listening(self._follow) as listener:
            self.body_iterator = _events(listener, self._locale)
            await super().__call__(scope, receive, send)


async def _nothing() -> AsyncIterator[str]:
    return
    yield ""


async def _events(listener: Listener, locale: str) -> AsyncIterator[str]:
    yield f"retry: {secrets.choice(RETRY_MS)}\n\n"
    while not listener.is_over:
        news = await listener.news(HEARTBEAT_SECONDS)
        yield "".join(_event(one, locale) for one in news) or ": still here\n\n"


@lru_cache(4096)
def _event(news: News, locale: str) -> str:
    """Remembered, as many pages may show the same job."""
    told: dict[str, object] = {"of": news.of, "version": news.version, "done": news.done, "total": news.total}
    with speaking(locale):
        told["words"] = {
            "done": number(news.done),
            "left": "" if news.seconds_left is None else duration(news.seconds_left),
        }
    return f"data: {json.dumps(told, ensure_ascii=False)}\n\n"
