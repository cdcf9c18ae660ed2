"""What was judged before has a verdict: by nobody knows whom, when it is known when."""

from datetime import UTC, datetime
from pathlib import Path

import pytest
from alembic import command
from alembic.config import Config

from app.sign_off import queries
from tests.app.gallery.conftest import Gallery
from tests.visuals import START

ROOT = Path(__file__).parents[3]
BEFORE = "6f0c2d93ab58"


@pytest.mark.slow
def test_reviews_of_before_become_verdicts(gallery: Gallery) -> None:
    moment = datetime(2026, 6, 1, 12, tzinfo=UTC)
    (dated,) = gallery.hang(review="approved", reviewed_at=moment)
    (undated,), (waiting,) = gallery.hang(review="rejected"), gallery.hang()
    config = Config(toml_file=ROOT / "pyproject.toml")
    config.attributes["database"] = gallery.database
    command.downgrade(config, BEFORE)
    command.upgrade(config, "head")
    with gallery.database.read() as session:
        found = queries.latest(
            session,
            workspace_id=gallery.owner.workspace_id,
            subject_kind="output",
            subject_ids=[dated, undated, waiting],
        )
    assert {one: (view.state, view.by, view.at) for one, view in found.items()} == {
        dated: ("approved", None, moment),
        undated: ("rejected", None, START),
    }
