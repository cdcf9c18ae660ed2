"""What may happen to a campaign's brief and words, and how its matrix follows them."""

from dataclasses import dataclass
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from app.adapters import queries as adapters
from app.campaigns import queries as campaigns
from app.campaigns import service as campaign_service
from app.campaigns.models import Campaign
from app.db import now
from app.matrix import cells, pictures, queries
from app.matrix.brief import Brief
from app.matrix.cells import Author, Changed
from app.matrix.errors import AdapterOfAnotherBrand, BriefChanged, NoSuchAudience, OtherBrand, TooManyCells
from app.matrix.models import CampaignBrief, CampaignWords, Cell
from app.matrix.places import places
from app.matrix.spec import Words
from app.projects import queries as projects

MOST_CELLS = 10_000


@dataclass(frozen=True)
class Produced:
    """What a click on "make the ads" has begun."""

    cells: int
    orders: int
    """Of pictures."""
    changed: Changed | None
    """Cells whose picture was there already."""


def begin(
    session: Session, *, workspace_id: str, project_id: str, user_id: str | None, name: str, brief: Brief
) -> Campaign:
    """A new campaign with a brief.

    Raises ``NotFound`` for another workspace's brand, ``EmptyName``, ``NameTaken``, ``NoSuchPlace``,
    ``NoSuchLayout``, ``TooManyCells``.
    """
    campaign = campaign_service.create_campaign(session, workspace_id=workspace_id, name=name, user_id=user_id)
    save_brief(session, Author(workspace_id, campaign.id, user_id), project_id, brief)
    return campaign


def save_brief(
    session: Session, author: Author, project_id: str, brief: Brief, *, number: int | None = None
) -> CampaignBrief:
    """Keep a campaign's brief; ``number`` is the one that it was opened with, None replaces whatever there is.

    Raises ``NotFound``, ``BriefChanged``, ``OtherBrand``, ``NoSuchPlace``, ``NoSuchLayout``, ``AdapterOfAnotherBrand``,
    ``TooManyCells``.
    """
    projects.project(session, workspace_id=author.workspace_id, project_id=project_id)
    row = queries.find_brief(session, workspace_id=author.workspace_id, campaign_id=author.campaign_id)
    _check(session, author.workspace_id, brief)
    # One that the brief names already may be gone; a new choice must be there.
    is_new = row is None or queries.brief_of(row).adapter_id != brief.adapter_id
    if is_new and not _draws(session, author.workspace_id, project_id, brief.adapter_id):
        raise AdapterOfAnotherBrand()
    if row is None:
        row = CampaignBrief(
            campaign_id=author.campaign_id, workspace_id=author.workspace_id, project_id=project_id, number=0
        )
        session.add(row)
    elif row.project_id != project_id:
        raise OtherBrand()
    elif number is not None and number != row.number:
        raise BriefChanged()
    row.number, row.brief = row.number + 1, brief.model_dump(mode="json")
    row.changed_by, row.changed_at = author.user_id, now()
    session.flush()
    return row


def _check(session: Session, workspace_id: str, brief: Brief) -> None:
    places(session, workspace_id=workspace_id, keys=brief.channels)
    cells.layout_of(brief.layout)
    count = len(brief.audiences) * len(brief.channels) * len(brief.locales)
    if count > MOST_CELLS:
        raise TooManyCells(count=count, most=MOST_CELLS)


def _draws(session: Session, workspace_id: str, project_id: str, adapter_id: str | None) -> bool:
    """Whether it is one of the brand's adapters that draw, and not put away; None always is."""
    known = adapters.of_project(session, workspace_id=workspace_id, project_id=project_id)
    return adapter_id is None or any(one.id == adapter_id and one.modality == "image" for one in known)


def produce(session: Session, author: Author) -> Produced:
    """Bring the matrix to what the brief lists, and order what is missing: pictures, and layouts of those there.

    Asked for again, it orders nothing twice. Raises ``NotFound``, ``NoBrief``, ``QueueFull``, and what
    ``generations.request_pictures`` raises.
    """
    row = queries.brief_row(session, workspace_id=author.workspace_id, campaign_id=author.campaign_id)
    brief = queries.brief_of(row)
    count = _list_cells(session, author, brief)
    changed = pictures.lay_out_waiting(session, author)
    return Produced(count, pictures.order_missing(session, author), changed)


