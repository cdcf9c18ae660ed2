from pathlib import Path

import pytest
import torch

from tests.worker.image import tiny
from worker.engines.contracts import Base
from worker.engines.image import stable_diffusion


@pytest.fixture(autouse=True, scope="session")
def one_thread() -> None:
    # Tiny matrices gain nothing from threads; on a busy machine, threads that wait for each other cost a hundredfold.
    torch.set_num_threads(1)


@pytest.fixture(scope="session")
def base(tmp_path_factory: pytest.TempPathFactory) -> Base:
    folder: Path = tmp_path_factory.mktemp("base") / "model"
    tiny.pipeline().save_pretrained(folder)
    return Base("tiny", "stable_diffusion", str(folder))


@pytest.fixture(autouse=True)
def nothing_kept():
    yield
    stable_diffusion.drop_loaded()
