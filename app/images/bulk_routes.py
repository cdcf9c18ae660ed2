"""What is done to several pictures of a brand at once: taking part, captions, deleting and bringing back."""

from typing import Annotated

from fastapi import APIRouter, Form, Query, Request, Response

from app.errors import N_, NotFound
from app.images import queries, service
from app.images.forms import InFrontForm, ReplaceForm, SelectionForm
from app.web.answers import go, own_path
from app.web.api.audited import audited
from app.web.api.deferred_route import DeferredRoute
from app.web.bulk import BulkAction
from app.web.flashes import Flash, Stamp, from_stamp, to_stamp
from app.web.gate.signed_in import Editor
from app.web.gate.visitor import Visitor
from app.web.language import counted, ngettext, translate
from app.web.session_deps import WriteSession
from app.web.text import RowId

router = APIRouter(route_class=DeferredRoute)
NOTHING_CHANGED = N_("No captions needed changing.")
CAME_BACK = N_("Pictures restored.")
SmallSide = Annotated[int, Query(ge=1, le=10_000)]
"""Pixels below which the shorter side of a picture counts as small."""


def _back(request: Request, project_id: str, form: SelectionForm, flash: Flash) -> Response:
    return go(request, own_path(form.next, f"/projects/{project_id}/images?show={form.show}"), flash)


def _chosen(
    session: WriteSession, visitor: Visitor, project_id: str, form: SelectionForm, small_side: int
) -> list[str]:
    if form.everything is None:
        return form.ids
    judged = queries.judged_set(
        session, workspace_id=visitor.workspace.id, project_id=project_id, small_side=small_side
    )
    return [picture.id for picture in judged.pictures if picture.answers(form.everything)]


BULK_ACTIONS = (
    BulkAction(
        "include",
        "image.included",
        {"included": True},
        ngettext("%(num)s picture included in training.", "%(num)s pictures included in training."),
    ),
    BulkAction(
        "leave-out",
        "image.left_out",
        {"included": False},
        ngettext("%(num)s picture excluded from training.", "%(num)s pictures excluded from training."),
    ),
)


def _bulk_route(action: BulkAction) -> None:
    @router.post(f"/projects/{{project_id}}/images/{action.name}")
    @audited(action.audited_as)
    def change_many(
        request: Request,
        session: WriteSession,
        visitor: Editor,
        project_id: RowId,
        form: Annotated[SelectionForm, Form()],
        small_side: SmallSide = queries.THRESHOLDS.small_side,
    ) -> Response:
        chosen = _chosen(session, visitor, project_id, form, small_side)
        count = service.change_many(
            session, workspace_id=visitor.workspace.id, project_id=project_id, image_ids=chosen, **action.values
        )
        return _back(request, project_id, form, action.done(request, count))


for _action in BULK_ACTIONS:
    _bulk_route(_action)


@router.post("/projects/{project_id}/images/delete")
@audited("image.deleted")
def delete_many(
    request: Request,
    session: WriteSession,
    visitor: Editor,
    project_id: RowId,
    form: Annotated[SelectionForm, Form()],
) -> Response:
    count, moment = service.delete_images(
        session, workspace_id=visitor.workspace.id, project_id=project_id, image_ids=form.ids
    )
    told = counted(request.state.locale, ngettext("%(num)s picture deleted.", "%(num)s pictures deleted."), count)
    undo = f"/projects/{project_id}/images/restore/{to_stamp(moment)}" if count else None
    return _back(request, project_id, form, Flash("undo", told, undo))


@router.post("/projects/{project_id}/images/restore/{stamp}")
@audited("image.restored")
def restore(request: Request, session: WriteSession, visitor: Editor, project_id: RowId, stamp: Stamp) -> Response:
    count = service.restore_images(
        session, workspace_id=visitor.workspace.id, project_id=project_id, moment=from_stamp(stamp)
    )
    if not count:
        raise NotFound()
    return go(request, f"/projects/{project_id}/images", Flash("ok", translate(request.state.locale, CAME_BACK)))


@router.post("/projects/{project_id}/images/replace")
@audited("caption.changed")
def replace(
    request: Request,
    session: WriteSession,
    visitor: Editor,
    project_id: RowId,
    form: Annotated[ReplaceForm, Form()],
) -> Response:
    count = service.replace_in_captions(
        session,
        workspace_id=visitor.workspace.id,
        project_id=project_id,
        image_ids=form.ids or None,
        find=form.find,
        replace=form.replace,
        whole_words=form.whole_words,
        match_case=form.match_case,
    )
    return _back(request, project_id, form, Flash("ok", _captions_changed(request, count)))


@router.post("/projects/{project_id}/images/in-front")
@audited("caption.changed")
def put_in_front(
    request: Request,
    session: WriteSession,
    visitor: Editor,
    project_id: RowId,
    form: Annotated[InFrontForm, Form()],
) -> Response:
    count = service.put_in_front(
        session,
        workspace_id=visitor.workspace.id,
        project_id=project_id,
        image_ids=form.ids or None,
        words=form.words,
    )
    return _back(request, project_id, form, Flash("ok", _captions_changed(request, count)))


def _captions_changed(request: Request, count: int) -> str:
    if not count:
        return translate(request.state.locale, NOTHING_CHANGED)
    return counted(request.state.locale, ngettext("%(num)s caption changed.", "%(num)s captions changed."), count)
