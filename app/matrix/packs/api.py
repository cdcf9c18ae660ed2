"""Packs of finished ads as JSON."""

from datetime import datetime
from typing import Any

from fastapi import APIRouter, Request, Response
from pydantic import BaseModel, Field

from app.campaigns import queries as campaigns
from app.errors import NotFound
from app.jobs.api import JobOut
from app.matrix.packs import queries as packs
from app.matrix.packs import service
from app.matrix.packs.contents import PackKind
from app.matrix.packs.forms import PackForm, reader
from app.matrix.packs.queries import Going, PackView
from app.matrix.pages.home_routes import author
from app.web.api.audited import audited
from app.web.api.deferred_route import DeferredRoute
from app.web.api.json_body import JsonBody
from app.web.files import send
from app.web.gate.signed_in import Editor, Viewer
from app.web.language import translate
from app.web.session_deps import FileStorage, ReadSession, WriteSession
from app.web.text import RowId

router = APIRouter(tags=["Campaigns"], route_class=DeferredRoute)


class PackBody(JsonBody, PackForm):
    """Files of each approved ad: `channel` is the type that its channel takes, `print` a PDF with bleed and crop marks.

    `pattern` names the files; it may hold `{campaign}`, `{channel}`, `{locale}`, `{audience}`, `{layout}`, `{number}`,
    `{date}` and `{version}`.
    """


class FailureOut(BaseModel, defer_build=True):
    """A file that could not be made, and why."""

    cell_id: str
    kind: PackKind
    sentence: str


class LeftOutOut(BaseModel, defer_build=True):
    """An ad that does not go into a pack, and its state, which says why."""

    cell_id: str
    state: str = Field(description="`waiting`, `laying_out`, `problem`, `open` or `rejected`.")


class PackOut(BaseModel, defer_build=True):
    """A ZIP of finished ads with their table. The same state of a campaign gives the same bytes."""

    id: str
    campaign_id: str
    number: int
    ads: int
    formats: list[str]
    pattern: str
    byte_count: int
    sha256: str | None = Field(description="Null until it is made.")
    failures: list[FailureOut]
    created_at: datetime
    finished_at: datetime | None
    download_url: str | None = Field(description="Null until it is made.")
    job: JobOut


class NewPackOut(PackOut):
    """The pack that was ordered, and which ads stay out of it."""

    left_out: list[LeftOutOut]


class PackList(BaseModel, defer_build=True):
    """The newest packs first, and which ads a new one would leave out."""

    items: list[PackOut]
    ads: int = Field(description="Approved ads, which would go into a new pack.")
    left_out: list[LeftOutOut]


@router.get("/campaigns/{campaign_id}/packs", summary="List a campaign’s packs")
def list_packs(request: Request, session: ReadSession, visitor: Viewer, campaign_id: RowId) -> PackList:
    where = {"workspace_id": visitor.workspace.id, "campaign_id": campaign_id}
    found = packs.views(session, **where)
    going, locale = packs.going(session, **where), request.state.locale
    items = [PackOut(**_told(one, locale)) for one in found]
    return PackList(items=items, ads=going.count, left_out=_left_out(going))


@router.post("/campaigns/{campaign_id}/packs", status_code=202, summary="Make a pack of what is approved")
@audited("pack.ordered")
def order_pack(
    request: Request, session: WriteSession, visitor: Editor, campaign_id: RowId, wanted: PackBody
) -> NewPackOut:
    """Poll the pack until the state of its job is ``done``, then download it."""
    locale = request.state.locale
    made = service.order(session, author(visitor, campaign_id), tuple(wanted.formats), wanted.pattern, reader(locale))
    where = {"workspace_id": visitor.workspace.id, "campaign_id": campaign_id}
    (view,) = packs.views(session, **where, pack_id=made.id)
    return NewPackOut(**_told(view, locale), left_out=_left_out(packs.going(session, **where)))


@router.get("/campaigns/{campaign_id}/packs/{pack_id}", summary="Get a pack")
def get_pack(request: Request, session: ReadSession, visitor: Viewer, campaign_id: RowId, pack_id: RowId) -> PackOut:
    where = {"workspace_id": visitor.workspace.id, "campaign_id": campaign_id}
    packs.pack(session, **where, pack_id=pack_id)
    (view,) = packs.views(session, **where, pack_id=pack_id)
    return PackOut(**_told(view, request.state.locale))


@router.get("/campaigns/{campaign_id}/packs/{pack_id}/file", summary="Download a pack")
def get_file(
    session: ReadSession, visitor: Viewer, storage: FileStorage, campaign_id: RowId, pack_id: RowId
) -> Response:
    """404 until it is made. Viewers get it while all that is in it is approved, unless the workspace allows more."""
    where = {"workspace_id": visitor.workspace.id, "campaign_id": campaign_id}
    found = packs.pack(session, **where, pack_id=pack_id)
    if found.key is None:
        raise NotFound()
    service.check_taking(session, found, may_all=visitor.downloads_open)
    name = packs.file_name(campaigns.campaign(session, **where).name, found.number)
    return send(storage, found.key, "application/zip", download_name=name, keep=False)


@router.post("/campaigns/{campaign_id}/packs/{pack_id}/cancel", summary="Stop making a pack")
@audited("pack.cancelled")
def cancel_pack(session: WriteSession, visitor: Editor, campaign_id: RowId, pack_id: RowId) -> JobOut:
    where = {"workspace_id": visitor.workspace.id, "campaign_id": campaign_id}
    return JobOut.of(service.cancel(session, **where, pack_id=pack_id))


def _told(view: PackView, locale: str) -> dict[str, Any]:
    url = f"/api/v1/campaigns/{view.campaign_id}/packs/{view.id}/file"
    return {
        "id": view.id,
        "campaign_id": view.campaign_id,
        "number": view.number,
        "ads": view.count,
        "formats": list(view.formats),
        "pattern": view.pattern,
        "byte_count": view.byte_count,
        "sha256": view.sha256,
        "failures": [
            FailureOut(cell_id=one.cell_id, kind=one.kind, sentence=translate(locale, one.sentence, **one.params))
            for one in view.failures
        ],
        "created_at": view.created_at,
        "finished_at": view.finished_at,
        "download_url": url if view.is_there else None,
        "job": JobOut.of(view.job),
    }


def _left_out(going: Going) -> list[LeftOutOut]:
    return [LeftOutOut(cell_id=one.cell.id, state=one.state) for one in going.left_out]
