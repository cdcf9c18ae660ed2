"""The gallery's pages: find, judge, sort, hand out."""

from typing import Annotated, Any
from urllib.parse import urlsplit

from fastapi import APIRouter, Form, Query, Request, Response
from fastapi.responses import StreamingResponse
from pydantic import StringConstraints

from app.campaigns import queries as campaigns
from app.campaigns import service as campaign_service
from app.errors import N_, NotFound
from app.gallery import copies, queries, service
from app.gallery.errors import NothingChosen
from app.gallery.filters import REVIEWS
from app.gallery.forms import (
    KEEP,
    NONE,
    CampaignChoiceForm,
    CampaignForm,
    GalleryQuery,
    SelectionForm,
    SortForm,
    TagsForm,
)
from app.generations import queries as generations
from app.generations.models import Output
from app.web import files
from app.web.answers import go, is_htmx, own_path
from app.web.api.audited import audited
from app.web.api.deferred_route import DeferredRoute
from app.web.bulk import BulkAction
from app.web.flashes import Flash
from app.web.gate.signed_in import Editor, Viewer
from app.web.language import counted, ngettext, translate
from app.web.paging import from_cursor, split
from app.web.session_deps import FileStorage, ReadSession, WriteSession
from app.web.templating import fragment, page
from app.web.text import RowId
from app.writings import queries as writings

router = APIRouter(route_class=DeferredRoute)
CREATED = N_("The campaign “%(name)s” is there now.")
RENAMED = N_("The campaign is called “%(name)s” now.")
DISSOLVED = N_("The campaign “%(name)s” was removed. Its pictures are still in the gallery.")
Hash = Annotated[str, StringConstraints(pattern="^[0-9a-f]{8,64}$")]
TilePlace = Annotated[str, Query(pattern="^(gallery|studio)$")]
DeletionNumber = Annotated[str, StringConstraints(pattern="^[0-9]{1,17}$")]
Kind = Annotated[copies.CopyFormat, Query(alias="as")]


@router.get("/gallery")
def show(request: Request, session: ReadSession, visitor: Viewer, asked: Annotated[GalleryQuery, Query()]) -> Response:
    filters, workspace_id = asked.filters(), visitor.workspace.id
    found = queries.page(session, workspace_id=workspace_id, filters=filters, before=from_cursor(asked.before))
    shown, more = split(found, queries.PAGE)
    context: dict[str, Any] = {
        "outputs": shown,
        "filters": filters,
        "more": more,
    }
    if is_htmx(request) and asked.before:
        return fragment(request, "partials/gallery_tiles.html", **context)
    opened = asked.opened()
    if opened and opened not in {output.id for output in shown}:
        # A shared view of a picture that is further back by now: its own page shows it just as well.
        return go(request, f"/outputs/{opened}")
    choices = queries.choices(session, workspace_id=workspace_id)
    return page(request, "pages/gallery.html", choices=choices, reviews=REVIEWS, is_first=not asked.before, **context)


# One picture


@router.get("/outputs/{output_id}")
def show_one(request: Request, session: ReadSession, visitor: Viewer, output_id: RowId) -> Response:
    view = queries.view(session, workspace_id=visitor.workspace.id, output_id=output_id)
    texts = writings.approved_for(session, workspace_id=visitor.workspace.id, output_id=output_id)
    return page(
        request,
        "pages/output.html",
        view=view,
        campaigns=campaigns.campaigns(session, workspace_id=visitor.workspace.id),
        texts=texts,
    )


@router.get("/outputs/{output_id}/how")
def how(request: Request, session: ReadSession, visitor: Viewer, output_id: RowId) -> Response:
    view = queries.view(session, workspace_id=visitor.workspace.id, output_id=output_id)
    texts = writings.approved_for(session, workspace_id=visitor.workspace.id, output_id=output_id)
    return fragment(request, "partials/how_it_was_made.html", view=view, texts=texts)


@router.get("/outputs/{output_id}/thumb/{sha}")
def thumb(session: ReadSession, storage: FileStorage, visitor: Viewer, output_id: RowId, sha: Hash) -> Response:
    output = generations.output(session, workspace_id=visitor.workspace.id, output_id=output_id)
    if not output.sha256.startswith(sha):
        raise NotFound()
    return files.send(storage, output.thumb_key, "image/webp")


@router.get("/outputs/{output_id}/picture/{sha}")
def picture(session: ReadSession, storage: FileStorage, visitor: Viewer, output_id: RowId, sha: Hash) -> Response:
    output = generations.output(session, workspace_id=visitor.workspace.id, output_id=output_id)
    if not output.sha256.startswith(sha):
        raise NotFound()
    return files.send(storage, output.key, "image/png")


@router.get("/outputs/{output_id}/download")
def download(
    session: ReadSession, storage: FileStorage, visitor: Viewer, output_id: RowId, kind: Kind = "png"
) -> Response:
    view = queries.view(session, workspace_id=visitor.workspace.id, output_id=output_id)
    return send_copy(storage, view, kind)


