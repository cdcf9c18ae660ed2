from pathlib import Path

import pytest
import torch

from tests.worker.image import tiny
from worker.engines.contracts import Base
from worker.engines.image.base import model_cache


@pytest.fixture(autouse=True, scope="session")
def one_thread() -> None:
    # Tiny matrices gain nothing from threads; on a busy machine, threads that wait for each other cost a hundredfold.
    torch.set_num_threads(1)


@pytest.fixture(scope="session")
def base(tmp_path_factory: pytest.TempPathFactory) -> Base:
    folder: Path = tmp_path_factory.mktemp("base") / "model"
    tiny.pipeline().save_pretrained(folder)
    return Base("tiny", "stable_diffusion", str(folder))


@pytest.fixture(scope="session")
def xl_base(tmp_path_factory: pytest.TempPathFactory) -> Base:
    folder: Path = tmp_path_factory.mktemp("xl_base") / "model"
    tiny.xl_pipeline().save_pretrained(folder)
    return Base("tiny-xl", "stable_diffusion_xl", str(folder))


@pytest.fixture(params=["stable_diffusion", "stable_diffusion_xl"])
def any_base(request: pytest.FixtureRequest) -> Base:
    """Each of the families with a U-Net in turn."""
    found: Base = request.getfixturevalue({"stable_diffusion": "base", "stable_diffusion_xl": "xl_base"}[request.param])
    return found


@pytest.fixture(autouse=True)
def nothing_kept():
    yield
    model_cache.drop()
