"""The first thing every request meets: who is it, may it come further, and which headers does the answer carry.

A plain ASGI layer, because it must decide before a single byte of the body is read: nobody uploads without a session.
"""

import json
import logging
import secrets
import time
from datetime import timedelta
from http.cookies import SimpleCookie
from typing import Any
from urllib.parse import quote

import anyio.to_thread
from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from app.accounts import queries, service
from app.accounts.service import TOKEN_START
from app.db import DATABASE_AWAY, Database, now
from app.disk import DiskWatch, NoRoom
from app.errors import N_, SignInNeeded
from app.logs import request_id
from app.web import csrf
from app.web.error_responses import database_away
from app.web.language import translate, wanted_locale
from app.web.latencies import Latencies
from app.web.visitor import Visitor, VisitorUser, VisitorWorkspace

SESSION_COOKIE = "livery_session"
LOCALE_COOKIE = "livery_locale"
THEME_COOKIE = "livery_theme"
METRICS = "/metrics"
"""Decides itself who may read it; like programs, it is asked with a token."""
PUBLIC = (
    "/static/",
    "/setup",
    "/sign-in",
    "/invitations/accept",
    "/password-reset",
    "/health",
    "/preferences",
    "/favicon.ico",
    METRICS,
)
POLICY = (
    "default-src 'self'; img-src 'self' data: blob:; style-src 'self'; style-src-attr 'unsafe-inline'; "
    "script-src 'self'; object-src 'none'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
)
SEEN_EVERY = timedelta(minutes=5)
log = logging.getLogger("livery.web")