def send_copy(storage: FileStorage, view: queries.OutputView, kind: copies.CopyFormat) -> Response:
    """The picture as a file to keep: as it is stored, or as a smaller copy."""
    name = copies.copy_name(view, kind)
    if kind == "png":
        return files.send(storage, view.output.key, copies.MEDIA_TYPES[kind], download_name=name, keep=False)
    try:
        stored = storage.get(view.output.key)
    except FileNotFoundError as error:
        raise NotFound() from error
    content = copies.smaller_copy(stored, kind, view.made.xmp(view.output.created_at))
    headers = {"content-disposition": files.disposition(name), "cache-control": "private, no-cache"}
    return Response(content, media_type=copies.MEDIA_TYPES[kind], headers=headers)


@router.post("/outputs/{output_id}/favourite")
@audited("output.favourite")
def favourite(
    request: Request, session: WriteSession, visitor: Editor, output_id: RowId, place: TilePlace = "gallery"
) -> Response:
    output = service.toggle_favourite(session, workspace_id=visitor.workspace.id, output_id=output_id)
    return _judged(request, output, place)


@router.post("/outputs/{output_id}/approve")
@audited("output.reviewed")
def approve(
    request: Request, session: WriteSession, visitor: Editor, output_id: RowId, place: TilePlace = "gallery"
) -> Response:
    output = service.judge(session, workspace_id=visitor.workspace.id, output_id=output_id, review="approved")
    return _judged(request, output, place)


@router.post("/outputs/{output_id}/reject")
@audited("output.reviewed")
def reject(
    request: Request, session: WriteSession, visitor: Editor, output_id: RowId, place: TilePlace = "gallery"
) -> Response:
    output = service.judge(session, workspace_id=visitor.workspace.id, output_id=output_id, review="rejected")
    return _judged(request, output, place)


def _judged(request: Request, output: Output, place: str) -> Response:
    if is_htmx(request):
        return fragment(request, "partials/output_tile.html", output=output, place=place)
    return go(request, f"/outputs/{output.id}")


@router.post("/outputs/{output_id}/tags")
@audited("output.tagged")
def tags(
    request: Request, session: WriteSession, visitor: Editor, output_id: RowId, form: Annotated[TagsForm, Form()]
) -> Response:
    service.set_tags(session, workspace_id=visitor.workspace.id, output_id=output_id, tags=form.tags)
    return go(request, f"/outputs/{output_id}")


@router.post("/outputs/{output_id}/campaign")
@audited("output.sorted")
def campaign_of_one(
    request: Request,
    session: WriteSession,
    visitor: Editor,
    output_id: RowId,
    form: Annotated[CampaignChoiceForm, Form()],
) -> Response:
    generations.output(session, workspace_id=visitor.workspace.id, output_id=output_id)
    _move(session, visitor, [output_id], form.campaign, form.new_campaign)
    return go(request, f"/outputs/{output_id}")


@router.post("/outputs/{output_id}/delete")
@audited("output.deleted")
def delete_one(request: Request, session: WriteSession, visitor: Editor, output_id: RowId) -> Response:
    output = generations.output(session, workspace_id=visitor.workspace.id, output_id=output_id)
    deletion = service.remove(session, workspace_id=visitor.workspace.id, output_ids=[output.id])
    return go(request, "/gallery", _deleted(request, deletion))


# Several pictures


BULK_ACTIONS = (
    BulkAction(
        "favourite",
        "output.marked",
        {"favourite": True},
        ngettext("%(num)d picture marked as favourite.", "%(num)d pictures marked as favourites."),
    ),
    BulkAction(
        "unfavourite",
        "output.unmarked",
        {"favourite": False},
        ngettext("%(num)d picture is no favourite any more.", "%(num)d pictures are no favourites any more."),
    ),
    BulkAction(
        "approve",
        "output.approved",
        {"review": "approved"},
        ngettext("%(num)d picture approved.", "%(num)d pictures approved."),
    ),
    BulkAction(
        "reject",
        "output.rejected",
        {"review": "rejected"},
        ngettext("%(num)d picture rejected.", "%(num)d pictures rejected."),
    ),
)
SORTED = ngettext("%(num)d picture sorted.", "%(num)d pictures sorted.")
DELETED = ngettext("%(num)d picture deleted.", "%(num)d pictures deleted.")
BACK = ngettext("%(num)d picture is back.", "%(num)d pictures are back.")


def _deleted(request: Request, deletion: service.Deletion) -> Flash:
    return Flash(
        "undo", counted(request.state.locale, DELETED, deletion.count), f"/gallery/deletions/{deletion.number}/undo"
    )


