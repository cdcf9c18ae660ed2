"""Review as a mode: one open picture after another, until all are judged."""

from collections.abc import Callable
from typing import Annotated, Any

from fastapi import APIRouter, Form, Query, Request, Response

from app.db import now
from app.errors import N_
from app.gallery import judging, queries, review, service
from app.gallery.forms import ReviewForm, ReviewQuery
from app.gallery.judging_routes import BY_NAME, Act, told, told_deleted
from app.gallery.review import Round
from app.gallery.sending import send_archive
from app.generations import queries as generations
from app.generations.models import Output
from app.web.answers import go, is_htmx, with_toast
from app.web.api.audited import audited
from app.web.api.deferred_route import DeferredRoute
from app.web.flashes import Flash, to_stamp
from app.web.gate.signed_in import Editor
from app.web.gate.visitor import Visitor
from app.web.language import translate
from app.web.session_deps import FileStorage, ReadSession, WriteSession
from app.web.templating import fragment, page
from app.web.text import RowId

router = APIRouter(route_class=DeferredRoute)
GONE = N_("That picture has since been deleted. Here is the next one.")
MOST_SHOWN = 24
"""Approved pictures that the end of a review shows; the download has them all."""
Asked = Annotated[ReviewQuery, Query()]


@router.get("/gallery/review")
def show(request: Request, session: ReadSession, visitor: Editor, asked: Asked) -> Response:
    """The first open picture; with ``picture`` that one, and without an open one the end."""
    found = _round(session, visitor, asked)
    wanted = asked.opened()
    at = wanted or found.next_open()
    if asked.moment() is None or (at and wanted is None):
        return go(request, address(found, at))
    if wanted is None:
        return _shown(request, session, visitor, found, None)
    if found.index(wanted) is not None:
        return _shown(request, session, visitor, found, wanted)
    gone = generations.find_output(session, workspace_id=visitor.workspace.id, output_id=wanted)
    at = found.after(gone.created_at, gone.id) if gone else found.next_open()
    return _shown(request, session, visitor, found, at, Flash("note", translate(request.state.locale, GONE)))


def _route_of(act: Act) -> Callable[..., Response]:
    @router.post(f"/gallery/review/{{output_id}}/{act.name}")
    @audited(act.audited_as)
    def mark(
        request: Request,
        session: WriteSession,
        visitor: Editor,
        output_id: RowId,
        form: Annotated[ReviewForm, Form()],
    ) -> Response:
        asked = form.asked()
        gone = _gone(request, session, visitor, output_id, asked)
        return gone or _mark(request, session, visitor, output_id, asked, act, form.reason)

    return mark


for _name in ("favourite", "unfavourite", "approve", "reject", "reopen"):
    _route_of(BY_NAME[_name])


@router.post("/gallery/review/{output_id}/delete")
@audited("output.deleted")
def delete(
    request: Request,
    session: WriteSession,
    visitor: Editor,
    output_id: RowId,
    form: Annotated[ReviewForm, Form()],
) -> Response:
    workspace_id = visitor.workspace.id
    output = generations.output(session, workspace_id=workspace_id, output_id=output_id, deleted_too=True)
    deletion = service.remove(session, workspace_id=workspace_id, output_ids=[output_id])
    found = _round(session, visitor, form.asked())
    at = found.after(output.created_at, output.id)
    return _answer(request, session, visitor, found, at, told_deleted(request, deletion))


@router.get("/gallery/review/approved")
def approved(session: ReadSession, storage: FileStorage, visitor: Editor, asked: Asked) -> Response:
    """What the review approved, as one ZIP."""
    ids = _round(session, visitor, asked).ids("approved")
    found = queries.chosen(session, workspace_id=visitor.workspace.id, output_ids=ids)
    return send_archive(storage, visitor, queries.views(session, found), "approved.zip")


