"""Finished pictures and campaigns, as JSON."""

from datetime import date, datetime
from enum import Enum
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Depends, Query, Response
from pydantic import BaseModel, Field

from app.base_models.told_words import ToldWord
from app.campaigns import queries as campaigns
from app.campaigns import service as campaign_service
from app.campaigns.models import Campaign
from app.gallery import judging, queries, service
from app.gallery.filters import Filters, Review
from app.gallery.forms import Tag, Tags
from app.gallery.judging import Marks
from app.gallery.routes import DeletionNumber, Kind
from app.gallery.sending import send_archive, send_copy
from app.generations import queries as generations
from app.sign_off.api import HistoryOut, VerdictOut
from app.sign_off.forms import Reason
from app.web.api.audited import audited
from app.web.api.deferred_route import DeferredRoute
from app.web.api.json_body import JsonBody
from app.web.gate.signed_in import Editor, Viewer
from app.web.gate.visitor import Visitor
from app.web.paging import Cursor, from_cursor, split
from app.web.session_deps import FileStorage, ReadSession, WriteSession
from app.web.text import Line, Name, RowId

router = APIRouter(route_class=DeferredRoute)
ids_field = Field(min_length=1, max_length=queries.MOST_CHOSEN)
PICTURES: list[str | Enum] = ["Pictures"]
CAMPAIGNS: list[str | Enum] = ["Campaigns"]


class OutputOut(BaseModel, defer_build=True):
    """A finished picture and how it was made."""

    id: str
    project_id: str
    generation_id: str
    position: int
    width: int
    height: int
    byte_count: int
    sha256: str
    favourite: bool
    review: Review
    reviewed_at: datetime | None = Field(description="When it was approved or rejected; null while it is open.")
    verdict: VerdictOut | None = Field(description="What is in force; null where nobody has judged it.")
    in_gallery: bool = Field(
        description="False for a picture of a comparison that nobody has kept: it stays with its order, and lists and "
        "counts leave it out."
    )
    tags: list[str]
    campaign_id: str | None
    asked_by: str
    created_at: datetime
    enlarged_from: str | None = Field(description="Id of the picture that this one was enlarged from.")
    seconds: float = Field(description="That it took to draw or enlarge.")
    made: dict[str, Any] = Field(description="Prompt, seed, adapters, base and so on; the same as in the file.")
    words: list[ToldWord] = Field(description="What the base model does not know of the prompt.")
    picture_url: str


class OutputPage(BaseModel, defer_build=True):
    """Pictures, the newest first."""

    items: list[OutputOut]
    next: str | None


class OutputChanges(JsonBody):
    """What to change; what is left out stays. ``campaign_id`` null takes the picture out of its campaign."""

    favourite: bool | None = None
    review: Review | None = None
    reason: Reason = Field("", description="Why; kept with ``review``.")
    in_gallery: Literal[True] | None = Field(
        None, description="Keeps a picture of a comparison. Judging, tagging or moving it keeps it too."
    )
    tags: Tags | None = None
    campaign_id: RowId | None = None


class Chosen(JsonBody):
    """Some pictures by their ids."""

    ids: list[RowId] = ids_field


class NewMarks(Chosen):
    """What to say of several pictures at once; what is left out stays."""

    favourite: bool | None = None
    review: Review | None = None
    reason: Reason = Field("", description="Why; kept with ``review``.")
    in_gallery: Literal[True] | None = None


class MarkedOut(BaseModel, defer_build=True):
    """``change_id`` undoes it: POST ``/api/v1/changes/{change_id}/undo``."""

    count: int = Field(description="Pictures that were changed; those that were so already are not.")
    change_id: str | None = Field(description="Null where nothing was changed.")
    left_out: int = Field(description="Your own pictures, which somebody else has to approve in this workspace.")


class CountsOut(BaseModel, defer_build=True):
    """Pictures by state and favourites, each within all other filters."""

    open: int
    approved: int
    rejected: int
    favourite: int


class DeletionOut(BaseModel, defer_build=True):
    """``number`` undoes it: POST ``/api/v1/deletions/{number}/undo``."""

    number: int
    count: int


class UndoneOut(BaseModel, defer_build=True):
    """How many pictures are back."""

    count: int


class CampaignOut(BaseModel, defer_build=True):
    """A campaign and how many pictures it holds."""

    id: str
    name: str
    created_at: datetime
    pictures: int


class CampaignPage(BaseModel, defer_build=True):
    """Every campaign, by name."""

    items: list[CampaignOut]
    next: str | None = None


class CampaignName(JsonBody):
    """What to call it."""

    name: Name


