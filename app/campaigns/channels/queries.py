"""Every channel that a workspace may draw ads for: those that Livery knows, then its own."""

from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from app.campaigns.channels.models import OwnChannel
from app.layouts import channels
from app.layouts.channels import Channel, NoChannel, proportion_class

OWN = "own_"
"""What the keys of a workspace's own channels begin with, and no other key."""


def channels_for(session: Session, workspace_id: str) -> tuple[Channel, ...]:
    """What may be chosen for new ads: Livery's channels in their order, then the workspace's own by name."""
    own = own_channels(session, workspace_id=workspace_id)
    return (*channels.channels(), *(channel_of(one) for one in own))


def channel_for(session: Session, workspace_id: str, key: str) -> Channel:
    """The channel of this key, also one that was removed since: ads made for it can be drawn again.

    Raises ``NoChannel``, for another workspace's channel too.
    """
    if not key.startswith(OWN):
        return channels.channel(key)
    found = session.scalar(
        select(OwnChannel).where(OwnChannel.workspace_id == workspace_id, OwnChannel.id == key.removeprefix(OWN))
    )
    if found is None:
        raise NoChannel
    return channel_of(found)


def own_channels(session: Session, *, workspace_id: str) -> list[OwnChannel]:
    """Those that are offered, by name."""
    found = session.scalars(
        select(OwnChannel).where(OwnChannel.workspace_id == workspace_id, OwnChannel.removed_at.is_(None))
    )
    return sorted(found, key=lambda one: (one.name.casefold(), one.id))


def key_of(own: OwnChannel) -> str:
    return f"{OWN}{own.id}"


def channel_of(own: OwnChannel) -> Channel:
    """As one of the table's. Raises ``ValueError`` and says what is wrong with it."""
    told: dict[str, Any] = {
        "name": {"en": own.name, "de": own.name},
        "pixels": (own.width_px, own.height_px),
        "class": proportion_class(own.width_px, own.height_px),
        "safe": {
            "top": own.safe_top,
            "right": own.safe_right,
            "bottom": own.safe_bottom,
            "left": own.safe_left,
        },
        "file_type": own.file_type,
    }
    if own.max_bytes is not None:
        told["max_bytes"] = own.max_bytes
    if own.dpi is not None:
        told["paper"] = {
            "width_mm": own.width_mm,
            "height_mm": own.height_mm,
            "bleed_mm": own.bleed_mm,
            "dpi": own.dpi,
        }
    return channels.read(key_of(own), told)
