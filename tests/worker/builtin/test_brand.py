"""The brand's pictures are divided without overlap, and obedience counts the right concept among real pictures."""

import json

import numpy as np
import pytest
import torch

from worker.engines.image.builtin.making import brand
from worker.engines.image.builtin.making.concepts import Concept
from worker.engines.image.builtin.making.measure import on_white
from worker.engines.image.builtin.making.pictures import Picture, save

pytestmark = pytest.mark.slow


@pytest.fixture
def work(tmp_path):
    """120 concepts, each a block of its own place and colour; the brand draws the first 80, another set the others."""
    rng = np.random.default_rng(0)
    names = [f"thing {n}" for n in range(120)]
    pixels = np.zeros((120, 1, 128, 128, 4), np.uint8)
    for n in range(120):
        left, top = rng.integers(0, 80, 2)
        pixels[n, 0, top : top + 40, left : left + 40] = [*rng.integers(0, 200, 3), 255]
    plain = [Picture("noto", "noto", name, name) for name in names]
    save(tmp_path, "denoiser", zip(plain, pixels, strict=True))
    sets = ["left-out"] * 80 + ["another"] * 40
    unseen = [Picture(icon_set, icon_set, name, name) for icon_set, name in zip(sets, names, strict=True)]
    save(tmp_path, "brand", zip(unseen, pixels, strict=True))
    rows = [{"key": name, "code": "1", "english": [name], "german": [name], "group": 4} for name in names]
    (tmp_path / "concepts.json").write_text(json.dumps(rows))
    return tmp_path


def test_a_division_shares_no_concept_between_training_and_measuring(work):
    one, again, other = (brand.divide(work, "left-out", seed) for seed in (1, 1, 2))
    assert one == again != other
    assert (len(one.trained), len(one.compared)) == (brand.TRAINED, brand.COMPARED)
    assert not set(one.trained) & set(one.compared)
    trained = {f"thing {i}" for i in one.trained}
    assert not trained & {concept.key for concept in one.asked} and len(one.asked) == 120 - brand.TRAINED


def test_the_brands_pictures_are_written_under_their_names(work, tmp_path):
    brand.write_pictures(work, [0, 3], tmp_path / "out")
    assert sorted(p.name for p in (tmp_path / "out").iterdir()) == ["thing-0.png", "thing-3.png"]


def test_obedience_is_one_for_the_real_pictures_and_chance_for_shuffled_ones(work):
    asked = [Concept(f"thing {n}", "1", (f"thing {n}",), (f"thing {n}",), 4) for n in range(100)]
    real = on_white(np.load(work / "denoiser.npy"), list(range(100)))
    assert brand.obeyed(real, asked, work, "left-out") == 1.0
    assert brand.obeyed(torch.roll(real, 50, 0), asked, work, "left-out") < 0.3
