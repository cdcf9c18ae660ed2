"""What the tests of the worker share: an engine without a model, a worker, a workspace."""

from collections.abc import Iterator

import pytest

from app.db import Database
from app.storage import Storage
from tests.fake_engine import FakeEngine
from tests.orders import make_workspace, worker_context
from tests.worker.elsewhere import Elsewhere
from worker.context import WorkerContext
from worker.engines import registry
from worker.files import base_models


@pytest.fixture
def engine(monkeypatch: pytest.MonkeyPatch) -> FakeEngine:
    fake = FakeEngine()
    monkeypatch.setattr(registry, "engine_for", lambda family: fake)
    # An engine without a model needs no files of one.
    monkeypatch.setattr(base_models, "_is_in_the_hubs_cache", lambda source: True)
    # Nor does it leave memory to be given back, which in a process of thousands of tests takes longer than its jobs.
    monkeypatch.setattr(registry, "collect", lambda: None)
    return fake


@pytest.fixture
def context(database: Database, storage: Storage) -> WorkerContext:
    return worker_context(database, storage)


@pytest.fixture
def workspace_id(database: Database) -> str:
    return make_workspace(database)


@pytest.fixture(scope="session")
def elsewhere() -> Iterator[Elsewhere]:
    started = Elsewhere()
    yield started
    started.stop()
