"""Style in numbers: colour difference against published values, and distances that tell styles apart."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from worker.engines.image.measuring.style_statistics import delta_e_2000, style_distance, style_statistics, to_lab

DATA = Path(__file__).parents[2] / "data"


@pytest.mark.parametrize(
    ("one", "other", "expected"),
    [  # from the test data of Sharma, Wu and Dalal 2005
        ((50, 2.6772, -79.7751), (50, 0, -82.7485), 2.0425),
        ((50, 3.1571, -77.2803), (50, 0, -82.7485), 2.8615),
        ((50, 2.4900, -0.0010), (50, -2.4900, 0.0009), 7.1792),
        ((50, 2.5, 0), (73, 25, -18), 27.1492),
        ((60.2574, -34.0099, 36.2677), (60.4626, -34.1751, 39.4387), 1.2644),
        ((2.0776, 0.0795, -1.1350), (0.9033, -0.0636, -0.5514), 0.9082),
    ],
)
def test_colour_difference_is_the_published_one(one, other, expected):
    assert delta_e_2000(np.array(one, float), np.array(other, float)) == pytest.approx(expected, abs=1e-4)


def test_white_and_red_in_lab():
    lab = to_lab(np.array([[255, 255, 255], [255, 0, 0]], np.uint8))
    assert lab[0] == pytest.approx([100, 0, 0], abs=0.02)
    assert lab[1] == pytest.approx([53.24, 80.09, 67.20], abs=0.02)


@pytest.mark.slow
def test_two_halves_of_a_brand_are_closer_than_another_palette():
    pictures = [Image.open(p) for p in sorted((DATA / "brand").glob("*.png"))]
    one, other = style_statistics(pictures[::2]), style_statistics(pictures[1::2])
    grey = style_statistics([p.convert("L").convert("RGB") for p in pictures])
    assert style_distance(one, one).palette == 0
    assert style_distance(one, other).palette < style_distance(one, grey).palette
    assert one.palette[:, 3].sum() == pytest.approx(1)


def test_no_pictures_is_an_error():
    with pytest.raises(ValueError, match="no pictures"):
        style_statistics([])
