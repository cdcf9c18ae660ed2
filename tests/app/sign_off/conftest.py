"""Pictures and texts with people who judge them."""

from collections.abc import Callable

import pytest
from fastapi import FastAPI
from starlette.testclient import TestClient

from app.accounts.models import Workspace
from app.db import Database
from app.storage import Storage
from tests.app.gallery.conftest import Gallery
from tests.conftest import SignedIn, SignUp
from tests.visuals import api_token, make_adapter, make_project

Program = Callable[[SignedIn], TestClient]


@pytest.fixture
def gallery(app: FastAPI, database: Database, storage: Storage, owner: SignedIn) -> Gallery:
    brand = make_project(database, owner.workspace_id)
    other = make_project(database, owner.workspace_id, name="Bäckerei Süß", trigger="suessbaeck")
    return Gallery(database, storage, owner, brand, other, make_adapter(database, storage, owner.workspace_id, brand))


@pytest.fixture
def editor(owner: SignedIn, sign_up: SignUp) -> SignedIn:
    return sign_up(role="editor", workspace_id=owner.workspace_id)


@pytest.fixture
def viewer(owner: SignedIn, sign_up: SignUp) -> SignedIn:
    return sign_up(role="viewer", workspace_id=owner.workspace_id)


@pytest.fixture
def program(app: FastAPI, database: Database) -> Program:
    """A person's program."""
    return lambda person: TestClient(app, headers={"authorization": f"Bearer {api_token(database, person)}"})


@pytest.fixture
def rules(database: Database, owner: SignedIn) -> Callable[..., None]:
    """Sets the workspace's rules of sign-off."""

    def change(**rules: bool) -> None:
        with database.write() as session:
            workspace = session.get_one(Workspace, owner.workspace_id)
            for name, value in rules.items():
                setattr(workspace, name, value)

    return change
