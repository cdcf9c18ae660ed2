"""Cells of campaigns as JSON: seen, changed alone or with all like them, decided about, and laid out."""

from datetime import datetime
from typing import Annotated, Any

from fastapi import APIRouter, Query, Response
from pydantic import BaseModel, Field

from app.db import own
from app.errors import NotFound
from app.jobs import queries as job_queries
from app.jobs.api import JobOut
from app.matrix import cells, decisions, pictures, queries
from app.matrix.brief_api import WordsFindingOut
from app.matrix.cells import Act, Author, Changed, Scope
from app.matrix.models import Rendering
from app.matrix.pages.forms import (
    CropForm,
    DecideForm,
    LayoutForm,
    MatrixQuery,
    PartsForm,
    PictureForm,
    Review,
    VersionForm,
    WordsForm,
)
from app.matrix.queries import CellView
from app.matrix.spec import CellSpec
from app.matrix.text_rules import FieldFinding
from app.sign_off import queries as verdicts
from app.sign_off.api import SaidOut
from app.sign_off.service import check_download
from app.web.api.audited import audited
from app.web.api.deferred_route import DeferredRoute
from app.web.api.json_body import JsonBody
from app.web.files import send
from app.web.gate.signed_in import Editor, Viewer
from app.web.gate.visitor import Visitor
from app.web.session_deps import FileStorage, ReadSession, WriteSession
from app.web.text import RowId

router = APIRouter(tags=["Campaigns"], route_class=DeferredRoute)


class NoteOut(BaseModel, defer_build=True):
    """Something to look at before an ad goes out."""

    code: str
    slot: str
    numbers: dict[str, float]


class CellOut(BaseModel, defer_build=True):
    """One ad: an audience, a channel, a language."""

    id: str
    campaign_id: str
    audience: str
    channel: str
    locale: str
    state: str = Field(description="`waiting` for its picture, `laying_out`, `problem`, else its review.")
    review: Review
    version: int
    spec: dict[str, Any] | None = Field(description="What decides its pixels; null while it waits for its picture.")
    findings: list[NoteOut]
    text_findings: list[WordsFindingOut] = Field(description="What the brand's rules and the brief have against it.")
    problem: str | None
    byte_count: int
    sha256: str | None
    ad_url: str | None = Field(description="The ad as PNG at its exact pixels.")
    rendering_id: str | None = Field(description="The act that made this version.")


class CellPage(BaseModel, defer_build=True):
    """Cells by audience, channel and locale, as the brief lists them."""

    items: list[CellOut]
    next: int | None = Field(description="To be given as `after`.")


class RenderingOut(BaseModel, defer_build=True):
    """What one act has changed, and the job that lays it out."""

    id: str
    campaign_id: str
    act: str
    created_at: datetime
    job: JobOut


class ChangedOut(BaseModel, defer_build=True):
    """`rendering_id` undoes it: POST `/api/v1/renderings/{rendering_id}/undo`."""

    count: int
    reopened: int = Field(description="Cells that were approved or rejected before.")
    rendering_id: str | None = Field(description="Null where nothing was to be changed.")


class DecidedOut(BaseModel, defer_build=True):
    """How many ads it was said of."""

    count: int
    left_out: int = Field(description="Your own, which this workspace's members may not approve.")


class PictureBody(JsonBody, PictureForm):
    """Another picture for this cell, for all `like` it (same audience and proportion), or for `all`."""


class CropBody(JsonBody, CropForm):
    """The point of the picture that cropping keeps, from 0 to 1."""


class WordsBody(JsonBody, WordsForm):
    """All words of the ad; `like` are cells of the same audience and language."""


class LayoutBody(JsonBody, LayoutForm):
    """Layout and ground; `like` are cells of the same class of proportions."""


class PartsBody(JsonBody, PartsForm):
    """The parts that are shown; the others are hidden. Locked ones are an owner's."""


class VersionBody(JsonBody, VersionForm):
    """The version to go back to."""


class DecideBody(JsonBody, DecideForm):
    """What is decided about these cells; a rejection needs a reason."""


