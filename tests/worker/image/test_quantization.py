"""Bases in 4 and 8 bits: fewer bytes, nearly the same numbers, and adapters that learn on top."""

import numpy as np
import pytest
import torch
from diffusers import FluxTransformer2DModel
from PIL import Image

from tests.worker.image import tiny
from worker.engines import registry
from worker.engines.contracts import AdapterFile, GenerationInputs, TrainingInputs
from worker.engines.image.base import lora, quantization
from worker.engines.image.families import flux

pytestmark = pytest.mark.slow


@pytest.mark.parametrize("kind", ["nf4", "int8"])
def test_a_quantised_base_takes_a_share_of_the_bytes_and_computes_nearly_the_same(kind):
    torch.manual_seed(0)
    plain = FluxTransformer2DModel(
        in_channels=16,
        num_layers=2,
        num_single_layers=4,
        attention_head_dim=32,
        num_attention_heads=6,
        joint_attention_dim=32,
        pooled_projection_dim=32,
        guidance_embeds=True,
        axes_dims_rope=(8, 12, 12),
    )
    plain.requires_grad_(False).to(torch.bfloat16)
    sixteen_bits = quantization.bytes_of(plain)
    latents, words = (
        torch.randn(1, 16, 4, 4).bfloat16(),
        (torch.randn(1, 7, 32).bfloat16(), torch.randn(1, 32).bfloat16()),
    )
    expected = flux.velocity(plain, latents, torch.tensor([0.5]), words, 1.0)
    quantization.quantize(plain, kind, torch.device("cpu"), torch.bfloat16)
    assert quantization.is_quantized(plain)
    share = quantization.bytes_of(plain) / sixteen_bits
    assert share <= (1 / 3 if kind == "nf4" else 0.6), share
    found = flux.velocity(plain, latents, torch.tensor([0.5]), words, 1.0)
    error = ((found - expected).norm() / expected.norm()).item()
    assert 0 < error < (0.15 if kind == "nf4" else 0.05)


def test_only_layers_in_blocks_are_quantised_and_the_same_weights_give_the_same_bytes():
    def made():
        torch.manual_seed(0)
        unet = tiny.pipeline().unet
        quantization.quantize(unet, "nf4", torch.device("cpu"), torch.float32)
        return unet

    one, two = made().state_dict(), made().state_dict()
    assert all(torch.equal(one[name], two[name]) for name in one)
    quantised = {name for name, tensor in one.items() if tensor.dtype == torch.uint8 and name.endswith(".weight")}
    assert quantised and all("block" in name for name in quantised)
    assert "time_embedding.linear_1.weight" in one.keys() - quantised


@pytest.mark.parametrize("kind", ["nf4", "int8"])
@pytest.mark.parametrize("network", ["lora", "rslora", "dora", "lokr"])
def test_every_kind_of_adapter_learns_on_a_base_in_few_bits_as_on_the_whole(network, kind):
    def learned(kind):
        torch.manual_seed(0)
        unet = tiny.pipeline().unet.requires_grad_(False)
        quantization.quantize(unet, kind, torch.device("cpu"), torch.float32)
        ends = lora.TARGETS["attention_and_feed_forward"]
        parameters = lora.inject(unet, 4, 4.0, ends, torch.Generator().manual_seed(0), network)
        optimizer = torch.optim.SGD(parameters.values(), lr=0.1)
        latents, words = torch.randn(1, 4, 8, 8), torch.randn(1, 5, 32)
        for _ in range(3):
            optimizer.zero_grad()
            loss = unet(latents, 500, words).sample.square().mean()
            loss.backward()
            optimizer.step()
        return loss.item(), lora.state(unet)

    (whole, plain), (loss, packed) = learned("none"), learned(kind)
    assert loss == pytest.approx(whole, rel=0.2)
    assert packed.keys() == plain.keys()
    assert all(packed[name].shape == plain[name].shape and packed[name].isfinite().all() for name in plain)


def test_a_unet_in_four_bits_is_trained_and_draws(any_base, tmp_path):
    engine = registry.engine_for(any_base.family)
    recipe = tiny.training_recipe(quantization="nf4", steps=3, learning_rate=5e-2)
    inputs = TrainingInputs(any_base, tiny.pictures(tmp_path / "pictures"))
    recorder = tiny.Recorder()
    trained = engine.train(recipe, inputs, tmp_path / "out", recorder)
    full = engine.train(recipe.model_copy(update={"quantization": "none"}), inputs, tmp_path / "full", tiny.Recorder())
    assert trained.finished and abs(trained.final_loss - full.final_loss) < 0.2 * full.final_loss
    assert trained.weights.read_bytes() != full.weights.read_bytes()

    def drawn(kind, *adapters):
        order = tiny.generation_recipe(count=1, quantization=kind)
        files = engine.generate(order, GenerationInputs(any_base, adapters), tmp_path / "drawn", tiny.Recorder())
        with Image.open(next(iter(files)).path) as image:
            return np.asarray(image).astype(int)

    adapter = AdapterFile("a", trained.weights, 1.0)
    four_bits, sixteen = drawn("nf4", adapter), drawn("none", adapter)
    assert 0 < np.abs(four_bits - sixteen).mean() < 25
    assert np.abs(four_bits - drawn("nf4")).max() > 0
