"""However little of a model is on the device at a time, the pictures are the same. Here the device is the processor, so
that what is shown is the order of calls and the numbers, not the memory."""

import io
from pathlib import Path

import numpy as np
import pytest
import torch
from diffusers.hooks.group_offloading import _is_group_offload_enabled
from PIL import Image
from sqlalchemy import select

from app.db import Database
from app.generations import planner, service
from app.generations.models import Generation, Output
from app.generations.requests import GenerationRequest
from app.storage import Storage
from tests.visuals import make_project
from tests.worker.image import tiny, tiny_flux
from worker.context import WorkerContext
from worker.engines import registry
from worker.engines.contracts import AdapterFile, Base, GenerationInputs, TrainingInputs
from worker.engines.device import DeviceFacts
from worker.engines.image.base import autoencoder, cpu_offload, model_cache
from worker.engines.image.families import flow, flux
from worker.files import base_models
from worker.run_job import run_next

pytestmark = pytest.mark.slow

MAKE = {
    "stable_diffusion": tiny.pipeline,
    "stable_diffusion_xl": tiny.xl_pipeline,
    "flux": tiny_flux.flux,
    "flux2_klein": tiny_flux.klein,
}


def draw(base, out, adapter, **inputs):
    recipe = tiny.generation_recipe(count=2, width=64, height=64)
    given = GenerationInputs(base, (adapter,), **inputs)
    drawn = registry.engine_for(base.family).generate(recipe, given, out, tiny.Recorder())
    pictures = []
    for picture in drawn:
        with Image.open(picture.path) as image:
            pictures.append(np.asarray(image).astype(int))
    return pictures


@pytest.mark.parametrize("family", MAKE)
def test_models_by_turns_and_blocks_one_by_one_draw_the_same(family, tmp_path, monkeypatch):
    MAKE[family]().save_pretrained(tmp_path / "base")
    base = Base("tiny", family, str(tmp_path / "base"))
    engine = registry.engine_for(family)
    order = tiny.training_recipe(steps=2, learning_rate=0.5, sample_prompts=(), network="lokr")
    pictures = TrainingInputs(base, tiny.pictures(tmp_path / "pictures"))
    trained = engine.train(order, pictures, tmp_path / "trained", tiny.Recorder())
    adapter = AdapterFile("key", trained.weights, 1.0)
    expected = draw(base, tmp_path / "whole", adapter, offload="none", batch_size=2)
    unlike = draw(base, tmp_path / "base alone", AdapterFile("key", trained.weights, 0.0))
    assert np.abs(expected[0] - unlike[0]).max() > 2, "the adapter changes nothing"

    called = []
    real = cpu_offload.cpu_offload_with_hook

    def watched(model, device, before):
        called.append(type(model).__name__)
        return real(model, device, before)

    monkeypatch.setattr(cpu_offload, "cpu_offload_with_hook", watched)
    for offload in ("models", "blocks"):
        drawn = draw(base, tmp_path / offload, adapter, offload=offload, batch_size=1)
        assert max(np.abs(one - other).max() for one, other in zip(drawn, expected, strict=True)) <= 1, offload
        loaded = model_cache.current()
        assert _is_group_offload_enabled(loaded.denoiser) is (offload == "blocks")
        assert not any(
            hasattr(model, "_hf_hook") for model in loaded.pipeline.components.values() if hasattr(model, "parameters")
        )
        assert (loaded.offload, loaded.tiled) == (None, None)
    if family.startswith("stable"):
        assert called.count("UNet2DConditionModel") == 1, "by turns once, and its blocks come by themselves"
    again = draw(base, tmp_path / "again", adapter)
    assert np.array_equal(again[0], expected[0]) and not model_cache.current().by_blocks


def test_tiles_are_smaller_than_what_the_base_was_trained_at():
    vae = tiny.autoencoder()
    vae.tile_sample_min_size, vae.tile_latent_min_size = 1024, 512
    latents = torch.zeros(1, 4, 512, 512)
    seen = []
    vae.decoder.forward = lambda part: (
        seen.append(part.shape[-1]) or torch.zeros(1, 3, 2 * part.shape[-2], 2 * part.shape[-1])
    )
    with autoencoder.tiles(vae), torch.no_grad():
        vae.decode(latents)
    assert max(seen) == 256 and len(seen) > 4
    assert (vae.tile_sample_min_size, vae.tile_latent_min_size, vae.use_tiling) == (1024, 512, False)


def test_an_order_that_runs_out_of_memory_ends_block_by_block_with_the_picture_of_the_whole_base(
    database: Database,
    storage: Storage,
    context: WorkerContext,
    workspace_id: str,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    """Through the real handler and the real engine; the card is what the worker says of its device."""
    tiny_flux.flux().save_pretrained(tmp_path / "base")
    base = Base("tiny", "flux", str(tmp_path / "base"))
    monkeypatch.setattr(base_models, "ready", lambda job, entry: base)
    context.device = DeviceFacts("A card", "cuda", 12_000_000_000)
    context.cache_folder = tmp_path / "cache"
    project_id = make_project(database, workspace_id)
    request = GenerationRequest("a jar", adapters=(), base_model="flux-1-dev", count=2, seed=11, steps=3)
    with database.write() as session:
        ordered = service.request_pictures(
            session, workspace_id=workspace_id, project_id=project_id, user_id=None, request=request
        ).generation
        ordered.recipe = ordered.recipe | {"width": 64, "height": 64}
        generation_id = ordered.id
    tried = []
    real = flow.denoise

    def small_card(scheduler, noise, *rest, **more):
        loaded = model_cache.current()
        tried.append((loaded.quantization, loaded.offload, len(noise)))
        if loaded.quantization == "nf4":
            raise torch.OutOfMemoryError("CUDA out of memory")
        return real(scheduler, noise, *rest, **more)

    monkeypatch.setattr(flow, "denoise", small_card)
    assert run_next(context, ("generation",))
    assert tried == [("nf4", "models", 2), ("nf4", "models", 1), ("none", "blocks", 1), ("none", "blocks", 1)]
    with database.read() as session:
        plan = planner.DrawingPlan.model_validate(session.get_one(Generation, generation_id).drawing)
        outputs = list(session.scalars(select(Output).order_by(Output.position)))
    assert [change.reason for change in plan.changes] == [planner.FEWER, planner.THEN_BLOCK_BY_BLOCK]
    model_cache.drop()
    recipe = tiny.generation_recipe(prompt="a jar", count=2, width=64, height=64, steps=3, seed=11, guidance_scale=3.5)
    whole = flux.generate(recipe, GenerationInputs(base), tmp_path / "whole", tiny.Recorder())
    for output, expected in zip(outputs, whole, strict=True):
        with Image.open(io.BytesIO(storage.get(output.key))) as drawn, Image.open(expected.path) as plain:
            assert np.abs(np.asarray(drawn).astype(int) - np.asarray(plain).astype(int)).max() <= 1
