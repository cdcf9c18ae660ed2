"""Judging on the gallery's pages: one picture or all that are chosen, each act with its undo."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated

from fastapi import APIRouter, Form, Query, Request, Response

from app.errors import N_
from app.gallery import judging
from app.gallery.forms import SelectionForm
from app.gallery.judging import Marked, Marks
from app.gallery.service import Deletion
from app.generations.models import Output
from app.sign_off.forms import ReasonForm
from app.web.answers import go, is_htmx, own_path, where_from, with_toast
from app.web.api.audited import audited
from app.web.api.deferred_route import DeferredRoute
from app.web.flashes import Flash
from app.web.gate.signed_in import Editor
from app.web.language import counted, ngettext, translate
from app.web.session_deps import WriteSession
from app.web.templating import fragment
from app.web.text import RowId

router = APIRouter(route_class=DeferredRoute)
TilePlace = Annotated[str, Query(pattern="^(gallery|studio|comparison)$")]


@dataclass(frozen=True)
class Act:
    """A button for one picture and for all that are chosen."""

    name: str
    """The last part of the address."""
    audited_as: str
    """A key of ``app.audit.actions.ACTIONS``."""
    marks: Marks
    done: str
    """Said of one picture; of a chosen few, ``done_many``."""
    done_many: tuple[str, str]
    already: str
    """Said where nothing was to be changed."""
    already_many: tuple[str, str]


ACTS = (
    Act(
        "favourite",
        "output.marked",
        Marks(favourite=True),
        N_("Marked as a favourite."),
        ngettext("%(num)d picture marked as a favourite.", "%(num)d pictures marked as favourites."),
        N_("Already a favourite."),
        ngettext("%(num)d picture is already a favourite.", "All %(num)d pictures are already favourites."),
    ),
    Act(
        "unfavourite",
        "output.unmarked",
        Marks(favourite=False),
        N_("Removed from favourites."),
        ngettext("%(num)d picture removed from favourites.", "%(num)d pictures removed from favourites."),
        N_("Not a favourite."),
        ngettext("%(num)d picture is not a favourite.", "None of the %(num)d pictures is a favourite."),
    ),
    Act(
        "approve",
        "output.approved",
        Marks(review="approved"),
        N_("Picture approved."),
        ngettext("%(num)d picture approved.", "%(num)d pictures approved."),
        N_("Already approved."),
        ngettext("%(num)d picture is already approved.", "All %(num)d pictures are already approved."),
    ),
    Act(
        "reject",
        "output.rejected",
        Marks(review="rejected"),
        N_("Picture rejected."),
        ngettext("%(num)d picture rejected.", "%(num)d pictures rejected."),
        N_("Already rejected."),
        ngettext("%(num)d picture is already rejected.", "All %(num)d pictures are already rejected."),
    ),
    Act(
        "reopen",
        "output.reopened",
        Marks(review="open"),
        N_("Moved back to review."),
        ngettext("%(num)d picture moved back to review.", "%(num)d pictures moved back to review."),
        N_("Not reviewed yet."),
        ngettext("%(num)d picture has not been reviewed yet.", "None of the %(num)d pictures has been reviewed yet."),
    ),
    Act(
        "keep",
        "output.kept",
        Marks(in_gallery=True),
        N_("Kept in the gallery."),
        ngettext("%(num)d picture kept in the gallery.", "%(num)d pictures kept in the gallery."),
        N_("Already in the gallery."),
        ngettext("%(num)d picture is already in the gallery.", "All %(num)d pictures are already in the gallery."),
    ),
)
BY_NAME = {act.name: act for act in ACTS}
REASON_SAVED = N_("Reason saved.")
LEFT_OUT = ngettext(
    "Left out: %(num)d picture of your own, which someone else has to approve.",
    "Left out: %(num)d pictures of your own, which someone else has to approve.",
)
DELETED = ngettext("%(num)d picture deleted.", "%(num)d pictures deleted.")
UNDONE = ngettext("Change undone for %(num)d picture.", "Change undone for %(num)d pictures.")


def told(request: Request, act: Act, marked: Marked, *, of_many: bool) -> Flash:
    """What is said when it is done: with its undo, or quietly that it was so already."""
    locale = request.state.locale
    if marked.change_id is None and marked.explained:
        return Flash("ok", translate(locale, REASON_SAVED))
    left_out = " " + counted(locale, LEFT_OUT, marked.left_out) if marked.left_out else ""
    if marked.change_id is None:
        many = len(marked.outputs) - marked.left_out
        said = counted(locale, act.already_many, many) if of_many else translate(locale, act.already)
        return Flash("note", said + left_out)
    said = counted(locale, act.done_many, marked.count) if of_many else translate(locale, act.done)
    return Flash("undo", said + left_out, f"/gallery/changes/{marked.change_id}/undo")


def told_deleted(request: Request, deletion: Deletion) -> Flash:
    said = counted(request.state.locale, DELETED, deletion.count)
    return Flash("undo", said, f"/gallery/deletions/{deletion.number}/undo")


def tiles(request: Request, outputs: tuple[Output, ...], place: str) -> Response:
    """Pictures as they hang in this place, for a script to put them where they were."""
    return fragment(request, "partials/output_tiles.html", outputs=outputs, place=place)


def _routes_of(act: Act) -> tuple[Callable[..., Response], Callable[..., Response]]:
    @router.post(f"/outputs/{{output_id}}/{act.name}")
    @audited(act.audited_as)
    def mark_one(
        request: Request,
        session: WriteSession,
        visitor: Editor,
        output_id: RowId,
        form: Annotated[ReasonForm, Form()],
        place: TilePlace = "gallery",
    ) -> Response:
        marked = judging.mark_one(
            session,
            workspace_id=visitor.workspace.id,
            output_id=output_id,
            marks=act.marks,
            user_id=visitor.user.id,
            reason=form.reason,
        )
        flash = told(request, act, marked, of_many=False)
        if is_htmx(request):
            return with_toast(tiles(request, marked.outputs, place), flash.text, flash.undo_action, flash.kind)
        return go(request, f"/outputs/{output_id}", flash)

    @router.post(f"/gallery/selection/{act.name}")
    @audited(act.audited_as)
    def mark_chosen(
        request: Request, session: WriteSession, visitor: Editor, form: Annotated[SelectionForm, Form()]
    ) -> Response:
        marked = judging.mark(
            session,
            workspace_id=visitor.workspace.id,
            output_ids=form.ids,
            marks=act.marks,
            user_id=visitor.user.id,
            reason=form.reason,
        )
        flash = told(request, act, marked, of_many=True)
        if is_htmx(request):
            return with_toast(tiles(request, marked.outputs, "gallery"), flash.text, flash.undo_action, flash.kind)
        return go(request, own_path(form.next, "/gallery"), flash)

    return mark_one, mark_chosen


for _act in ACTS:
    _routes_of(_act)


@router.post("/gallery/changes/{change_id}/undo")
@audited("output.undone")
def undo(
    request: Request, session: WriteSession, visitor: Editor, change_id: RowId, place: TilePlace = "gallery"
) -> Response:
    outputs = judging.undo(session, workspace_id=visitor.workspace.id, change_id=change_id, user_id=visitor.user.id)
    said = counted(request.state.locale, UNDONE, len(outputs))
    if is_htmx(request):
        return with_toast(tiles(request, outputs, place), said)
    return go(request, where_from(request, "/gallery"), Flash("ok", said))