class Gate:
    """Deny by default: what is not public needs a session cookie, or under ``/api/`` a bearer token."""

    def __init__(
        self,
        app: ASGIApp,
        *,
        database: Database,
        signing_key: bytes,
        secure_cookies: bool,
        disk: DiskWatch,
        latencies: Latencies,
    ) -> None:
        self.app = app
        self.database = database
        self.signing_key = signing_key
        self.secure_cookies = secure_cookies
        self.disk = disk
        self.latencies = latencies

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        headers, path, method = Headers(scope=scope), scope["path"], scope["method"]
        cookies = {name: morsel.value for name, morsel in SimpleCookie(headers.get("cookie", "")).items()}
        state = scope.setdefault("state", {})
        state["request_id"] = secrets.token_hex(8)
        request_id.set(state["request_id"])
        state["visitor"] = None
        state["locale"] = wanted_locale(cookies.get(LOCALE_COOKIE), headers.get("accept-language", ""))
        state["theme"] = cookies.get(THEME_COOKIE, "auto")
        is_api, is_public = path.startswith("/api/") or path == METRICS, path.startswith(PUBLIC)
        form_cookie = None
        started = time.monotonic()

        async def answer(message: Message) -> None:
            if message["type"] == "http.response.start":
                _add_headers(message, form_cookie, self.secure_cookies)
                MutableHeaders(scope=message)["x-request-id"] = state["request_id"]
                self.latencies.note(scope, message["status"], time.monotonic() - started)
                log.info(
                    "request",
                    extra={
                        "method": method,
                        "path": path,
                        "status": message["status"],
                        "ms": round((time.monotonic() - started) * 1000),
                        "workspace": state["visitor"].workspace.id if state["visitor"] else None,
                    },
                )
            await send(message)

        if not path.startswith("/static/"):
            try:
                state["visitor"] = await anyio.to_thread.run_sync(self._who, is_api, headers, cookies)
            except DATABASE_AWAY as error:
                state["csrf_token"] = ""
                await database_away(Request(scope), error)(scope, receive, answer)
                return
        visitor: Visitor | None = state["visitor"]
        if visitor is not None:
            state["locale"], state["theme"] = visitor.user.locale, visitor.user.theme
        bound_to = visitor.session_id if visitor is not None else cookies.get(csrf.FORM_COOKIE)
        if not bound_to and not is_api:
            bound_to = form_cookie = csrf.new_form_cookie()
        state["csrf_token"] = csrf.token_for(self.signing_key, bound_to or "")

        if not is_api and not csrf.comes_from_us(method, headers):
            await _refuse(scope, answer, 403, csrf.ForeignForm.sentence)
        elif visitor is None and not is_public:
            await self._turn_away(scope, headers, answer)
        elif _is_upload(method, headers) and await anyio.to_thread.run_sync(self._has_no_room, headers):
            await _refuse(scope, answer, NoRoom.status, NoRoom.sentence)
        else:
            await self.app(scope, receive, answer)

    def _has_no_room(self, headers: Headers) -> bool:
        """Decided before the body is read: the web process would put it into a temporary file first."""
        coming = headers.get("content-length", "")
        return self.disk.is_short() or self.disk.free() < (int(coming) if coming.isdecimal() else 0)

    def _who(self, is_api: bool, headers: Headers, cookies: dict[str, str]) -> Visitor | None:
        with self.database.read() as session:
            if is_api:
                kind, _, token = headers.get("authorization", "").partition(" ")
                if kind.lower() != "bearer" or not token.startswith(TOKEN_START):
                    return None
                found = queries.entrance_by_token(session, token.strip())
            else:
                token = cookies.get(SESSION_COOKIE, "")
                found = queries.entrance_by_cookie(session, token) if token else None
        if found is None:
            return None
        self._note_use(found)
        return Visitor(
            user=VisitorUser(found.user.id, found.user.name, found.user.email, found.user.locale, found.user.theme),
            workspace=VisitorWorkspace(found.workspace.id, found.workspace.name),
            role=found.role,
            session_id=found.browser.id if found.browser else None,
            read_only=found.token.read_only if found.token else False,
        )

    def _note_use(self, found: queries.Entrance) -> None:
        if found.browser is not None and found.browser.last_seen_at < now() - SEEN_EVERY:
            with self.database.write() as session:
                service.touch_session(session, found.browser.id)
        elif found.token is not None and (
            found.token.last_used_at is None or found.token.last_used_at < now() - SEEN_EVERY
        ):
            with self.database.write() as session:
                service.touch_token(session, found.token.id)

    async def _turn_away(self, scope: Scope, headers: Headers, send: Send) -> None:
        if scope["path"].startswith("/api/"):
            await _refuse(scope, send, 401, N_("Send an API token: “Authorization: Bearer lvy_…”."))
            return
        nobody_here = await anyio.to_thread.run_sync(self._nobody_here)
        target = "/setup" if nobody_here else "/sign-in"
        if not nobody_here and scope["method"] == "GET" and scope["path"] != "/":
            query = scope["query_string"].decode("latin-1")
            target += "?next=" + quote(scope["path"] + ("?" + query if query else ""), safe="")
        if "hx-request" in headers:
            await _send(send, 401, {"hx-redirect": target}, b"")
        elif scope["method"] in csrf.SAFE_METHODS:
            await _send(send, 303, {"location": target}, b"")
        else:
            await _refuse(scope, send, 401, SignInNeeded.sentence)

    def _nobody_here(self) -> bool:
        with self.database.read() as session:
            return service.needs_owner(session)


def _is_upload(method: str, headers: Headers) -> bool:
    return method in ("POST", "PUT") and headers.get("content-type", "").startswith("multipart/form-data")


def _add_headers(message: Message, form_cookie: str | None, secure: bool) -> None:
    headers = MutableHeaders(scope=message)
    headers.setdefault("content-security-policy", POLICY)
    headers["x-content-type-options"] = "nosniff"
    headers.setdefault("referrer-policy", "same-origin")
    headers["cross-origin-opener-policy"] = "same-origin"
    headers.setdefault("cache-control", "no-store")
    if form_cookie:
        flags = "; Path=/; HttpOnly; SameSite=Lax" + ("; Secure" if secure else "")
        headers.append("set-cookie", f"{csrf.FORM_COOKIE}={form_cookie}{flags}")


async def _refuse(scope: Scope, send: Send, status: int, sentence: str) -> None:
    body: dict[str, Any] = {"ok": False, "sentence": translate(scope["state"]["locale"], sentence)}
    await _send(send, status, {"content-type": "application/json"}, json.dumps(body, ensure_ascii=False).encode())


async def _send(send: Send, status: int, headers: dict[str, str], body: bytes) -> None:
    raw = [(name.encode(), value.encode("latin-1")) for name, value in headers.items()]
    await send({"type": "http.response.start", "status": status, "headers": raw})
    await send({"type": "http.response.body", "body": body})