def _gone(
    request: Request, session: WriteSession, visitor: Visitor, output_id: str, asked: ReviewQuery
) -> Response | None:
    """The next picture in place of one that somebody deleted; None where it is there. Raises ``NotFound``."""
    output = generations.output(session, workspace_id=visitor.workspace.id, output_id=output_id, deleted_too=True)
    if output.deleted_at is None:
        return None
    found = _round(session, visitor, asked)
    flash = Flash("note", translate(request.state.locale, GONE))
    return _answer(request, session, visitor, found, found.after(output.created_at, output.id), flash)


def _mark(
    request: Request,
    session: WriteSession,
    visitor: Visitor,
    output_id: str,
    asked: ReviewQuery,
    act: Act,
    reason: str,
) -> Response:
    marked = judging.mark_one(
        session,
        workspace_id=visitor.workspace.id,
        output_id=output_id,
        marks=act.marks,
        user_id=visitor.user.id,
        reason=reason,
    )
    found = _round(session, visitor, asked)
    flash = told(request, act, marked, of_many=False)
    if marked.explained:  # the reason came after the next picture did: that one stays
        return _answer(request, session, visitor, found, asked.opened(), flash)
    steps_on = marked.count > 0 and act.marks.review in ("approved", "rejected")
    at = found.next_open(found.index(output_id) or 0) if steps_on else output_id
    why = marked.outputs[0] if steps_on and act.marks.review == "rejected" and not reason else None
    return _answer(request, session, visitor, found, at, flash, why)


def _answer(
    request: Request,
    session: WriteSession,
    visitor: Visitor,
    found: Round,
    at: str | None,
    flash: Flash,
    why: Output | None = None,
) -> Response:
    """The picture that comes next in place of the one that was judged, with or without scripts. ``why`` is the one that
    was rejected just now: the page asks for the reason, and nobody has to wait for it."""
    if not is_htmx(request):
        return go(request, address(found, at), flash)
    response = fragment(request, "partials/review.html", why=why, **_context(session, visitor, found, at))
    response.headers["HX-Replace-Url"] = address(found, at)
    return with_toast(response, flash.text, flash.undo_action, flash.kind)


def _shown(
    request: Request, session: ReadSession, visitor: Visitor, found: Round, at: str | None, flash: Flash | None = None
) -> Response:
    context = _context(session, visitor, found, at)
    if is_htmx(request):
        response = fragment(request, "partials/review.html", **context)
        response.headers["HX-Replace-Url"] = address(found, at)
        return with_toast(response, flash.text, None, flash.kind) if flash else response
    choices = queries.choices(session, workspace_id=visitor.workspace.id)
    notices: dict[str, Any] = {"flashes": [flash]} if flash else {}
    return page(request, "pages/review.html", choices=choices, **context, **notices)


def _round(session: ReadSession, visitor: Visitor, asked: ReviewQuery) -> Round:
    started = asked.moment() or now()
    return review.round_of(session, workspace_id=visitor.workspace.id, filters=asked.filters(), started=started)


def address(found: Round, at: str | None = None, page: str = "/gallery/review") -> str:
    """A page of this review, at this picture."""
    return found.filters.but(review=None).address(page, started=to_stamp(found.started), picture=at)


def _context(session: ReadSession, visitor: Visitor, found: Round, at: str | None) -> dict[str, Any]:
    workspace_id = visitor.workspace.id
    stage = None if at is None else review.stage(session, found, workspace_id=workspace_id, output_id=at)
    context: dict[str, Any] = {"found": found, "stage": stage, "address": address}
    if stage is None:
        kept = found.ids("approved")[:MOST_SHOWN]
        pictures: list[Output] = queries.chosen(session, workspace_id=workspace_id, output_ids=kept) if kept else []
        waiting = queries.counts(session, workspace_id=workspace_id, filters=found.filters.but(review=None)).open
        context |= {"pictures": pictures, "waiting": waiting}
    return context
