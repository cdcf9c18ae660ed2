"""The built-in model's layout: it loads as Stable Diffusion, draws the same picture for the same seed, and stays
small.
"""

import numpy as np
import pytest
import torch
from diffusers import StableDiffusionPipeline

from worker.engines.image.base.patch_autoencoder import PatchAutoencoder
from worker.engines.image.builtin import layout
from worker.engines.image.builtin.stand_in import random_pipeline


def draw(pipeline, seed=1, prompt="flat style rocket"):
    made = pipeline(prompt, num_inference_steps=2, generator=torch.Generator().manual_seed(seed))
    return np.asarray(made.images[0])


@pytest.fixture(scope="module")
def stand_in():
    return random_pipeline(0)


def test_the_stand_in_draws_the_same_picture_for_the_same_seed(stand_in):
    one = draw(stand_in)
    assert one.shape == (128, 128, 3)
    assert (one == draw(random_pipeline(0))).all()
    assert (one != draw(stand_in, seed=2)).any()


def test_the_stand_in_leaves_the_global_random_state_alone():
    torch.manual_seed(3)
    expected = torch.rand(1)
    torch.manual_seed(3)
    random_pipeline(0)
    assert torch.rand(1) == expected


def test_every_attention_can_take_a_lora(stand_in):
    names = {name for name, _ in stand_in.unet.named_modules()}
    for kind in ("attn1", "attn2"):
        assert any(n.endswith(f"{kind}.to_q") for n in names)
        assert any(n.endswith(f"{kind}.to_out.0") for n in names)


def test_a_packed_model_loads_as_an_ordinary_pipeline(stand_in, tmp_path):
    size = layout.pack(stand_in, tmp_path)
    assert size == layout.size_of(tmp_path)
    assert stand_in.unet.dtype == torch.float32
    loaded = StableDiffusionPipeline.from_pretrained(str(tmp_path), local_files_only=True)
    assert isinstance(loaded.vae, PatchAutoencoder)
    assert loaded.scheduler.config.prediction_type == "v_prediction"
    ours = layout.load_pipeline(tmp_path)
    assert np.abs(draw(ours).astype(int) - draw(stand_in)).mean() < 2


def test_a_model_over_the_limit_is_refused(stand_in, tmp_path):
    with pytest.raises(layout.ModelTooLarge):
        layout.pack(stand_in, tmp_path, limit=1000)
