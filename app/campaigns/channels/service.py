"""What may happen to a workspace's own channels: they come, go and come back, and never change."""

from dataclasses import dataclass

from sqlalchemy.orm import Session

from app.campaigns.channels import queries
from app.campaigns.channels.errors import (
    ChannelNameTaken,
    ChannelSize,
    NothingFree,
    PixelsMissing,
    PrintIncomplete,
    TooManyChannels,
)
from app.campaigns.channels.models import OwnChannel
from app.db import now, own
from app.errors import Invalid
from app.layouts.channels import LARGEST_SIDE, MM_PER_INCH
from app.layouts.values import Insets

MOST_OWN = 50
LEAST_SIDE = 50
MOST_PROPORTION = 10
"""Layouts are looked at up to 8 : 1."""
MOST_PIXELS = 40_000_000
LEAST_FREE = 40
"""Pixels of each side that safe zones have to leave."""


@dataclass(frozen=True)
class NewPaper:
    """Of a print: millimetres after cutting, what is drawn beyond each edge, and dots per inch."""

    width_mm: float | None
    height_mm: float | None
    bleed_mm: float = 3
    dpi: int = 300


@dataclass(frozen=True)
class NewChannel:
    """What is said of a channel. ``pixels`` (width, height) are left out for a print, which has ``paper``."""

    name: str
    pixels: tuple[int | None, int | None]
    safe: Insets
    file_type: str
    max_bytes: int | None
    paper: NewPaper | None


def add_channel(session: Session, *, workspace_id: str, user_id: str, wanted: NewChannel) -> OwnChannel:
    """Raises ``ChannelNameTaken``, ``TooManyChannels``, ``ChannelSize``, ``NothingFree``, ``PrintIncomplete``,
    ``PixelsMissing``."""
    width, height = _pixels(wanted)
    _check_size(width, height)
    _check_free(width, height, wanted.safe)
    _check_place(session, workspace_id, wanted.name)
    paper, safe = wanted.paper, wanted.safe
    added = OwnChannel(
        workspace_id=workspace_id,
        name=wanted.name,
        width_px=width,
        height_px=height,
        safe_top=safe.top,
        safe_right=safe.right,
        safe_bottom=safe.bottom,
        safe_left=safe.left,
        file_type="pdf" if paper is not None else wanted.file_type,
        max_bytes=wanted.max_bytes,
        width_mm=paper.width_mm if paper is not None else None,
        height_mm=paper.height_mm if paper is not None else None,
        bleed_mm=paper.bleed_mm if paper is not None else None,
        dpi=paper.dpi if paper is not None else None,
        created_by=user_id,
    )
    session.add(added)
    session.flush()
    try:
        queries.channel_of(added)
    except ValueError as error:
        raise Invalid() from error
    return added


def remove_channel(session: Session, *, workspace_id: str, channel_id: str) -> OwnChannel:
    """Offer it no more; ads that were made for it keep it. Raises ``NotFound``."""
    found = own(session, OwnChannel, channel_id, workspace_id, OwnChannel.removed_at.is_(None))
    found.removed_at = now()
    return found


def put_back_channel(session: Session, *, workspace_id: str, channel_id: str) -> OwnChannel:
    """Raises ``NotFound``, ``ChannelNameTaken``, ``TooManyChannels``."""
    found = own(session, OwnChannel, channel_id, workspace_id)
    if found.removed_at is not None:
        _check_place(session, workspace_id, found.name)
        found.removed_at = None
    return found


def _pixels(wanted: NewChannel) -> tuple[int, int]:
    if wanted.paper is not None:
        width_mm, height_mm, dpi = wanted.paper.width_mm, wanted.paper.height_mm, wanted.paper.dpi
        if width_mm is None or height_mm is None:
            raise PrintIncomplete()
        return round(width_mm / MM_PER_INCH * dpi), round(height_mm / MM_PER_INCH * dpi)
    width, height = wanted.pixels
    if width is None or height is None:
        raise PixelsMissing()
    return width, height


def _check_size(width: int, height: int) -> None:
    short, long = sorted((width, height))
    if short < LEAST_SIDE or long > LARGEST_SIDE or long > MOST_PROPORTION * short or width * height > MOST_PIXELS:
        raise ChannelSize(
            least=LEAST_SIDE, most=LARGEST_SIDE, proportion=MOST_PROPORTION, megapixels=MOST_PIXELS // 1_000_000
        )


def _check_free(width: int, height: int, safe: Insets) -> None:
    if width - safe.left - safe.right < LEAST_FREE or height - safe.top - safe.bottom < LEAST_FREE:
        raise NothingFree()


def _check_place(session: Session, workspace_id: str, name: str) -> None:
    """Compared here and not in the database: databases differ in what they know of capital umlauts."""
    there = queries.own_channels(session, workspace_id=workspace_id)
    if len(there) >= MOST_OWN:
        raise TooManyChannels(most=MOST_OWN)
    taken = {one.name.casefold() for one in there}
    if name.casefold() in taken:
        raise ChannelNameTaken(name=name)