def _out(view: queries.OutputView) -> OutputOut:
    output = view.output
    return OutputOut(
        id=output.id,
        project_id=output.project_id,
        generation_id=output.generation_id,
        position=output.position,
        width=output.width,
        height=output.height,
        byte_count=output.byte_count,
        sha256=output.sha256,
        favourite=output.favourite,
        review=output.review,
        reviewed_at=output.reviewed_at,
        verdict=VerdictOut.of(view.verdict),
        in_gallery=output.in_gallery,
        tags=view.tags,
        campaign_id=output.campaign_id,
        asked_by=view.asked_by,
        created_at=output.created_at,
        enlarged_from=view.enlarged_from,
        seconds=output.seconds,
        made=view.made.facts(),
        words=list(view.words),
        picture_url=f"/api/v1/outputs/{output.id}/picture",
    )


def _filters(
    project_id: RowId | None = None,
    adapter_id: Annotated[RowId | None, Query(description="The first adapter of the order.")] = None,
    campaign_id: RowId | None = None,
    favourite: bool = False,
    review: Review | None = None,
    tag: Annotated[Tag | None, Query()] = None,
    since: Annotated[date | None, Query(description="First day, in UTC.")] = None,
    until: Annotated[date | None, Query(description="Last day, in UTC, itself included.")] = None,
    q: Annotated[Line | None, Query(description="Words in the prompt, whatever the capitals.")] = None,
) -> Filters:
    return Filters(
        brand=project_id,
        adapter=adapter_id,
        campaign=campaign_id,
        favourite=favourite,
        review=review,
        tag=tag or None,
        since=since,
        until=until,
        q=q,
    )


AskedFor = Annotated[Filters, Depends(_filters)]


@router.get("/outputs", tags=PICTURES, summary="Find pictures")
def list_outputs(
    session: ReadSession,
    visitor: Viewer,
    filters: AskedFor,
    cursor: Cursor = None,
    limit: Annotated[int, Query(ge=1, le=200)] = 50,
) -> OutputPage:
    found = queries.page(
        session, workspace_id=visitor.workspace.id, filters=filters, before=from_cursor(cursor), limit=limit
    )
    shown, more = split(found, limit)
    return OutputPage(items=[_out(view) for view in queries.views(session, shown)], next=more)


@router.get("/outputs/counts", tags=PICTURES, summary="Count pictures by state")
def count_outputs(session: ReadSession, visitor: Viewer, filters: AskedFor) -> CountsOut:
    counts = queries.counts(session, workspace_id=visitor.workspace.id, filters=filters)
    return CountsOut(open=counts.open, approved=counts.approved, rejected=counts.rejected, favourite=counts.favourite)


@router.get("/outputs/{output_id}", tags=PICTURES, summary="Get a picture and how it was made")
def get_output(session: ReadSession, visitor: Viewer, output_id: RowId) -> OutputOut:
    return _out(queries.view(session, workspace_id=visitor.workspace.id, output_id=output_id))


@router.get("/outputs/{output_id}/history", tags=PICTURES, summary="Show who approved or rejected a picture, and why")
def get_history(session: ReadSession, visitor: Viewer, output_id: RowId) -> HistoryOut:
    return HistoryOut.of_all(queries.history(session, workspace_id=visitor.workspace.id, output_id=output_id))


@router.patch("/outputs/{output_id}", tags=PICTURES, summary="Review and organise a picture")
@audited("output.changed")
def change_output(session: WriteSession, visitor: Editor, output_id: RowId, changes: OutputChanges) -> OutputOut:
    workspace_id = visitor.workspace.id
    marks = Marks(review=changes.review, favourite=changes.favourite, in_gallery=changes.in_gallery)
    judging.mark_one(
        session,
        workspace_id=workspace_id,
        output_id=output_id,
        marks=marks,
        user_id=visitor.user.id,
        reason=changes.reason,
    )
    if changes.tags is not None:
        service.set_tags(session, workspace_id=workspace_id, output_id=output_id, tags=changes.tags)
    if "campaign_id" in changes.model_fields_set:
        service.move(session, workspace_id=workspace_id, output_ids=[output_id], campaign_id=changes.campaign_id)
    session.flush()
    return _out(queries.view(session, workspace_id=workspace_id, output_id=output_id))


@router.post("/outputs/mark", tags=PICTURES, summary="Review several pictures; can be undone for a week")
@audited("output.changed")
def mark_outputs(session: WriteSession, visitor: Editor, wanted: NewMarks) -> MarkedOut:
    marks = Marks(review=wanted.review, favourite=wanted.favourite, in_gallery=wanted.in_gallery)
    marked = judging.mark(
        session,
        workspace_id=visitor.workspace.id,
        output_ids=wanted.ids,
        marks=marks,
        user_id=visitor.user.id,
        reason=wanted.reason,
    )
    return MarkedOut(count=marked.count, change_id=marked.change_id, left_out=marked.left_out)


