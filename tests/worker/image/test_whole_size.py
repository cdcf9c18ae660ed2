"""SDXL, FLUX.1 and FLUX.2 klein in their whole size, with random weights, on a card; prints seconds a step and peak
memory beside what the plan says.

Text encoders have the real widths but few layers, because they are at rest while it trains. Run with
``pytest -m gpu -s tests/worker/image/test_whole_size.py``.
"""

from dataclasses import replace
from typing import Any

import pytest
import torch
from diffusers import AutoencoderKL, AutoencoderKLFlux2, Flux2Transformer2DModel, FluxTransformer2DModel
from diffusers import UNet2DConditionModel as UNet
from transformers import (
    CLIPTextConfig,
    CLIPTextModel,
    CLIPTextModelWithProjection,
    Qwen3Config,
    Qwen3ForCausalLM,
    T5Config,
    T5EncoderModel,
)

from app.base_models import catalogue
from app.machine.devices import Device
from app.trainings.look.planner import plan_for
from app.trainings.look.recipe import TrainingRecipe
from app.trainings.plans import PLANNED, Plan
from tests.worker.image import tiny, tiny_flux
from worker.engines import registry
from worker.engines.contracts import Base, GenerationInputs, TrainingInputs
from worker.engines.device import measure_device
from worker.engines.image.families import flow_models, stable_diffusion_xl
from worker.engines.image.measuring import step_cost

pytestmark = [pytest.mark.gpu, pytest.mark.slow]
STEPS = 6
FLUX: dict[str, Any] = {"guidance_embeds": True}
KLEIN: dict[str, Any] = {
    "num_layers": 5,
    "num_single_layers": 20,
    "num_attention_heads": 24,
    "joint_attention_dim": 7680,
    "guidance_embeds": False,
}
LEVELS = {
    "block_out_channels": (128, 256, 512, 512),
    "down_block_types": ("DownEncoderBlock2D",) * 4,
    "up_block_types": ("UpDecoderBlock2D",) * 4,
    "layers_per_block": 2,
}


def flux(device: torch.device, **shape: Any) -> Any:
    """[dev]: 11.9 billion numbers."""
    pipeline = tiny_flux.flux()
    clip, t5 = pipeline.text_encoder.config, pipeline.text_encoder_2.config
    return type(pipeline)(
        scheduler=pipeline.scheduler,
        vae=AutoencoderKL(latent_channels=16, scaling_factor=0.3611, shift_factor=0.1159, **LEVELS).bfloat16(),
        text_encoder=CLIPTextModel(CLIPTextConfig(**clip.to_dict() | {"hidden_size": 768})).bfloat16(),
        tokenizer=pipeline.tokenizer,
        text_encoder_2=T5EncoderModel(T5Config(**t5.to_dict() | {"d_model": 4096})).bfloat16(),
        tokenizer_2=pipeline.tokenizer_2,
        transformer=random_weights(FluxTransformer2DModel, device, FLUX | shape),
    )


def klein(device: torch.device, **shape: Any) -> Any:
    """FLUX.2 klein base 4B: 3.9 billion numbers."""
    pipeline = tiny_flux.klein()
    qwen = pipeline.text_encoder.config
    return type(pipeline)(
        scheduler=pipeline.scheduler,
        vae=AutoencoderKLFlux2(**LEVELS).bfloat16(),
        text_encoder=Qwen3ForCausalLM(Qwen3Config(**qwen.to_dict() | {"hidden_size": 2560})).bfloat16(),
        tokenizer=pipeline.tokenizer,
        transformer=random_weights(Flux2Transformer2DModel, device, KLEIN | shape),
    )


def sdxl(device: torch.device, **shape: Any) -> Any:
    """Stable Diffusion XL: 2.6 billion numbers."""
    pipeline = tiny.xl_pipeline()
    first, second = (
        CLIPTextConfig(**encoder.config.to_dict() | {"hidden_size": width, "projection_dim": width})
        for encoder, width in ((pipeline.text_encoder, 768), (pipeline.text_encoder_2, 1280))
    )
    with torch.device("meta"):
        whole = dict(step_cost.BASES["stable-diffusion-xl"][0]().config)
    return type(pipeline)(
        scheduler=pipeline.scheduler,
        vae=AutoencoderKL(latent_channels=4, scaling_factor=0.13025, **LEVELS).bfloat16(),
        text_encoder=CLIPTextModel(first).bfloat16(),
        text_encoder_2=CLIPTextModelWithProjection(second).bfloat16(),
        tokenizer=pipeline.tokenizer,
        tokenizer_2=pipeline.tokenizer_2,
        unet=random_weights(UNet, device, whole | shape),
        force_zeros_for_empty_prompt=True,
        add_watermarker=False,
    )


