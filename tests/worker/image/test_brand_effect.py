import argparse

import numpy as np
import pytest
from PIL import Image

from app.base_models import catalogue
from app.trainings.look.presets import recipe_for
from tests.worker.image import tiny
from worker.engines.image.measuring import brand_effect
from worker.engines.image.measuring.style_statistics import StyleDistance


def stripes(folder, names, colour):
    folder.mkdir()
    for number, name in enumerate(names):
        pixels = np.full((64, 64, 3), 255, dtype=np.uint8)
        pixels[:, number :: number + 3] = colour
        Image.fromarray(pixels).save(folder / f"{name}.png")


@pytest.mark.slow
def test_the_command_trains_draws_and_measures(base, tmp_path):
    stripes(tmp_path / "brand", ["red-jar", "lid"], (200, 0, 0))
    stripes(tmp_path / "held_out", ["old-tin"], (200, 0, 0))
    recipe = tiny.training_recipe(steps=2, resolution=64, sample_guidance_scale=2.0)
    effect = brand_effect.measure(tmp_path / "brand", tmp_path / "held_out", recipe, base, tmp_path / "out")
    assert effect.base.palette > 0 and effect.adapter.palette > 0
    with Image.open(tmp_path / "out" / "sheet.png") as sheet:
        assert sheet.size == (64 * 5, 64)


def test_moved_means_nearer_in_all_three():
    def effect(palette):
        near = StyleDistance(palette, 0.1, 0.1)
        return brand_effect.Effect(StyleDistance(10.0, 0.2, 0.2), near, 1.0, 1.0, 1.0, 1.0, trained=None)

    assert effect(9.0).moved_towards_the_brand
    assert effect(4.0).share_of_the_way == pytest.approx({"palette": 0.6, "edges": 0.5, "texture": 0.5})
    assert not effect(11.0).moved_towards_the_brand


def test_what_is_measured_is_what_people_get():
    parser = argparse.ArgumentParser()
    brand_effect.add_recipe_options(parser)
    measured = brand_effect.recipe_of(parser.parse_args([])).model_dump()
    captions = [f"[trigger] style thing {number}" for number in range(24)]
    base = catalogue.get("livery-builtin")
    given = recipe_for("style", base, trigger_word=brand_effect.TRIGGER, captions=captions).model_dump()
    for made_on_the_way in ("sample_prompts", "checkpoint_every"):
        del measured[made_on_the_way], given[made_on_the_way]
    assert measured == given
