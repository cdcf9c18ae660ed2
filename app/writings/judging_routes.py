"""Judging a text: each act sets a state, says so, and offers to make it what it was."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated

from fastapi import APIRouter, Form, Request, Response

from app.errors import N_
from app.sign_off.forms import ReasonForm
from app.web.answers import go, is_htmx, where_from, with_toast
from app.web.api.audited import audited
from app.web.api.deferred_route import DeferredRoute
from app.web.flashes import Flash
from app.web.gate.signed_in import Editor
from app.web.language import translate
from app.web.session_deps import WriteSession
from app.web.templating import fragment
from app.web.text import RowId
from app.writings import queries, service
from app.writings.filters import Review
from app.writings.queries import VariantView
from app.writings.vote.arms import ARM_NAMES

router = APIRouter(route_class=DeferredRoute)


@dataclass(frozen=True)
class Act:
    """A button under a text."""

    name: str
    """The last part of the address."""
    audited_as: str
    """A key of ``app.audit.actions.ACTIONS``."""
    favourite: bool | None
    """What it sets; None leaves that."""
    review: Review | None
    done: str
    already: str
    """Said where nothing was to be changed."""


ACTS = (
    Act("favourite", "variant.favourite", True, None, N_("Marked as a favourite."), N_("Already a favourite.")),
    Act("unfavourite", "variant.favourite", False, None, N_("Removed from favourites."), N_("Not a favourite.")),
    Act("approve", "variant.reviewed", None, "approved", N_("Text approved."), N_("Already approved.")),
    Act("reject", "variant.reviewed", None, "rejected", N_("Text rejected."), N_("Already rejected.")),
    Act("reopen", "variant.reviewed", None, "open", N_("Moved back to review."), N_("Not reviewed yet.")),
)
REASON_SAVED = N_("Reason saved.")
BY_FAVOURITE = {act.favourite: act for act in ACTS if act.favourite is not None}
UNDONE = N_("Decision undone.")


def _routes_of(act: Act) -> Callable[..., Response]:
    @router.post(f"/variants/{{variant_id}}/{act.name}")
    @audited(act.audited_as)
    def mark(
        request: Request,
        session: WriteSession,
        visitor: Editor,
        variant_id: RowId,
        form: Annotated[ReasonForm, Form()],
    ) -> Response:
        workspace_id = visitor.workspace.id
        before = queries.variant(session, workspace_id=workspace_id, variant_id=variant_id)
        is_so = before.review == act.review if act.review else before.favourite == act.favourite
        service.change(
            session,
            workspace_id=workspace_id,
            variant_id=variant_id,
            favourite=act.favourite,
            review=act.review,
            user_id=visitor.user.id,
            reason=form.reason,
        )
        view = queries.variant_view(session, workspace_id=workspace_id, variant_id=variant_id)
        if is_so:
            said = translate(request.state.locale, REASON_SAVED if form.reason else act.already)
            return _answer(request, view, Flash("note", said))
        said = translate(request.state.locale, act.done)
        return _answer(request, view, Flash("undo", said, _way_back(act, view)))

    return mark


def _way_back(act: Act, view: VariantView) -> str:
    if act.favourite is not None:
        return f"/variants/{view.variant.id}/{BY_FAVOURITE[not act.favourite].name}"
    assert view.verdict is not None
    return f"/variants/{view.variant.id}/undo/{view.verdict.id}"


def _answer(request: Request, view: VariantView, flash: Flash) -> Response:
    """The text as it is now, with or without scripts."""
    if is_htmx(request):
        shown = fragment(request, "partials/writing_text.html", one=view, arm_names=ARM_NAMES)
        return with_toast(shown, flash.text, flash.undo_action, flash.kind)
    return go(request, where_from(request, f"/writings/{view.writing.id}") + f"#variant-{view.variant.id}", flash)


for _act in ACTS:
    _routes_of(_act)


@router.post("/variants/{variant_id}/undo/{verdict_id}")
@audited("variant.reviewed")
def undo(request: Request, session: WriteSession, visitor: Editor, variant_id: RowId, verdict_id: RowId) -> Response:
    workspace_id = visitor.workspace.id
    service.undo(
        session, workspace_id=workspace_id, variant_id=variant_id, verdict_id=verdict_id, user_id=visitor.user.id
    )
    view = queries.variant_view(session, workspace_id=workspace_id, variant_id=variant_id)
    return _answer(request, view, Flash("ok", translate(request.state.locale, UNDONE)))
