"""The channels of a workspace's campaigns, as cells need them."""

from collections.abc import Iterable

from sqlalchemy.orm import Session

from app.campaigns.channels import queries as own_channels
from app.layouts.channels import Channel, NoChannel
from app.matrix.errors import NoSuchPlace
from app.matrix.spec import Place


def offered(session: Session, *, workspace_id: str) -> tuple[Channel, ...]:
    """Every channel that a brief may name, in the order that pages show them."""
    return own_channels.channels_for(session, workspace_id)


def places(session: Session, *, workspace_id: str, keys: Iterable[str]) -> dict[str, Place]:
    """By key, in the order given. Raises ``NoSuchPlace``."""
    found = {}
    for key in keys:
        try:
            found[key] = Place.of(own_channels.channel_for(session, workspace_id, key))
        except NoChannel as error:
            raise NoSuchPlace(key=key) from error
    return found
