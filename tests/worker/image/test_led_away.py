"""An adapter that leads away from its brand comes last on the brand effect itself, not only "draws other pictures"."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors import safe_open
from safetensors.torch import save_file

from app.trainings.look.jury import Reading, nearness
from worker.engines.image.measuring import brand_effect
from worker.engines.image.measuring.style_statistics import StyleDistance, style_distance, style_statistics

DATA = Path(__file__).parents[2] / "data"
STEPS, NAMES = 60, ("cat", "lemon", "tent", "snowman")


def recipe(**changes):
    options = {"steps": STEPS, "sample_steps": 8, "min_snr_gamma": None, "caption_dropout": 0.25, "rank": 16}
    return brand_effect.TrainingRecipe(
        base_model=brand_effect.BUILTIN.key,
        purpose="style",
        trigger_word=brand_effect.TRIGGER,
        alpha=16,
        target_modules="all_layers",
        learning_rate=2e-3,
        lr_scheduler="cosine",
        batch_size=4,
        resolution=128,
        checkpoint_every=10_000,
        sample_guidance_scale=4.0,
        **options | changes,
    )


def learned(folder, out):
    return brand_effect.train(folder, recipe(), brand_effect.BUILTIN, out)


def led_away(trained, change, path):
    """The same file with its B matrices changed; its header stays."""
    with safe_open(trained.weights, "pt") as file:
        header = file.metadata()
        tensors = {name: file.get_tensor(name) for name in list(file.keys())}
    changed = {name: change(tensor).contiguous() if ".lora_B." in name else tensor for name, tensor in tensors.items()}
    save_file(changed, path, header)
    return replace(trained, weights=path)


def shuffled(tensor):
    order = torch.randperm(tensor.numel(), generator=torch.Generator().manual_seed(0))
    return tensor.flatten()[order].view_as(tensor)


@pytest.fixture(scope="module")
def away_from_the_brand(tmp_path_factory) -> dict[str, float]:
    """How far each adapter's drawings are from the pictures kept back, where the base's are at 1."""
    folder = tmp_path_factory.mktemp("led_away")
    other = folder / "other_brand"
    other.mkdir()
    for path in sorted((DATA / "brand").glob("*.png")):
        with Image.open(path) as opened:
            pixels = np.asarray(opened.convert("RGB").resize((128, 128)))
        Image.fromarray(255 - pixels[..., [1, 2, 0]]).save(other / path.name)
    real = learned(DATA / "brand", folder / "real")
    arms = {
        "base": None,
        "real": real,
        "negated": led_away(real, torch.neg, folder / "negated.safetensors"),
        "zeroed": led_away(real, torch.zeros_like, folder / "zeroed.safetensors"),
        "shuffled": led_away(real, shuffled, folder / "shuffled.safetensors"),
        "another brand's": learned(other, folder / "another"),
    }
    brand = style_statistics([brand_effect._open(DATA / "brand_held_out" / f"{name}.png", 128) for name in NAMES])
    distances = {
        name: style_distance(
            style_statistics(brand_effect._draw(list(NAMES), arm, recipe(), brand_effect.BUILTIN, folder / name)), brand
        )
        for name, arm in arms.items()
    }
    return {name: nearness(reading(one), reading(distances["base"])) for name, one in distances.items()}


def reading(distance: StyleDistance) -> Reading:
    return Reading(
        palette=distance.palette,
        edges=distance.edges,
        texture=distance.texture,
        diversity=None,
        obedience=1.0,
        likeness=0.0,
    )


@pytest.mark.slow
def test_the_real_adapter_comes_nearer_than_the_base(away_from_the_brand):
    assert away_from_the_brand["real"] < 1, away_from_the_brand


@pytest.mark.slow
@pytest.mark.parametrize("which", ["negated", "zeroed", "shuffled", "another brand's"])
def test_one_that_leads_away_comes_after_it(away_from_the_brand, which):
    assert away_from_the_brand[which] > away_from_the_brand["real"] + 0.05, away_from_the_brand
    assert away_from_the_brand[which] > 0.95, "no nearer than the base"