def _list_cells(session: Session, author: Author, brief: Brief) -> int:
    found = session.scalars(
        select(Cell).where(Cell.workspace_id == author.workspace_id, Cell.campaign_id == author.campaign_id)
    )
    known = {(one.audience, one.channel, one.locale): one for one in found}
    places_of = [(a.key, c, lo) for a in brief.audiences for c in brief.channels for lo in brief.locales]
    for position, place in enumerate(places_of):
        cell = known.pop(place, None)
        if cell is None:
            audience, channel, locale = place
            cell = Cell(
                workspace_id=author.workspace_id,
                campaign_id=author.campaign_id,
                audience=audience,
                channel=channel,
                locale=locale,
            )
            session.add(cell)
        cell.position, cell.removed_at = position, None
    for cell in known.values():
        cell.removed_at = cell.removed_at or now()
    session.flush()
    return len(places_of)


def save_words(session: Session, author: Author, audience: str, locale: str, words: Words) -> Changed | None:
    """Keep what ads say to this audience in this language; cells that said the same change with it.

    None where no cell changes. Raises ``NoBrief``, ``NoSuchAudience``, ``QueueFull``.
    """
    row = words_row(session, author, audience, locale)
    before, row.words = queries.words_of(row), words.model_dump(mode="json")
    row.changed_by, row.changed_at = author.user_id, now()
    session.flush()
    wanted = {}
    listed = queries.all_cells(session, workspace_id=author.workspace_id, campaign_id=author.campaign_id)
    for view in queries.views(session, [one for one in listed if (one.audience, one.locale) == (audience, locale)]):
        if view.spec is not None and view.spec.words == before:
            wanted[view.cell.id] = view.spec.model_copy(update={"words": words})
    return cells.make_versions(session, author, wanted, "words")


def words_row(session: Session, author: Author, audience: str, locale: str) -> CampaignWords:
    """The row of this audience and language, made where there is none. Raises ``NoBrief``, ``NoSuchAudience``."""
    where = {"workspace_id": author.workspace_id, "campaign_id": author.campaign_id}
    brief = queries.brief_of(queries.brief_row(session, **where))
    if brief.audience(audience) is None or locale not in brief.locales:
        raise NoSuchAudience()
    row = queries.words(session, **where).get((audience, locale))
    if row is None:
        row = CampaignWords(**where, audience=audience, locale=locale, words={}, drafts={})
        session.add(row)
        session.flush()
    return row


def copy(session: Session, author: Author, name: str) -> Campaign:
    """A new campaign with the same brief, words and pictures, and no cells yet.

    Raises ``NotFound``, ``NoBrief``, ``EmptyName``, ``NameTaken``.
    """
    where: dict[str, Any] = {"workspace_id": author.workspace_id, "campaign_id": author.campaign_id}
    row = queries.brief_row(session, **where)
    brief = queries.brief_of(row)
    if not _draws(session, author.workspace_id, row.project_id, brief.adapter_id):
        brief = brief.model_copy(update={"adapter_id": None})
    campaign = begin(
        session,
        workspace_id=author.workspace_id,
        project_id=row.project_id,
        user_id=author.user_id,
        name=name,
        brief=brief,
    )
    own = Author(author.workspace_id, campaign.id, author.user_id)
    for (audience, locale), said in queries.words(session, **where).items():
        if brief.audience(audience) and locale in brief.locales:
            words_row(session, own, audience, locale).words = dict(said.words)
    for picture in queries.pictures(session, **where).values():
        session.add(
            type(picture)(
                workspace_id=author.workspace_id,
                campaign_id=campaign.id,
                audience=picture.audience,
                shape=picture.shape,
                prompt=picture.prompt,
                output_id=picture.output_id,
                changed_by=author.user_id,
            )
        )
    session.flush()
    return campaigns.campaign(session, workspace_id=author.workspace_id, campaign_id=campaign.id)
