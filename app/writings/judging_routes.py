"""Judging a text: each act sets a state, says so, and offers to make it what it was."""

from collections.abc import Callable
from dataclasses import dataclass

from fastapi import APIRouter, Request, Response

from app.errors import N_
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
BY_FAVOURITE = {act.favourite: act for act in ACTS if act.favourite is not None}
BY_REVIEW: dict[str, Act] = {act.review: act for act in ACTS if act.review is not None}


def _routes_of(act: Act) -> Callable[..., Response]:
    @router.post(f"/variants/{{variant_id}}/{act.name}")
    @audited(act.audited_as)
    def mark(request: Request, session: WriteSession, visitor: Editor, variant_id: RowId) -> Response:
        workspace_id = visitor.workspace.id
        before = queries.variant(session, workspace_id=workspace_id, variant_id=variant_id)
        undo = BY_REVIEW[before.review] if act.review else BY_FAVOURITE[before.favourite]
        service.change(
            session, workspace_id=workspace_id, variant_id=variant_id, favourite=act.favourite, review=act.review
        )
        said = translate(request.state.locale, act.already if undo is act else act.done)
        kind, way_back = ("note", None) if undo is act else ("undo", f"/variants/{variant_id}/{undo.name}")
        view = queries.variant_view(session, workspace_id=workspace_id, variant_id=variant_id)
        if is_htmx(request):
            return with_toast(
                fragment(request, "partials/writing_text.html", one=view, arm_names=ARM_NAMES), said, way_back, kind
            )
        back = where_from(request, f"/writings/{view.writing.id}") + f"#variant-{variant_id}"
        return go(request, back, Flash(kind, said, way_back))

    return mark


for _act in ACTS:
    _routes_of(_act)
