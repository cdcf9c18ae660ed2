"""Channels as JSON."""

from datetime import datetime
from typing import Annotated, Literal

from fastapi import APIRouter, Response
from pydantic import BaseModel, Field

from app.campaigns.channels import queries, service
from app.campaigns.channels.forms import Bleed, Bytes, Dpi, Inset, Millimetres, Pixels, ScreenFile
from app.campaigns.channels.models import OwnChannel
from app.campaigns.channels.service import NewChannel, NewPaper
from app.layouts.channels import Channel
from app.layouts.values import Insets
from app.web.api.audited import audited
from app.web.api.deferred_route import DeferredRoute
from app.web.api.json_body import JsonBody
from app.web.gate.signed_in import Owner, Viewer
from app.web.session_deps import ReadSession, WriteSession
from app.web.text import Name, RowId

router = APIRouter(tags=["ad channels"], route_class=DeferredRoute)


class SafeZone(JsonBody):
    """Pixels from each edge that nothing but the picture may use."""

    top: Inset = 0
    right: Inset = 0
    bottom: Inset = 0
    left: Inset = 0


class PrintSize(JsonBody):
    """Of a print, after cutting."""

    width_mm: Millimetres
    height_mm: Millimetres
    bleed_mm: Bleed = 3
    dpi: Dpi = 300


class ChannelIn(JsonBody):
    """Pixels for a screen, or a paper size for a print, which is a PDF."""

    name: Name
    width_px: Pixels | None = None
    height_px: Pixels | None = None
    safe: SafeZone = Field(default_factory=SafeZone)
    file_type: ScreenFile = "jpeg"
    max_bytes: Annotated[Bytes | None, Field(description="What the platform takes at most")] = None
    paper: PrintSize | None = None

    def wanted(self) -> NewChannel:
        return NewChannel(
            name=self.name,
            pixels=(self.width_px, self.height_px),
            safe=Insets(**self.safe.model_dump()),
            file_type=self.file_type,
            max_bytes=self.max_bytes,
            paper=NewPaper(**self.paper.model_dump()) if self.paper is not None else None,
        )


class PaperOut(BaseModel, defer_build=True):
    """Millimetres after cutting, what is drawn beyond each edge, and dots per inch."""

    width_mm: float
    height_mm: float
    bleed_mm: float
    dpi: int


class InsetsOut(BaseModel, defer_build=True):
    top: int
    right: int
    bottom: int
    left: int


class ChannelOut(BaseModel, defer_build=True):
    """A place where finished ads are shown."""

    key: str
    id: str | None = Field(description="Of a channel that this workspace added; null for Livery’s own")
    names: dict[str, str]
    width_px: int
    height_px: int
    proportion: Literal["tall", "square", "wide", "strip"]
    safe: InsetsOut
    file_type: Literal["png", "jpeg", "webp", "pdf"]
    max_bytes: int | None
    paper: PaperOut | None


class OwnChannelOut(ChannelOut, defer_build=True):
    created_at: datetime


class ChannelList(BaseModel, defer_build=True):
    items: list[ChannelOut]


@router.get("/ad-channels", summary="List the channels that ads can be made for")
def list_ad_channels(session: ReadSession, visitor: Viewer) -> ChannelList:
    return ChannelList(items=[_channel(one) for one in queries.channels_for(session, visitor.workspace.id)])


@router.post("/ad-channels", status_code=201, summary="Add a channel of your own")
@audited("channel.added")
def add_channel(session: WriteSession, visitor: Owner, wanted: ChannelIn) -> OwnChannelOut:
    where = {"workspace_id": visitor.workspace.id, "user_id": visitor.user.id}
    return _own(service.add_channel(session, **where, wanted=wanted.wanted()))


@router.delete(
    "/ad-channels/{channel_id}", status_code=204, summary="Remove one of your channels; ads that were made for it stay"
)
@audited("channel.removed")
def remove_channel(session: WriteSession, visitor: Owner, channel_id: RowId) -> Response:
    service.remove_channel(session, workspace_id=visitor.workspace.id, channel_id=channel_id)
    return Response(status_code=204)


@router.post("/ad-channels/{channel_id}/put-back", summary="Put back a channel that was removed")
@audited("channel.put_back")
def put_back_channel(session: WriteSession, visitor: Owner, channel_id: RowId) -> OwnChannelOut:
    return _own(service.put_back_channel(session, workspace_id=visitor.workspace.id, channel_id=channel_id))


def _channel(one: Channel) -> ChannelOut:
    return ChannelOut.model_validate(_facts(one))


def _own(row: OwnChannel) -> OwnChannelOut:
    return OwnChannelOut.model_validate(_facts(queries.channel_of(row)) | {"created_at": row.created_at})


def _facts(one: Channel) -> dict[str, object]:
    is_own = one.key.startswith(queries.OWN)
    return {
        "key": one.key,
        "id": one.key.removeprefix(queries.OWN) if is_own else None,
        "names": one.name,
        "width_px": one.width_px,
        "height_px": one.height_px,
        "proportion": one.proportion,
        "safe": vars(one.safe),
        "file_type": one.file_type,
        "max_bytes": one.max_bytes,
        "paper": vars(one.paper) if one.paper is not None else None,
    }