@router.get("/campaigns/{campaign_id}/cells", summary="List a campaign's ads")
def list_cells(
    session: ReadSession, visitor: Viewer, campaign_id: RowId, asked: Annotated[MatrixQuery, Query()]
) -> CellPage:
    where = {"workspace_id": visitor.workspace.id, "campaign_id": campaign_id}
    row = queries.brief_row(session, **where)
    found = queries.page(
        session, workspace_id=visitor.workspace.id, campaign_id=campaign_id, filters=asked.filters(), after=asked.after
    )
    shown = found[: queries.PAGE]
    more = shown[-1].cell.position if len(found) > queries.PAGE else None
    told = queries.text_findings(session, row, shown)
    return CellPage(items=[_cell(view, told, visitor) for view in shown], next=more)


@router.get("/campaigns/{campaign_id}/cells/{cell_id}", summary="Get an ad")
def get_cell(session: ReadSession, visitor: Viewer, campaign_id: RowId, cell_id: RowId) -> CellOut:
    where = {"workspace_id": visitor.workspace.id, "campaign_id": campaign_id}
    cell = queries.cell(session, **where, cell_id=cell_id)
    row, views = queries.brief_row(session, **where), queries.views(session, [cell])
    return _cell(views[0], queries.text_findings(session, row, views), visitor)


@router.get("/campaigns/{campaign_id}/cells/{cell_id}/ad", summary="Download an ad as PNG")
def get_ad(session: ReadSession, visitor: Viewer, storage: FileStorage, campaign_id: RowId, cell_id: RowId) -> Response:
    cell = queries.cell(session, workspace_id=visitor.workspace.id, campaign_id=campaign_id, cell_id=cell_id)
    (view,) = queries.views(session, [cell])
    if view.version is None or view.version.key is None:
        raise NotFound()
    check_download([cell.review], may_all=visitor.downloads_open)
    return send(storage, view.version.key, "image/png")


@router.post("/campaigns/{campaign_id}/cells/{cell_id}/picture", summary="Choose another picture")
@audited("cell.changed")
def choose_picture(
    session: WriteSession, visitor: Editor, campaign_id: RowId, cell_id: RowId, wanted: PictureBody
) -> ChangedOut:
    return _changed(pictures.choose(session, _author(visitor, campaign_id), cell_id, wanted.scope, wanted.output_id))


@router.post("/campaigns/{campaign_id}/cells/{cell_id}/crop", summary="Move the crop")
@audited("cell.changed")
def crop(session: WriteSession, visitor: Editor, campaign_id: RowId, cell_id: RowId, wanted: CropBody) -> ChangedOut:
    parts = {"focus": (wanted.focus_x, wanted.focus_y)}
    return _change(session, visitor, campaign_id, cell_id, wanted.scope, "crop", parts)


@router.post("/campaigns/{campaign_id}/cells/{cell_id}/words", summary="Change the words")
@audited("cell.changed")
def change_words(
    session: WriteSession, visitor: Editor, campaign_id: RowId, cell_id: RowId, wanted: WordsBody
) -> ChangedOut:
    return _change(session, visitor, campaign_id, cell_id, wanted.scope, "words", {"words": wanted.words()})


@router.post("/campaigns/{campaign_id}/cells/{cell_id}/layout", summary="Choose another layout")
@audited("cell.changed")
def choose_layout(
    session: WriteSession, visitor: Editor, campaign_id: RowId, cell_id: RowId, wanted: LayoutBody
) -> ChangedOut:
    parts = {"layout": wanted.layout, "theme": wanted.theme}
    return _change(session, visitor, campaign_id, cell_id, wanted.scope, "layout", parts)


@router.post("/campaigns/{campaign_id}/cells/{cell_id}/parts", summary="Show and hide parts")
@audited("cell.changed")
def show_parts(
    session: WriteSession, visitor: Editor, campaign_id: RowId, cell_id: RowId, wanted: PartsBody
) -> ChangedOut:
    return _change(session, visitor, campaign_id, cell_id, wanted.scope, "parts", {"hidden": wanted.hidden()})


@router.post("/campaigns/{campaign_id}/cells/{cell_id}/put-back", summary="Go back to an earlier version")
@audited("cell.put_back")
def put_back(
    session: WriteSession, visitor: Editor, campaign_id: RowId, cell_id: RowId, wanted: VersionBody
) -> ChangedOut:
    return _changed(cells.put_back(session, _author(visitor, campaign_id), cell_id, wanted.number))