@router.post("/changes/{change_id}/undo", tags=PICTURES, summary="Undo a change to pictures")
@audited("output.undone")
def undo_change(session: WriteSession, visitor: Editor, change_id: RowId) -> UndoneOut:
    undone = judging.undo(session, workspace_id=visitor.workspace.id, change_id=change_id, user_id=visitor.user.id)
    return UndoneOut(count=len(undone))


@router.get(
    "/outputs/{output_id}/picture",
    tags=PICTURES,
    summary="Download a picture: the original PNG or a smaller copy",
    response_class=Response,
    responses={200: {"content": {"image/png": {}, "image/webp": {}, "image/jpeg": {}}}},
)
def get_picture(
    session: ReadSession, storage: FileStorage, visitor: Viewer, output_id: RowId, kind: Kind = "png"
) -> Response:
    return send_copy(
        storage, visitor, queries.view(session, workspace_id=visitor.workspace.id, output_id=output_id), kind
    )


@router.post(
    "/outputs/download",
    tags=PICTURES,
    summary="Download several pictures as one ZIP",
    response_class=Response,
    responses={200: {"content": {"application/zip": {}}}},
)
def download(session: ReadSession, storage: FileStorage, visitor: Viewer, chosen: Chosen) -> Response:
    found = queries.chosen(session, workspace_id=visitor.workspace.id, output_ids=chosen.ids)
    return send_archive(storage, visitor, queries.views(session, found), "pictures.zip")


@router.delete("/outputs/{output_id}", tags=PICTURES, summary="Delete a picture; can be undone for a while")
@audited("output.deleted")
def delete_output(session: WriteSession, visitor: Editor, output_id: RowId) -> DeletionOut:
    output = generations.output(session, workspace_id=visitor.workspace.id, output_id=output_id)
    return _delete(session, visitor, [output.id])


@router.post("/outputs/delete", tags=PICTURES, summary="Delete several pictures; can be undone for a while")
@audited("output.deleted")
def delete_outputs(session: WriteSession, visitor: Editor, chosen: Chosen) -> DeletionOut:
    return _delete(session, visitor, chosen.ids)


def _delete(session: WriteSession, visitor: Visitor, output_ids: list[str]) -> DeletionOut:
    deletion = service.remove(session, workspace_id=visitor.workspace.id, output_ids=output_ids)
    return DeletionOut(number=deletion.number, count=deletion.count)


@router.post("/deletions/{number}/undo", tags=PICTURES, summary="Restore deleted pictures")
@audited("output.restored")
def undo(session: WriteSession, visitor: Editor, number: DeletionNumber) -> UndoneOut:
    return UndoneOut(count=service.undo(session, workspace_id=visitor.workspace.id, number=int(number)))


@router.get("/campaigns", tags=CAMPAIGNS, summary="List campaigns")
def list_campaigns(session: ReadSession, visitor: Viewer) -> CampaignPage:
    counts = queries.pictures_per_campaign(session, workspace_id=visitor.workspace.id)
    found = campaigns.campaigns(session, workspace_id=visitor.workspace.id)
    return CampaignPage(items=[_campaign(one, counts.get(one.id, 0)) for one in found])


@router.post("/campaigns", tags=CAMPAIGNS, status_code=201, summary="Create a campaign")
@audited("campaign.created")
def create_campaign(session: WriteSession, visitor: Editor, wanted: CampaignName) -> CampaignOut:
    campaign = campaign_service.create_campaign(
        session, workspace_id=visitor.workspace.id, name=wanted.name, user_id=visitor.user.id
    )
    return _campaign(campaign, 0)


@router.patch("/campaigns/{campaign_id}", tags=CAMPAIGNS, summary="Rename a campaign")
@audited("campaign.renamed")
def rename_campaign(session: WriteSession, visitor: Editor, campaign_id: RowId, wanted: CampaignName) -> CampaignOut:
    campaign = campaign_service.rename_campaign(
        session, workspace_id=visitor.workspace.id, campaign_id=campaign_id, name=wanted.name
    )
    counts = queries.pictures_per_campaign(session, workspace_id=visitor.workspace.id)
    return _campaign(campaign, counts.get(campaign.id, 0))


@router.delete(
    "/campaigns/{campaign_id}", tags=CAMPAIGNS, status_code=204, summary="Remove a campaign; its pictures stay"
)
@audited("campaign.deleted")
def delete_campaign(session: WriteSession, visitor: Editor, campaign_id: RowId) -> None:
    service.delete_campaign(session, workspace_id=visitor.workspace.id, campaign_id=campaign_id)


def _campaign(campaign: Campaign, pictures: int) -> CampaignOut:
    return CampaignOut(id=campaign.id, name=campaign.name, created_at=campaign.created_at, pictures=pictures)
