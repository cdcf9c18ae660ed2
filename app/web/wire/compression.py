"""Answers that are words go packed over the wire; everything else goes as it is.

Packing tells: how long an answer is says whether a part of it repeats another part, and who can make a browser ask for
pages that repeat words of their choice can guess a secret on them letter by letter (BREACH). Two walls: the one secret
that stands on every page, the form token, is masked anew for each answer (``gate.csrf``); and what a browser asks for
because another site told it to is not packed at all, whatever stands in it. Shipped files hold no secrets.
"""

from starlette.datastructures import Headers, MutableHeaders
from starlette.middleware.gzip import GZipMiddleware
from starlette.types import ASGIApp, Message, Receive, Scope, Send

WORDS = ("text/html", "text/css", "text/javascript", "text/plain", "application/json", "image/svg+xml")
"""Pictures, fonts, archives and weights are packed already, and a stream of events must not wait to be packed."""
OUR_OWN = (None, "same-origin", "none")
"""``Sec-Fetch-Site`` of what our own pages, people and programs ask for."""
LEVEL = 6
IN_A_THREAD_FROM = 32 * 1024
"""Bytes whose packing would hold up the other answers."""


class Compression:
    """Around everything else, so that refusals are packed like pages."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app
        self.packing = GZipMiddleware(self._marked, compresslevel=LEVEL, thread_minimum_size=IN_A_THREAD_FROM)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or not _may_be_packed(scope):
            await self.app(scope, receive, send)
            return

        async def unmarked(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                if headers.get("content-encoding") == "identity":
                    del headers["content-encoding"]
            await send(message)

        await self.packing(scope, receive, unmarked)

    async def _marked(self, scope: Scope, receive: Receive, send: Send) -> None:
        """The application; what is not to be packed is marked so, in the way that the packing respects."""

        async def marked(message: Message) -> None:
            if message["type"] == "http.response.start" and not _is_words(Headers(raw=message["headers"])):
                MutableHeaders(scope=message)["content-encoding"] = "identity"
            await send(message)

        await self.app(scope, receive, marked)


def _may_be_packed(scope: Scope) -> bool:
    is_ours = Headers(scope=scope).get("sec-fetch-site") in OUR_OWN
    return is_ours or scope["path"].startswith("/static/")


def _is_words(headers: Headers) -> bool:
    """Whether it is a page, a script, a style or JSON to be read, and no file to be saved."""
    kind = headers.get("content-type", "").partition(";")[0].strip()
    return kind in WORDS and "content-disposition" not in headers