def _bulk_route(action: BulkAction) -> None:
    @router.post(f"/gallery/selection/{action.name}")
    @audited(action.audited_as)
    def change_chosen(
        request: Request, session: WriteSession, visitor: Editor, form: Annotated[SelectionForm, Form()]
    ) -> Response:
        count = service.change(session, workspace_id=visitor.workspace.id, output_ids=form.ids, **action.values)
        return go(request, own_path(form.next, "/gallery"), action.done(request, count))


for _action in BULK_ACTIONS:
    _bulk_route(_action)


@router.post("/gallery/selection/sort")
@audited("output.sorted")
def sort_chosen(
    request: Request, session: WriteSession, visitor: Editor, form: Annotated[SortForm, Form()]
) -> Response:
    """Tags and campaign of the chosen pictures."""
    count = service.add_tags(session, workspace_id=visitor.workspace.id, output_ids=form.ids, tags=form.tags)
    _move(session, visitor, form.ids, form.campaign, form.new_campaign)
    return go(request, own_path(form.next, "/gallery"), Flash("ok", counted(request.state.locale, SORTED, count)))


def _move(session: WriteSession, visitor: Editor, ids: list[str], campaign: str, new_campaign: str) -> None:
    if new_campaign:
        campaign = campaign_service.create_campaign(
            session, workspace_id=visitor.workspace.id, name=new_campaign, user_id=visitor.user.id
        ).id
    if campaign != KEEP:
        campaign_id = None if campaign == NONE else campaign
        service.move(session, workspace_id=visitor.workspace.id, output_ids=ids, campaign_id=campaign_id)


@router.post("/gallery/selection/delete")
@audited("output.deleted")
def delete_chosen(
    request: Request, session: WriteSession, visitor: Editor, form: Annotated[SelectionForm, Form()]
) -> Response:
    deletion = service.remove(session, workspace_id=visitor.workspace.id, output_ids=form.ids)
    return go(request, own_path(form.next, "/gallery"), _deleted(request, deletion))


@router.post("/gallery/deletions/{number}/undo")
@audited("output.restored")
def undo(
    request: Request,
    session: WriteSession,
    visitor: Editor,
    number: DeletionNumber,
) -> Response:
    count = service.undo(session, workspace_id=visitor.workspace.id, number=int(number))
    came_from = urlsplit(request.headers.get("referer", ""))
    back = own_path(came_from.path + (f"?{came_from.query}" if came_from.query else ""), "/gallery")
    if back.startswith("/outputs/"):
        back = "/gallery"
    return go(request, back, Flash("ok", counted(request.state.locale, BACK, count)))


@router.post("/gallery/selection/download")
def download_chosen(
    session: ReadSession, storage: FileStorage, visitor: Viewer, form: Annotated[SelectionForm, Form()]
) -> Response:
    chosen = queries.chosen(session, workspace_id=visitor.workspace.id, output_ids=form.ids)
    return send_archive(storage, queries.views(session, chosen))


def send_archive(storage: FileStorage, views: list[queries.OutputView]) -> Response:
    """Raises ``NothingChosen`` when no picture is left to send."""
    if not views:
        raise NothingChosen()
    packed = copies.archive(storage, views)
    headers = {"content-disposition": files.disposition("pictures.zip"), "content-length": str(len(packed))}
    return StreamingResponse(packed, media_type="application/zip", headers=headers)


# Campaigns


@router.get("/campaigns")
def show_campaigns(request: Request, session: ReadSession, visitor: Viewer) -> Response:
    return page(
        request,
        "pages/campaigns.html",
        campaigns=campaigns.campaigns(session, workspace_id=visitor.workspace.id),
        counts=queries.pictures_per_campaign(session, workspace_id=visitor.workspace.id),
    )


@router.post("/campaigns")
@audited("campaign.created")
def create_campaign(
    request: Request, session: WriteSession, visitor: Editor, form: Annotated[CampaignForm, Form()]
) -> Response:
    campaign = campaign_service.create_campaign(
        session, workspace_id=visitor.workspace.id, name=form.name, user_id=visitor.user.id
    )
    told = translate(request.state.locale, CREATED, name=campaign.name)
    return go(request, "/campaigns", Flash("ok", told))


@router.post("/campaigns/{campaign_id}/rename")
@audited("campaign.renamed")
def rename_campaign(
    request: Request, session: WriteSession, visitor: Editor, campaign_id: RowId, form: Annotated[CampaignForm, Form()]
) -> Response:
    campaign = campaign_service.rename_campaign(
        session, workspace_id=visitor.workspace.id, campaign_id=campaign_id, name=form.name
    )
    return go(request, "/campaigns", Flash("ok", translate(request.state.locale, RENAMED, name=campaign.name)))


@router.post("/campaigns/{campaign_id}/delete")
@audited("campaign.deleted")
def delete_campaign(request: Request, session: WriteSession, visitor: Editor, campaign_id: RowId) -> Response:
    name = service.delete_campaign(session, workspace_id=visitor.workspace.id, campaign_id=campaign_id)
    return go(request, "/campaigns", Flash("ok", translate(request.state.locale, DISSOLVED, name=name)))
