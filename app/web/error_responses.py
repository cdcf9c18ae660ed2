"""Turns errors into answers: JSON for programs and uploads, a fragment for htmx, a page for people. No trace leaves."""

import errno
import logging
from collections.abc import Mapping

from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse, PlainTextResponse
from starlette.exceptions import HTTPException

from app.db import DATABASE_AWAY
from app.errors import N_, AppError, Forbidden, Invalid, NotFound
from app.machine.disk import NoRoom
from app.web.answers import is_htmx
from app.web.field_problems import field_problems
from app.web.gate.elsewhere import elsewhere
from app.web.gate.incoming import BodyRefused
from app.web.language import translate
from app.web.templating import fragment, page

log = logging.getLogger("livery.web")
FOR_SCRIPTS = ("application/json", "text/event-stream")
MOST_PROBLEMS = 50
"""A body may be wrong in a hundred thousand places; the first ones help."""
INTERNAL_CODE, DATABASE_CODE = "internal", "database_away"
"""Codes of answers that no class of ours stands for."""
INTERNAL = N_("Something went wrong on our side. Please try again. The error was logged under %(number)s.")
DATABASE_SILENT = N_("The database is not responding. Nothing is lost; please try again in a moment.")


class NotAllowed(AppError):
    """Answered with the methods that the address knows."""

    status = 405
    sentence = N_("This address does not support that action.")


def answer(
    request: Request, status: int, code: str, sentence: str, fields: Mapping[str, str] | None = None
) -> Response:
    """``sentence`` (already in the reader's language) in the form that the request can show.

    ``code`` tells the error apart for programs. ``fields`` are sentences about single fields of a form, by their names
    there.
    """
    if request.url.path.startswith("/api/") or request.headers.get("accept", "").startswith(FOR_SCRIPTS):
        return JSONResponse({"ok": False, "code": code, "sentence": sentence}, status)
    if is_htmx(request):
        # A form that was not accepted stays as it is: the sentence goes to the place it keeps for it.
        response = fragment(
            request, "partials/form_error.html", status=status, code=code, sentence=sentence, fields=fields or {}
        )
        response.headers["HX-Retarget"] = "find .form-error"
        response.headers["HX-Reswap"] = "innerHTML"
        return response
    given = {"http_status": status, "code": code, "sentence": sentence, "fields": fields or {}}
    other = elsewhere(request) if code == NotFound.code() else None
    address = request.url.path + (f"?{request.url.query}" if request.url.query else "")
    return page(request, "pages/error.html", status=status, elsewhere=other, address=address, **given)


def _answer_with(request: Request, error: type[AppError], status: int | None = None) -> Response:
    return answer(request, status or error.status, error.code(), translate(request.state.locale, error.sentence))


def app_error(request: Request, error: Exception) -> Response:
    assert isinstance(error, AppError)
    sentence = translate(request.state.locale, error.sentence, **error.params)
    response = answer(request, error.status, error.code(), sentence, {error.field: sentence} if error.field else None)
    if error.status in (429, 503) and "seconds" in error.params:
        response.headers["retry-after"] = str(error.params["seconds"])
    if error.status == NotAllowed.status:
        response.headers["allow"] = ", ".join(request.app.state.rules.methods_of(request.url.path))
    return response


def _invalid(request: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)
    if any(item["loc"][:1] == ("path",) for item in error.errors()):
        return _answer_with(request, NotFound)
    if request.url.path.startswith("/api/"):
        fields = [
            {"field": ".".join(str(part) for part in item["loc"]), "problem": item["msg"]}
            for item in error.errors()[:MOST_PROBLEMS]
        ]
        sentence = translate(request.state.locale, Invalid.sentence)
        return JSONResponse({"ok": False, "code": Invalid.code(), "sentence": sentence, "fields": fields}, 422)
    locale = request.state.locale
    problems = field_problems(error.errors(), locale)
    return answer(request, 422, Invalid.code(), translate(locale, Invalid.sentence), problems)


def _http_error(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    if isinstance(error, BodyRefused):
        return app_error(request, error.error)
    if error.status_code == NotAllowed.status:  # the router names the methods of one route with this address
        return app_error(request, NotAllowed())
    kinds: dict[int, type[AppError]] = {403: Forbidden, 404: NotFound}
    response = _answer_with(request, kinds.get(error.status_code, Invalid), error.status_code)
    for name, value in (error.headers or {}).items():
        response.headers.setdefault(name, value)
    return response


def database_away(request: Request, error: Exception) -> Response:
    """Also the gate's answer, which asks the database before any route does."""
    if "disk is full" in str(error):
        log.error("disk full", extra={"request": request.state.request_id})
        return _answer_with(request, NoRoom)
    log.warning("database away", extra={"request": request.state.request_id, "error": str(error)[:300]})
    response = answer(request, 503, DATABASE_CODE, translate(request.state.locale, DATABASE_SILENT))
    response.headers["retry-after"] = "5"
    return response


def _disk_full(request: Request, error: Exception) -> Response:
    assert isinstance(error, OSError)
    if error.errno not in (errno.ENOSPC, errno.EDQUOT):
        return internal(request, error)
    log.error("disk full", extra={"request": request.state.request_id})
    return _answer_with(request, NoRoom)


def internal(request: Request, error: Exception) -> Response:
    """Needs nothing that the gate finds out: the error may be from there, or from drawing the page."""
    state = request.scope.get("state", {})
    number, locale = state.get("request_id", ""), state.get("locale", "en")
    log.error("internal error", extra={"request": number}, exc_info=error)
    sentence = translate(locale, INTERNAL, number=number)
    try:
        return answer(request, 500, INTERNAL_CODE, sentence)
    except Exception:  # noqa: BLE001 - the first error is the one to mend, and it is noted
        return PlainTextResponse(sentence, 500)


def register(app: FastAPI) -> None:
    app.add_exception_handler(AppError, app_error)
    app.add_exception_handler(RequestValidationError, _invalid)
    app.add_exception_handler(HTTPException, _http_error)
    for kind in DATABASE_AWAY:
        app.add_exception_handler(kind, database_away)
    app.add_exception_handler(OSError, _disk_full)
    app.add_exception_handler(Exception, internal)
