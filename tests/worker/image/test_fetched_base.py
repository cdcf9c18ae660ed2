"""A base model that came from a hub draws and trains like the one that was put there."""

import json
from pathlib import Path

import pytest

from tests.fake_hub import FakeHub, serving
from tests.worker.image import tiny
from worker.engines.contracts import Base, GenerationInputs
from worker.engines.image.base import model_cache
from worker.engines.image.families import stable_diffusion
from worker.files import base_folders
from worker.files.hub import Hub


@pytest.mark.parametrize("variant", [None, "fp16"])
@pytest.mark.slow
def test_what_is_fetched_of_a_repository_is_all_that_the_engine_needs(tmp_path: Path, variant: str | None) -> None:
    there, here = tmp_path / "there", tmp_path / "here"
    tiny.pipeline().save_pretrained(there, variant=variant)
    files = {path.relative_to(there).as_posix(): path.read_bytes() for path in there.rglob("*") if path.is_file()}
    with serving(FakeHub({"acme/tiny": files | {"unet/diffusion_pytorch_model.bin": b"pickle"}})) as served:
        hub = Hub(served.url)
        repository = hub.repository("acme/tiny", None)
        wanted = base_folders.of_pipeline(repository, json.loads(files["model_index.json"]))
        for one in wanted:
            hub.fetch(repository, one.file, here / one.path, on_bytes=lambda _: None, wait=lambda _: None)
    copy = base_folders.mark_whole(here, repository, wanted, None)
    assert base_folders.whole(here) == copy
    tiny.pipeline().save_pretrained(tmp_path / "plain")
    drawn = []
    for folder in (here, tmp_path / "plain"):
        inputs = GenerationInputs(Base(folder.name, "stable_diffusion", str(folder)))
        made = stable_diffusion.generate(tiny.generation_recipe(count=1), inputs, tmp_path / "out", tiny.Recorder())
        drawn.append([picture.path.read_bytes() for picture in made])
    model_cache.drop()
    assert drawn[0] == drawn[1]
    (here / "unet" / "config.json").unlink()
    assert base_folders.whole(here) is None
