"""A workspace with two brands, an adapter, and a way to hang pictures."""

from dataclasses import dataclass

import pytest
from fastapi import FastAPI
from sqlalchemy import select
from starlette.testclient import TestClient

from app.db import Database
from app.generations.models import Output
from app.storage import Storage
from tests.conftest import SignedIn
from tests.visuals import api_token, make_adapter, make_pictures, make_project


@dataclass
class Gallery:
    database: Database
    storage: Storage
    owner: SignedIn
    brand: str
    other_brand: str
    adapter: str

    def hang(self, brand: str | None = None, **fields: object) -> list[str]:
        """Finished pictures; their ids."""
        made = make_pictures(
            self.database,
            self.storage,
            self.owner.workspace_id,
            brand or self.brand,
            **fields,  # type: ignore[arg-type]
        )
        return [picture.id for picture in made]

    def output(self, output_id: str) -> Output:
        with self.database.read() as session:
            return session.get_one(Output, output_id)

    def post(self, url: str, **fields: object) -> object:
        answer = self.owner.client.post(url, data=fields)
        assert answer.status_code == 303, answer.text
        return answer

    def there(self) -> set[str]:
        with self.database.read() as session:
            return set(session.scalars(select(Output.id)))


@pytest.fixture
def gallery(app: FastAPI, database: Database, storage: Storage, owner: SignedIn) -> Gallery:
    brand = make_project(database, owner.workspace_id)
    other = make_project(database, owner.workspace_id, name="Bäckerei Süß", trigger="suessbaeck")
    adapter = make_adapter(database, storage, owner.workspace_id, brand)
    return Gallery(database, storage, owner, brand, other, adapter)


@pytest.fixture
def api(app: FastAPI, database: Database, owner: SignedIn) -> TestClient:
    return TestClient(app, headers={"authorization": f"Bearer {api_token(database, owner)}"})
