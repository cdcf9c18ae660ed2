"""What may be seen of campaigns."""

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from app.campaigns.errors import NoSuchCampaign
from app.campaigns.models import Campaign
from app.db import own
from app.errors import NotFound


def campaigns(session: Session, *, workspace_id: str) -> list[Campaign]:
    """The workspace's campaigns, by name."""
    return list(
        session.scalars(
            select(Campaign)
            .where(Campaign.workspace_id == workspace_id)
            .order_by(func.lower(Campaign.name), Campaign.id)
        )
    )


def campaign(session: Session, *, workspace_id: str, campaign_id: str) -> Campaign:
    """Raises ``NotFound`` for another workspace's campaign too."""
    return own(session, Campaign, campaign_id, workspace_id)


def campaign_to_use(session: Session, *, workspace_id: str, campaign_id: str) -> Campaign:
    """A campaign that somebody chose from a list. Raises ``NoSuchCampaign``."""
    try:
        return campaign(session, workspace_id=workspace_id, campaign_id=campaign_id)
    except NotFound as error:
        raise NoSuchCampaign() from error