@router.post("/campaigns/{campaign_id}/decide", summary="Approve, reject or reopen ads")
@audited("cell.decided")
def decide(session: WriteSession, visitor: Editor, campaign_id: RowId, wanted: DecideBody) -> DecidedOut:
    author = _author(visitor, campaign_id)
    decided = decisions.decide(session, author, wanted.ids, wanted.review, wanted.reason)
    return DecidedOut(count=decided.count, left_out=decided.left_out)


@router.get("/campaigns/{campaign_id}/cells/{cell_id}/history", summary="List what was said of an ad")
def get_history(session: ReadSession, visitor: Viewer, campaign_id: RowId, cell_id: RowId) -> list[SaidOut]:
    cell = queries.cell(session, workspace_id=visitor.workspace.id, campaign_id=campaign_id, cell_id=cell_id)
    said = verdicts.history(session, workspace_id=visitor.workspace.id, subject_kind=decisions.KIND, subject_id=cell.id)
    return [SaidOut.model_validate(one, from_attributes=True) for one in said]


@router.post("/campaigns/{campaign_id}/take-over-kit", summary="Make ads of an older kit anew")
@audited("campaign.changed")
def take_over_kit(session: WriteSession, visitor: Editor, campaign_id: RowId) -> ChangedOut:
    return _changed(cells.take_over_kit(session, _author(visitor, campaign_id)))


@router.get("/renderings/{rendering_id}", summary="Get an act and its job")
def get_rendering(session: ReadSession, visitor: Viewer, rendering_id: RowId) -> RenderingOut:
    row = own(session, Rendering, rendering_id, visitor.workspace.id)
    return RenderingOut(
        id=row.id,
        campaign_id=row.campaign_id,
        act=row.act,
        created_at=row.created_at,
        job=JobOut.of(job_queries.job_of(session, row.id)),
    )


@router.post("/renderings/{rendering_id}/undo", summary="Undo an act on all its cells")
@audited("campaign.undone")
def undo(session: WriteSession, visitor: Editor, rendering_id: RowId) -> ChangedOut:
    row = own(session, Rendering, rendering_id, visitor.workspace.id)
    return _changed(cells.undo(session, _author(visitor, row.campaign_id), row.id))


def _change(
    session: WriteSession,
    visitor: Visitor,
    campaign_id: str,
    cell_id: str,
    scope: Scope,
    act: Act,
    parts: dict[str, Any],
) -> ChangedOut:
    return _changed(cells.change(session, _author(visitor, campaign_id), cell_id, scope, act, parts))


def _author(visitor: Visitor, campaign_id: str) -> Author:
    return Author(visitor.workspace.id, campaign_id, visitor.user.id, visitor.is_owner)


def _changed(changed: Changed | None) -> ChangedOut:
    if changed is None:
        return ChangedOut(count=0, reopened=0, rendering_id=None)
    return ChangedOut(count=changed.count, reopened=changed.reopened, rendering_id=changed.rendering.id)


def _cell(view: CellView, told: dict[str, list[FieldFinding]], visitor: Visitor) -> CellOut:
    cell, version = view.cell, view.version
    url = f"/api/v1/campaigns/{cell.campaign_id}/cells/{cell.id}/ad"
    return CellOut(
        id=cell.id,
        campaign_id=cell.campaign_id,
        audience=cell.audience,
        channel=cell.channel,
        locale=cell.locale,
        state=view.state,
        review=cell.review,
        version=cell.version,
        spec=None if version is None else CellSpec.model_validate(version.spec).model_dump(mode="json"),
        findings=[NoteOut(**one) for one in version.findings] if version is not None else [],
        text_findings=[WordsFindingOut.of(one, visitor.user.locale) for one in told.get(cell.id, [])],
        problem=version.problem if version is not None else None,
        byte_count=version.byte_count if version is not None else 0,
        sha256=version.sha256 if version is not None else None,
        ad_url=url if version is not None and version.key is not None else None,
        rendering_id=version.rendering_id if version is not None else None,
    )
