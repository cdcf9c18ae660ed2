"""The gallery's pages: find, judge, sort, hand out."""

from typing import Annotated, Any

from fastapi import APIRouter, Form, Query, Request, Response
from pydantic import StringConstraints

from app.campaigns import queries as campaigns
from app.campaigns import service as campaign_service
from app.errors import N_, NotFound
from app.gallery import copies, judging_routes, queries, review_routes, service
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
from app.gallery.judging_routes import told_deleted
from app.gallery.sending import send_archive, send_copy
from app.generations import queries as generations
from app.generations.enlarging.steps import choices
from app.projects import queries as projects
from app.web import files
from app.web.answers import go, is_htmx, own_path, where_from, with_toast
from app.web.api.audited import audited
from app.web.api.deferred_route import DeferredRoute
from app.web.flashes import Flash
from app.web.gate.signed_in import Editor, Viewer
from app.web.language import counted, ngettext, translate
from app.web.paging import from_cursor, split
from app.web.session_deps import FileStorage, ReadSession, WriteSession
from app.web.templating import fragment, page
from app.web.text import RowId
from app.writings import queries as writings

router = APIRouter(route_class=DeferredRoute)
router.routes += [*judging_routes.router.routes, *review_routes.router.routes]
CREATED = N_("Campaign “%(name)s” created.")
RENAMED = N_("Campaign renamed to “%(name)s”.")
DISSOLVED = N_("Campaign “%(name)s” removed. Its pictures are still in the gallery.")
Hash = Annotated[str, StringConstraints(pattern="^[0-9a-f]{8,64}$")]
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
    if not shown and filters.brand:
        projects.project(session, workspace_id=workspace_id, project_id=filters.brand)
    opened = asked.opened()
    if opened and opened not in {output.id for output in shown}:
        # A shared view of a picture that is further back by now: its own page shows it just as well.
        return go(request, f"/outputs/{opened}")
    return page(
        request,
        "pages/gallery.html",
        choices=queries.choices(session, workspace_id=workspace_id),
        reviews=REVIEWS,
        counts=queries.counts(session, workspace_id=workspace_id, filters=filters),
        is_first=not asked.before,
        **context,
    )


@router.get("/gallery/counts")
def counts(
    request: Request, session: ReadSession, visitor: Viewer, asked: Annotated[GalleryQuery, Query()]
) -> Response:
    """The chips and the way into the review, when some pictures were judged."""
    filters = asked.filters()
    return fragment(
        request,
        "partials/gallery_counted.html",
        filters=filters,
        reviews=REVIEWS,
        counts=queries.counts(session, workspace_id=visitor.workspace.id, filters=filters),
        asked_again=True,
    )


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
        larger=choices(view.output.width, view.output.height),
        history=queries.history(session, workspace_id=visitor.workspace.id, output_id=output_id),
    )


@router.get("/outputs/{output_id}/how")
def how(request: Request, session: ReadSession, visitor: Viewer, output_id: RowId) -> Response:
    view = queries.view(session, workspace_id=visitor.workspace.id, output_id=output_id)
    texts = writings.approved_for(session, workspace_id=visitor.workspace.id, output_id=output_id)
    history = queries.history(session, workspace_id=visitor.workspace.id, output_id=output_id)
    return fragment(request, "partials/how_it_was_made.html", view=view, texts=texts, history=history)


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
    return send_copy(storage, visitor, view, kind)


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
    flash = told_deleted(request, deletion)
    if is_htmx(request):
        return with_toast(Response(status_code=204), flash.text, flash.undo_action)
    return go(request, "/gallery", flash)


# Several pictures


SORTED = ngettext("%(num)d picture organised.", "%(num)d pictures organised.")
BACK = ngettext("%(num)d picture restored.", "%(num)d pictures restored.")


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
    return go(request, own_path(form.next, "/gallery"), told_deleted(request, deletion))


@router.post("/gallery/deletions/{number}/undo")
@audited("output.restored")
def undo(
    request: Request,
    session: WriteSession,
    visitor: Editor,
    number: DeletionNumber,
) -> Response:
    count = service.undo(session, workspace_id=visitor.workspace.id, number=int(number))
    back = where_from(request, "/gallery")
    if back.startswith("/outputs/"):
        back = "/gallery"
    return go(request, back, Flash("ok", counted(request.state.locale, BACK, count)))


@router.post("/gallery/selection/download")
def download_chosen(
    session: ReadSession, storage: FileStorage, visitor: Viewer, form: Annotated[SelectionForm, Form()]
) -> Response:
    chosen = queries.chosen(session, workspace_id=visitor.workspace.id, output_ids=form.ids)
    return send_archive(storage, visitor, queries.views(session, chosen), "pictures.zip")


# Campaigns


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
