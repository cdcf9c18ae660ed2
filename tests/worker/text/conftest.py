"""What the tests of the text engine share: a tiny model in a folder, and no model left in memory."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.worker.text import tiny
from worker.engines.contracts import Base
from worker.engines.text import base as bases


@pytest.fixture(scope="session")
def model(tmp_path_factory: pytest.TempPathFactory) -> Base:
    return tiny.save_model(tmp_path_factory.mktemp("tiny"))


@pytest.fixture(autouse=True)
def nothing_kept() -> Iterator[None]:
    yield
    bases.drop_loaded()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path
