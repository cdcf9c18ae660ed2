"""How often the most visited pages ask the database: as often for much as for little.

A page that asks more has a reason, and the number here is changed with it.
"""

from collections.abc import Callable

import pytest
from fastapi import FastAPI
from sqlalchemy import event

from app.campaigns.models import Campaign
from app.db import Database, new_id
from app.storage import Storage
from tests.conftest import SignedIn
from tests.orders import make_brand, order_training
from tests.visuals import make_adapter, make_pictures

Fill = Callable[[], None]
WHO_IS_ASKING = 1
"""The gate's own question."""
IS_BUSY = "SELECT EXISTS (SELECT * \nFROM jobs "
"""How the question of the frame begins, whether its ring turns; every whole page asks it."""


@pytest.fixture
def brand(database: Database, storage: Storage, owner: SignedIn) -> str:
    return make_brand(database, storage, owner.workspace_id, pictures=8)


@pytest.fixture
def fill(database: Database, storage: Storage, owner: SignedIn, brand: str) -> Fill:
    """Three more of everything that the pages list."""

    def more() -> None:
        workspace_id = owner.workspace_id
        for number in range(3):
            adapter_id = make_adapter(database, storage, workspace_id, brand, name=new_id(), version=new_version())
            make_pictures(database, storage, workspace_id, brand, count=2, adapter_id=adapter_id, user_id=owner.user_id)
            order_training(database, workspace_id, brand)
            make_pictures(database, storage, workspace_id, brand, state=("queued", "running", "failed")[number])
            make_brand(database, storage, workspace_id, pictures=2, name=f"Brand {new_id()}")
        with database.write() as session:
            session.add(Campaign(workspace_id=workspace_id, name=new_id(), created_by=None))

    versions = iter(range(1, 100))

    def new_version() -> int:
        return next(versions)

    return more


@pytest.mark.parametrize(
    ("path", "most"),
    [
        ("/projects", 7),
        ("/projects/{brand}", 11),
        ("/gallery", 6),
        ("/projects/{brand}/studio", 18),
        ("/jobs", 8),
        ("/jobs/queues", 6),
        ("/projects/{brand}/trainings", 7),
    ],
)
def test_a_page_asks_no_more_than_this_however_much_there_is(
    app: FastAPI, owner: SignedIn, brand: str, fill: Fill, path: str, most: int
) -> None:
    asked: list[str] = []
    event.listen(app.state.database.engine, "before_cursor_execute", lambda *args: asked.append(str(args[2])))
    address, counts = path.format(brand=brand), []
    for _ in range(2):
        fill()
        asked.clear()
        assert owner.client.get(address).status_code == 200
        own = [statement for statement in asked if not statement.startswith(("BEGIN", IS_BUSY))]
        counts.append(len(own) - WHO_IS_ASKING)
    assert counts == [most, most], "\n".join(asked)
