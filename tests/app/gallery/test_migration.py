"""What an installation of before has of comparisons: kept where somebody made something of it, else with its order."""

from pathlib import Path

import pytest
from alembic import command
from alembic.config import Config
from sqlalchemy import text

from tests.app.gallery.conftest import Gallery

ROOT = Path(__file__).parents[3]
BEFORE = "e4b95d0c8f17"
STRIP = {"strengths": (0.0, 0.4, 0.7, 1.0, 1.3)}


@pytest.mark.slow
def test_comparisons_of_before_stay_with_their_order_unless_somebody_used_them(gallery: Gallery) -> None:
    gallery.post("/campaigns", name="Harvest")
    approved, favourite, tagged, moved, untouched = gallery.hang(count=5, recipe=STRIP)
    (plain,) = gallery.hang()
    gallery.post(f"/outputs/{approved}/approve")
    gallery.post(f"/outputs/{favourite}/favourite")
    gallery.post(f"/outputs/{tagged}/tags", tags="hero")
    gallery.post(f"/outputs/{moved}/campaign", new_campaign="Winter")
    (inherited,) = gallery.hang(recipe={"strengths": (0.0,)}, campaign_id=gallery.output(moved).campaign_id)
    with gallery.database.write() as session:
        session.execute(
            text("UPDATE generations SET campaign_id = :campaign WHERE id = :order"),
            {"campaign": gallery.output(inherited).campaign_id, "order": gallery.output(inherited).generation_id},
        )
    config = Config(toml_file=ROOT / "pyproject.toml")
    config.attributes["database"] = gallery.database
    command.downgrade(config, BEFORE)
    command.upgrade(config, "head")
    shown = {one: gallery.output(one).in_gallery for one in gallery.there()}
    kept = {approved, favourite, tagged, moved, plain}
    assert shown == dict.fromkeys(kept, True) | dict.fromkeys((untouched, inherited), False)
