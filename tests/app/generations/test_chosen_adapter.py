"""“Create with it” opens the studio with that very adapter, not with the newest."""

from app.db import Database, new_id
from app.storage import Storage
from tests.conftest import SignedIn
from tests.visuals import make_adapter, make_project


def test_the_linked_adapter_is_chosen(owner: SignedIn, database: Database, storage: Storage) -> None:
    brand = make_project(database, owner.workspace_id)
    first = make_adapter(database, storage, owner.workspace_id, brand, version=1, strength=0.7)
    second = make_adapter(database, storage, owner.workspace_id, brand, version=2, strength=0.9)
    plain = owner.client.get(f"/projects/{brand}/studio").text
    linked = owner.client.get(f"/projects/{brand}/studio?adapter={first}").text
    assert f'value="{second}" selected' in plain
    assert f'value="{first}" selected' in linked
    assert owner.client.get(f"/projects/{brand}/studio?adapter={new_id()}").status_code == 404
