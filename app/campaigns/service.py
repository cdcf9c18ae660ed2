"""What may happen to a campaign. What belongs to it is the gallery's."""

from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from app.campaigns import queries
from app.campaigns.errors import EmptyName, NameTaken
from app.campaigns.models import Campaign


def create_campaign(session: Session, *, workspace_id: str, name: str, user_id: str | None) -> Campaign:
    """Raises ``EmptyName``, ``NameTaken``."""
    _check_name(session, workspace_id, name)
    campaign = Campaign(workspace_id=workspace_id, name=name, created_by=user_id)
    with _taken_by_somebody_meanwhile(session, name):
        session.add(campaign)
    return campaign


def rename_campaign(session: Session, *, workspace_id: str, campaign_id: str, name: str) -> Campaign:
    """Raises ``NotFound``, ``EmptyName``, ``NameTaken``."""
    campaign = queries.campaign(session, workspace_id=workspace_id, campaign_id=campaign_id)
    _check_name(session, workspace_id, name, but=campaign.id)
    with _taken_by_somebody_meanwhile(session, name):
        campaign.name = name
    return campaign


def _check_name(session: Session, workspace_id: str, name: str, but: str | None = None) -> None:
    if not name:
        raise EmptyName()
    # Compared here and not in the database: databases differ in what they know of capital umlauts.
    for other in queries.campaigns(session, workspace_id=workspace_id):
        if other.id != but and other.name.casefold() == name.casefold():
            raise NameTaken(name=name)


@contextmanager
def _taken_by_somebody_meanwhile(session: Session, name: str) -> Iterator[None]:
    try:
        with session.begin_nested():
            yield
            session.flush()
    except IntegrityError as error:
        raise NameTaken(name=name) from error
