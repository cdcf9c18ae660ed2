"""The first thing every request meets: who is it, may it come further, and which headers does the answer carry.

A plain ASGI layer, because it must decide before a single byte of the body is read: nobody uploads without a session.
"""

import logging
import secrets
import time
from datetime import timedelta
from urllib.parse import quote

import anyio.to_thread
from sqlalchemy.orm import Session
from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from app.accounts import queries, second_factors, service
from app.accounts.errors import SecondFactorNeeded
from app.accounts.service import TOKEN_START
from app.db import DATABASE_AWAY, Database, now
from app.errors import N_, AppError, NotFound, SignInNeeded
from app.logs import request_id
from app.settings import Settings
from app.web import error_responses
from app.web.error_responses import NotAllowed
from app.web.gate import csrf, incoming, signed_in
from app.web.gate.incoming import Body, Pace, TooSlow, Uploads, declared_length
from app.web.gate.route_rules import API, SMALL_BYTES, RouteRules, Rule
from app.web.gate.visitor import Visitor, VisitorToken, VisitorUser, VisitorWorkspace
from app.web.language import wanted_locale
from app.web.latencies import Latencies

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
SECOND_FACTOR = "/account/second-factor"
OPEN_WITHOUT_SECOND_FACTOR = ("/account", "/workspaces", "/workspace/switch", "/sign-out")
"""Where members may go without a factor that their workspace asks for: to set one up, or to leave for another."""
POLICY = (
    "default-src 'self'; img-src 'self' data: blob:; style-src 'self'; style-src-attr 'unsafe-inline'; "
    "script-src 'self'; object-src 'none'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
)
YEAR_SECONDS = 365 * 24 * 3600
SEEN_EVERY = timedelta(minutes=5)
log = logging.getLogger("livery.web")


class TokenNeeded(AppError):
    status = 401
    sentence = N_("Send an API token: “Authorization: Bearer lvy_…”.")


class TurnedAway(Exception):
    """A stranger goes where these headers say."""

    def __init__(self, status: int, headers: dict[str, str]) -> None:
        super().__init__(status)
        self.status, self.headers = status, headers


