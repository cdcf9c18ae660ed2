"""A brand with a voice and samples, and its owner's browser."""

import pytest
from fastapi import FastAPI

from app.db import Database
from app.storage import Storage
from tests.conftest import SignedIn
from tests.written import Brand, make_brand


@pytest.fixture
def brand(app: FastAPI, database: Database, storage: Storage, owner: SignedIn) -> Brand:
    return make_brand(database, storage, owner.workspace_id)
