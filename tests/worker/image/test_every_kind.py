"""Every kind of adapter on every family: from the order to the files that people take along."""

from collections.abc import Callable
from pathlib import Path

import pytest
from sqlalchemy import select

from app.adapters.models import Adapter
from app.db import Database
from app.jobs.models import Job
from app.lora_files import export
from app.storage import Storage
from app.trainings.models import Training
from tests.narrow import narrow
from tests.orders import make_brand, order_training
from tests.worker.image import tiny, tiny_flux
from worker.context import WorkerContext
from worker.engines.contracts import Base
from worker.files import base_models
from worker.run_job import run_next

pytestmark = pytest.mark.slow

FAMILIES: dict[str, tuple[str, Callable[[], object]]] = {
    "stable-diffusion-1-5": ("stable_diffusion", tiny.pipeline),
    "stable-diffusion-xl": ("stable_diffusion_xl", tiny.xl_pipeline),
    "flux-1-dev": ("flux", tiny_flux.flux),
    "flux-2-klein-base-4b": ("flux2_klein", tiny_flux.klein),
}
WIDTH = 64
"""Of the tokens of the tiny transformers."""
NETWORKS = ("lora", "rslora", "dora", "lokr")
WITHOUT_OTHER_PROGRAMS = {("flux-1-dev", "lokr"), ("flux-2-klein-base-4b", "lokr")}
"""Their q, k and v are one layer there, and a Kronecker product of each is none of the whole."""


@pytest.fixture(scope="module")
def bases(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Base]:
    found = {}
    for key, (family, make) in FAMILIES.items():
        folder: Path = tmp_path_factory.mktemp("bases") / key
        make().save_pretrained(folder)  # type: ignore[attr-defined]
        found[key] = Base(key, family, str(folder))
    return found


def small(database: Database, training_id: str) -> None:
    """The order at the size that the tiny bases draw in no time."""
    with database.write() as session:
        row = session.get_one(Training, training_id)
        row.recipe = row.recipe | {"resolution": 64}
        row.pictures = [one | {"target_width": 32, "target_height": 32} for one in row.pictures]


def asked_of(key: str) -> list[tuple[str, str]]:
    """Kinds of adapters and how the base is held: of the one that is usually held in 4 bits every pair."""
    quantizations = ("none", "nf4", "int8") if key == "flux-1-dev" else ("none",)
    return [(network, quantization) for network in NETWORKS for quantization in quantizations]


@pytest.mark.parametrize("key", FAMILIES)
def test_whatever_is_trained_is_kept_in_a_form_that_can_be_taken_along(
    database: Database,
    storage: Storage,
    context: WorkerContext,
    workspace_id: str,
    bases: dict[str, Base],
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    key: str,
) -> None:
    monkeypatch.setattr(base_models, "ready", lambda job, entry: bases[entry.key])
    narrow(monkeypatch, WIDTH, instead=True)  # the tiny bases are narrower than any real one
    project_id = make_brand(database, storage, workspace_id)
    for network, quantization in asked_of(key):
        training_id = order_training(
            database,
            workspace_id,
            project_id,
            base_model=key,
            network=network,
            steps=1,
            sample_prompts=(),
            quantization=quantization,
        )
        small(database, training_id)
        assert run_next(context, ("training",))
        with database.read() as session:
            job = session.scalars(select(Job).where(Job.subject_id == training_id)).one()
            assert (job.state, job.error_sentence) == ("done", None), (network, quantization)
            adapter = session.scalars(select(Adapter).where(Adapter.training_id == training_id)).one()
        assert bool(adapter.kohya_key) is ((key, network) not in WITHOUT_OTHER_PROGRAMS), network
        for stored in filter(None, (adapter.diffusers_key, adapter.kohya_key, adapter.clean_key)):
            file = tmp_path / "adapter.safetensors"
            storage.fetch(stored, file)
            assert export.read(file).alphas
