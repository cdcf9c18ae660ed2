"""The model that ships: it is whole, small enough, under free licences, and draws what it is told."""

import re
from pathlib import Path

import numpy as np
import pytest
import torch
from diffusers import StableDiffusionPipeline

from worker.engines.image.builtin.layout import MODEL_DIR, SIZE_LIMIT, load_pipeline, size_of
from worker.engines.image.builtin.making.icon_sets import FREE_LICENCES, UNSEEN_SETS

pytestmark = pytest.mark.slow
ROOT = Path(__file__).parents[3]


@pytest.fixture(scope="module")
def model():
    return load_pipeline()


def draw(model, prompt, seed=0, steps=8):
    made = model(prompt, num_inference_steps=steps, guidance_scale=3.5, generator=torch.Generator().manual_seed(seed))
    return np.asarray(made.images[0]).astype(float)


def test_it_is_within_the_size_that_was_promised():
    assert size_of(MODEL_DIR) <= SIZE_LIMIT


def test_it_loads_as_an_ordinary_pipeline():
    made = StableDiffusionPipeline.from_pretrained(str(MODEL_DIR), local_files_only=True)
    assert made.vae_scale_factor == 16
    assert made.unet.config.sample_size * made.vae_scale_factor == 128


@pytest.mark.parametrize(
    ("prompt", "colour"),
    [
        ("flat style rocket", (255, 255, 255)),
        ("flat style rocket on a navy background", (20, 33, 84)),
        ("Rakete im flachen Stil auf gelbem Hintergrund", (250, 208, 50)),
    ],
)
def test_the_background_is_the_one_asked_for(model, prompt, colour):
    picture = draw(model, prompt)
    corners = np.stack([picture[:12, :12], picture[:12, -12:], picture[-12:, :12], picture[-12:, -12:]])
    assert np.abs(np.median(corners, axis=(0, 1, 2)) - colour).max() < 45


def test_a_red_apple_is_red_and_a_leaf_green_in_both_languages(model):
    def hue(prompt):
        picture = draw(model, prompt, steps=12)
        coloured = picture[(picture.max(-1) - picture.min(-1)) > 60]
        return coloured.mean(0)

    for apple, clover in (
        ("flat style red apple", "flat style four leaf clover"),
        ("roter apfel im flachen stil", "glücksklee im flachen stil"),
    ):
        red, green = hue(apple), hue(clover)
        assert red[0] > red[1] and red[0] > red[2]
        assert green[1] > green[0] and green[1] > green[2]


def test_the_card_and_the_notice_name_every_set_and_licence():
    card, notice = (MODEL_DIR / "README.md").read_text("utf-8"), (MODEL_DIR / "NOTICE").read_text("utf-8")
    for icon_set in ("fluent-emoji-flat", "fluent-emoji", "noto", "twemoji", "emojione"):
        assert f"@iconify-json/{icon_set} " in notice
    assert not any(icon_set in notice for icon_set in UNSEEN_SETS)
    assert any(licence in card for licence in FREE_LICENCES)
    assert "SA" not in {word.strip(",.") for word in notice.split()}
    assert "Limits" in card


def test_the_card_says_what_a_program_must_import_before_it_loads_the_folder(elsewhere):
    """In a process of its own: here the autoencoder's module is there already."""
    [module] = re.findall(r"^`import ([\w.]+)`", (MODEL_DIR / "README.md").read_text("utf-8"), re.MULTILINE)
    code = (
        "import os, sys\nfrom diffusers import StableDiffusionPipeline\nos.chdir(sys.argv[1])\n"
        f"if sys.argv[2] == 'after': import {module}\n"
        f"StableDiffusionPipeline.from_pretrained({str(MODEL_DIR)!r}, local_files_only=True)"
    )
    elsewhere.run(code, str(ROOT), "after")
    without = elsewhere.run(code, str(ROOT), "without", ends_with=1)
    assert module in without, "if it loads as it is, the card may say so"
