"""A matrix of thousands of ads, as rows without files."""

from datetime import timedelta
from itertools import product
from typing import Any

from sqlalchemy import insert

from app.campaigns.models import Campaign
from app.db import Database, new_id
from app.layouts.channels import Channel, channels
from app.matrix.models import CampaignBrief, Cell, CellVersion, Rendering
from app.matrix.spec import CellSpec, Place, Words
from tests.visuals import START, make_project

AUDIENCES, LOCALES = 20, 25
EARLIER = 3
"""Versions that each cell has had, the one that counts among them."""
REVIEWS = ("approved", "open", "open", "rejected")
"""Of one cell after the other; the first audience's are all approved."""


def lay_out_many(database: Database, workspace_id: str) -> str:
    """One campaign of 20 audiences × 20 channels × 25 languages = 10,000 ads; returns its id.

    More than a brief may list, so the brief lists nothing.
    """
    campaign, act, cells, versions = new_id(), new_id(), [], []
    own = {"workspace_id": workspace_id, "campaign_id": campaign}
    audiences = [f"{number:08x}" for number in range(AUDIENCES)]
    locales = [f"de-{number:03}" for number in range(LOCALES)]
    for position, (audience, place, locale) in enumerate(product(audiences, channels(), locales)):
        cell = {"id": new_id(), "audience": audience, "channel": place.key, "locale": locale, "position": position}
        review = "approved" if audience == audiences[0] else REVIEWS[position % len(REVIEWS)]
        cells.append(own | cell | {"version": EARLIER, "review": review})
        spec = _spec(place, locale)
        made = START + timedelta(seconds=position)
        versions += [
            {
                "id": new_id(),
                "workspace_id": workspace_id,
                "cell_id": cell["id"],
                "number": number,
                "rendering_id": act,
                "spec": spec,
                "sha256": f"{position:060x}{number:04x}",
                "created_at": made,
                "finished_at": made,
            }
            for number in range(1, EARLIER + 1)
        ]
    project_id = make_project(database, workspace_id)
    with database.write() as session:
        session.add(Campaign(id=campaign, workspace_id=workspace_id, name="Autumn", created_by=None))
        session.flush()
        session.add(CampaignBrief(**own, project_id=project_id, brief={}))
        session.flush()
        session.add(Rendering(id=act, **own, act="made"))
        session.flush()
        session.execute(insert(Cell), cells)
        session.execute(insert(CellVersion), versions)
    if not database.is_sqlite:
        # A server gathers its statistics by itself before long; SQLite never does.
        with database.engine.connect() as connection:
            connection.exec_driver_sql("ANALYZE")
            connection.commit()
    return campaign


def _spec(place: Channel, locale: str) -> dict[str, Any]:
    spec = CellSpec(
        place=Place.of(place),
        locale=locale,
        output_id="0" * 32,
        picture="0" * 64,
        words=Words(headline="A cup that waits for you " * 3),
        layout="poster",
        kit_version=1,
    )
    return spec.model_dump(mode="json")