class Gate:
    """Deny by default: what is not public needs a session cookie, or under ``/api/`` a bearer token.

    Who may not do what the route does, and whoever sends what it does not take, is told so before the body is read.
    """

    def __init__(
        self,
        app: ASGIApp,
        *,
        database: Database,
        signing_key: bytes,
        settings: Settings,
        rules: RouteRules,
        uploads: Uploads,
        pace: Pace,
        latencies: Latencies,
    ) -> None:
        self.app = app
        self.database = database
        self.signing_key = signing_key
        self.settings = settings
        self.rules = rules
        self.uploads = uploads
        self.pace = pace
        self.latencies = latencies

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        # First of all what every answer needs, also one about an error in what follows.
        state = scope.setdefault("state", {})
        state.update(request_id=secrets.token_hex(8), visitor=None, locale="en", theme="auto", csrf_token="")
        request_id.set(state["request_id"])
        body = Body(receive, SMALL_BYTES, self.pace)
        answer = self._answering(scope, send, body)
        request = Request(scope)
        try:
            await self._meet(request)
            rule = await self._admit(request)
            if rule is not None:
                body.most_bytes = rule.most_bytes
            if rule is not None and rule.is_upload:
                expected = declared_length(request.headers)
                async with self.uploads.coming(body, rule.most_bytes if expected is None else expected) as received:
                    await self.app(scope, received, answer)
            else:
                await self.app(scope, body.receive, answer)
        except TurnedAway as turned:
            await _send(answer, turned.status, turned.headers, b"")
        except AppError as error:
            await error_responses.app_error(request, error)(scope, receive, answer)
        except DATABASE_AWAY as error:
            await error_responses.database_away(request, error)(scope, receive, answer)
        except Exception as error:
            if not body.is_answered:
                await error_responses.internal(request, error)(scope, receive, answer)
            raise  # for the server's log, and for tests

    def _answering(self, scope: Scope, send: Send, body: Body) -> Send:
        """``send`` with our headers, the request's number, and a line in the log."""
        state, started = scope["state"], time.monotonic()

        async def answer(message: Message) -> None:
            if message["type"] == "http.response.start":
                body.is_answered = True
                _add_headers(message, state.get("form_cookie"), self.settings.secure_cookies)
                MutableHeaders(scope=message)["x-request-id"] = state["request_id"]
                self.latencies.note(scope, message["status"], time.monotonic() - started)
                log.info(
                    "request",
                    extra={
                        "method": scope["method"],
                        "path": scope["path"],
                        "status": message["status"],
                        "ms": round((time.monotonic() - started) * 1000),
                        "workspace": state["visitor"].workspace.id if state["visitor"] else None,
                    },
                )
            await send(message)

        return answer

    async def _meet(self, request: Request) -> None:
        """Find out who it is, and how they like their pages. Cookies of others on the same host do no harm."""
        state, cookies, path = request.scope["state"], request.cookies, request.scope["path"]
        state["locale"] = wanted_locale(cookies.get(LOCALE_COOKIE), request.headers.get("accept-language", ""))
        state["theme"] = cookies.get(THEME_COOKIE, "auto")
        is_api, is_static = _is_api(path), path.startswith("/static/")
        if not is_static:
            state["visitor"] = await anyio.to_thread.run_sync(self._who, is_api, request.headers, cookies)
        visitor: Visitor | None = state["visitor"]
        if visitor is not None:
            state["locale"], state["theme"] = visitor.user.locale, visitor.user.theme
        bound_to = visitor.session_id if visitor is not None else cookies.get(csrf.FORM_COOKIE)
        # An answer that shows no form must not take the cookie from a form that is filled in meanwhile: a script that
        # comes late, or the second of two requests that a page sent when its session was over.
        goes_there = request.headers.get("sec-fetch-mode", "navigate") == "navigate"
        if not bound_to and not is_api and not is_static and (goes_there or path.startswith(PUBLIC)):
            bound_to = state["form_cookie"] = csrf.new_form_cookie()
        state["csrf_token"] = csrf.token_for(self.signing_key, bound_to or "")

    async def _admit(self, request: Request) -> Rule | None:
        """The rule of the route that will answer, None where none will or none reads a body.

        Raises ``TurnedAway`` and every refusal that needs no body.
        """
        path, method, visitor = request.scope["path"], request.method, request.state.visitor
        if not _is_api(path) and not csrf.comes_from_us(method, request.headers):
            raise csrf.ForeignForm()
        if visitor is None and not path.startswith(PUBLIC):
            await self._turn_away(request)
        if "\x00" in path:  # no row has it, and PostgreSQL refuses to look
            raise NotFound()
        if visitor is not None and visitor.needs_second_factor and not _is_open_without_second_factor(path):
            _lead_to_second_factor(request)
        if path.startswith(API) and method not in (self.rules.methods_of(path) or (method,)):
            raise NotAllowed()
        if method in csrf.SAFE_METHODS:
            return None
        rule = self.rules.rule_for(method, path)
        if rule is not None:
            signed_in.check(visitor, rule.role, method)
            incoming.check(rule, request.headers)
        return rule

    def _who(self, is_api: bool, headers: Headers, cookies: dict[str, str]) -> Visitor | None:
        with self.database.read() as session:
            if is_api:
                kind, _, token = headers.get("authorization", "").partition(" ")
                if kind.lower() != "bearer" or not token.startswith(TOKEN_START):
                    return None
                found = queries.entrance_by_token(session, token.strip())
            else:
                token = cookies.get(SESSION_COOKIE, "")
                found = self._by_cookie(session, token) if token else None
            if found is None:
                return None
            needs_second_factor = found.workspace.requires_second_factor and not second_factors.has_one(
                session, found.user.id
            )
        self._note_use(found)
        return Visitor(
            user=VisitorUser(found.user.id, found.user.name, found.user.email, found.user.locale, found.user.theme),
            workspace=VisitorWorkspace(found.workspace.id, found.workspace.name, found.workspace.viewers_download_open),
            role=found.role,
            session_id=found.browser.id if found.browser else None,
            read_only=found.token.read_only if found.token else False,
            token=VisitorToken(found.token.id, found.token.name) if found.token else None,
            needs_second_factor=needs_second_factor,
        )

    def _by_cookie(self, session: Session, token: str) -> queries.Entrance | None:
        return queries.entrance_by_cookie(
            session, token, life=self.settings.sign_in_life, idle=self.settings.sign_in_idle
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

    async def _turn_away(self, request: Request) -> None:
        """Raises where a stranger goes instead."""
        path, query = request.scope["path"], request.scope["query_string"].decode("latin-1")
        if path.startswith("/api/"):
            raise TokenNeeded()
        nobody_here = await anyio.to_thread.run_sync(self._nobody_here)
        target = "/setup" if nobody_here else "/sign-in"
        if not nobody_here and request.method == "GET" and path != "/":
            target += "?next=" + quote(path + ("?" + query if query else ""), safe="")
        if "hx-request" in request.headers:
            raise TurnedAway(401, {"hx-redirect": target})
        if request.method in csrf.SAFE_METHODS:
            raise TurnedAway(303, {"location": target})
        raise SignInNeeded()

    def _nobody_here(self) -> bool:
        with self.database.read() as session:
            return service.needs_owner(session)


def _is_api(path: str) -> bool:
    return path.startswith("/api/") or path == METRICS


def _is_open_without_second_factor(path: str) -> bool:
    if _is_api(path):
        return False
    return path.startswith(PUBLIC) or any(
        path == one or path.startswith(one + "/") for one in OPEN_WITHOUT_SECOND_FACTOR
    )


def _lead_to_second_factor(request: Request) -> None:
    """Raises ``TurnedAway`` where a page was asked for, else ``SecondFactorNeeded``."""
    if "hx-request" in request.headers:
        raise TurnedAway(403, {"hx-redirect": SECOND_FACTOR})
    if request.method not in csrf.SAFE_METHODS or _is_api(request.scope["path"]):
        raise SecondFactorNeeded()
    raise TurnedAway(303, {"location": SECOND_FACTOR})


def _add_headers(message: Message, form_cookie: str | None, secure: bool) -> None:
    headers = MutableHeaders(scope=message)
    headers.setdefault("content-security-policy", POLICY)
    headers["x-content-type-options"] = "nosniff"
    headers.setdefault("referrer-policy", "same-origin")
    headers["cross-origin-opener-policy"] = "same-origin"
    headers.setdefault("cache-control", "no-store")
    if secure:
        headers["strict-transport-security"] = f"max-age={YEAR_SECONDS}"
    if message["status"] == TooSlow.status:
        headers["connection"] = "close"  # the rest may never come
    if form_cookie:
        flags = "; Path=/; HttpOnly; SameSite=Lax" + ("; Secure" if secure else "")
        headers.append("set-cookie", f"{csrf.FORM_COOKIE}={form_cookie}{flags}")


async def _send(send: Send, status: int, headers: dict[str, str], body: bytes) -> None:
    raw = [(name.encode(), value.encode("latin-1")) for name, value in headers.items()]
    await send({"type": "http.response.start", "status": status, "headers": raw})
    await send({"type": "http.response.body", "body": body})