def random_weights(kind: Any, device: torch.device, shape: dict[str, Any]) -> Any:
    with torch.device("meta"):
        model = kind(**shape).bfloat16()
    model.to_empty(device=device)
    for name, parameter in model.named_parameters():
        # As large as trained ones, so that activations stay finite through all blocks.
        parameter.data.normal_(std=0.02) if parameter.ndim > 1 else parameter.data.fill_("norm" in name)
    return model


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
@pytest.mark.parametrize(
    ("make", "family", "key"),
    [
        (sdxl, "stable_diffusion_xl", "stable-diffusion-xl"),
        (flux, "flux", "flux-1-dev"),
        (klein, "flux2_klein", "flux-2-klein-base-4b"),
    ],
)
@pytest.mark.parametrize(
    "way",
    [
        {"quantization": "none", "gradient_checkpointing": False},
        {"quantization": "none", "gradient_checkpointing": True},
        {"quantization": "int8", "gradient_checkpointing": True},
        {"quantization": "nf4", "gradient_checkpointing": True},
        {"quantization": "nf4", "gradient_checkpointing": True, "block_offload": True},
    ],
    ids=lambda way: "-".join(map(str, way.values())),
)
def test_a_whole_base_trains_and_draws(make, family, key, way, tmp_path, monkeypatch):
    if way.get("block_offload") and not catalogue.get(key).offloadable_share:
        pytest.skip("its blocks cannot wait")
    measure(make, family, key, way, tmp_path, monkeypatch, torch.device("cuda"), side=1024)


def predicted(recipe: TrainingRecipe, key: str) -> Plan:
    """What the planner says of this very way, on the device that is there."""
    facts = measure_device()
    assert facts.memory_bytes is not None
    # Only on a small card would the planner let blocks wait.
    room = 6_000_000_000 if recipe.block_offload else facts.memory_bytes
    device = Device(facts.name, facts.kind, room, facts.tera_operations, facts.computes_in)
    plan = plan_for(recipe, catalogue.get(key), device, frozenset(PLANNED))
    assert plan is not None
    return plan


def measure(make, family, key, way, tmp_path, monkeypatch, device, side, **shape):
    """Train some steps and draw one picture; prints what they took beside what the plan says."""
    monkeypatch.setattr(flow_models, "load_pipeline", lambda *_: make(device, **shape))
    xl = replace(stable_diffusion_xl.FAMILY, load_pipeline=lambda *_: make(device, **shape))
    monkeypatch.setattr(stable_diffusion_xl, "FAMILY", xl)
    engine, base = registry.engine_for(family), Base(key, family, str(tmp_path))
    recipe = tiny.training_recipe(
        rank=16, alpha=16, batch_size=1, steps=STEPS, checkpoint_every=99, resolution=side, **way
    )  # fmt: skip
    plan = predicted(recipe, key)
    if device.type == "cuda":
        assert plan.block_offload == recipe.block_offload
        if plan.memory_high > torch.cuda.mem_get_info()[0]:
            pytest.skip("the card is too small")
    recorder = tiny.Recorder()
    inputs = TrainingInputs(base, tiny.pictures(tmp_path / "pictures", count=2, size=(side, side)))
    trained = engine.train(recipe, inputs, tmp_path / "out", recorder)
    assert trained.finished and trained.final_loss is not None
    pace = min(step.seconds for step in recorder.steps[2:])
    quickest, slowest = plan.step_seconds or (0.0, 0.0)
    print(
        f"\n{key}, {way}, {side} pixels, rank 16, on {trained.device}: {pace:.2f} s a step (planned: {quickest:.2f} to "
        f"{slowest:.2f}), peak {trained.peak_memory_bytes / 1e9:.1f} GB (planned: {plan.memory_bytes / 1e9:.1f}, "
        f"{plan.memory_low / 1e9:.1f} to {plan.memory_high / 1e9:.1f})",
        end=" ",
    )
    order = tiny.generation_recipe(width=side, height=side, count=1, steps=4, quantization=recipe.quantization)
    drawn = list(engine.generate(order, GenerationInputs(base), tmp_path / "drawn", tiny.Recorder()))
    assert len(drawn) == 1
    print(f"and {drawn[0].seconds:.1f} s for a picture of 4 steps")
