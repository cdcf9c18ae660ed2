"""Pictures: how one is rendered, painted and outlined, and how many are kept without holding them all."""

import json

import numpy as np
import pytest

from worker.engines.image.builtin.making import pictures
from worker.engines.image.builtin.making.icon_sets import PicturesError
from worker.engines.image.builtin.making.pictures import VARIED, Picture, ink_of, render, render_all, save

SQUARE = '<path fill="#f00" d="M0 0h10v10H0z"/>'
SHAPE = '<path fill="currentColor" d="M0 0h10v10H0z"/>'
TWO_COLOURS = '<path fill="#2F88FF" d="M0 0h10v10H0z"/>'


@pytest.fixture
def cache(tmp_path):
    sets = {"noto": SQUARE, "fluent-emoji-flat": SQUARE, "mdi": SHAPE, "icon-park": TWO_COLOURS}
    for name, body in sets.items():
        (tmp_path / name / "package").mkdir(parents=True)
        icons = {"width": 10, "height": 10, "icons": {"rocket": {"body": body}, "bad": {"body": "<"}}}
        (tmp_path / name / "package" / "icons.json").write_text(json.dumps(icons))
    return tmp_path


def drawn(cache, picture, variants):
    [(again, pixels)] = render_all(cache, [picture], variants, processes=1)
    assert again == picture
    return pixels


def middle(pixels):
    return [tuple(int(part) for part in variant[64, 64, :3]) for variant in pixels]


def rim(pixels):
    """The colour of what the middle row meets first; its edge may be half transparent, which leaves the colour."""
    row = pixels[64]
    return tuple(int(part) for part in row[row[:, 3] > 100][0, :3])


def colour_of(picture, place):
    return tuple(bytes.fromhex(ink_of(picture, place).colour.removeprefix("#")))


def test_a_picture_fills_its_part_of_the_square():
    pixels = render(SQUARE, 10, 10, side=100, fill=0.5)
    assert pixels.shape == (100, 100, 4)
    assert (pixels[..., 3] > 0).mean() == pytest.approx(0.25, abs=0.01)
    assert tuple(pixels[50, 50]) == (255, 0, 0, 255)
    moved = render(SQUARE, 10, 10, side=100, fill=0.5, dx=0.1)
    assert np.argwhere(moved[..., 3])[:, 1].min() == pytest.approx(35, abs=1)


def test_what_cannot_be_drawn_is_left_out(cache):
    some = [Picture("noto", "noto", icon, None) for icon in ("bad", "rocket")]
    [(kept, pixels)] = render_all(cache, some, 2, 1)
    assert kept.icon == "rocket"
    assert pixels.shape == (2, 128, 128, 4)


def test_saved_pictures_come_back_however_many_there_are(tmp_path):
    made = [Picture("noto", "noto", f"rocket-{n}", "rocket") for n in range(12)]
    images = np.random.default_rng(0).integers(0, 255, (12, 1, 4, 4, 4), dtype=np.uint8)
    assert save(tmp_path, "x", iter(zip(made, images, strict=True))) == made
    again, pixels = pictures.load(tmp_path, "x")
    assert again == made and (pixels == images).all()
    with pytest.raises(PicturesError):
        pictures.load(tmp_path, "y")
    with pytest.raises(PicturesError, match="no pictures to write"):
        save(tmp_path, "z", [])


def test_an_outlined_style_draws_a_sets_icons_with_a_line_round_them(cache):
    plain, outlined = (Picture(style, "noto", "rocket", "rocket") for style in ("noto", "outlined-noto"))
    before, after = drawn(cache, plain, 1)[0], drawn(cache, outlined, 1)[0]
    assert (before[64, 64, :3] == after[64, 64, :3]).all(), "the inside keeps its colour"
    assert rim(after) == colour_of(outlined, 0)
    assert rim(before) == (255, 0, 0)


def test_the_style_of_outlines_is_one_at_its_plain_place_and_varies_where_it_is_moved(cache):
    picture = Picture("outlined-fluent-emoji-flat", "fluent-emoji-flat", "rocket", "rocket")
    assert picture.style in VARIED
    rims = [rim(variant) for variant in drawn(cache, picture, 4)]
    assert rims[0] == (0x26, 0x26, 0x2E)
    wanted = [colour_of(picture, place) for place in range(4)]
    assert np.abs(np.subtract(rims, wanted)).max() <= 1, "but for rounding"
    assert len(set(wanted)) == 3, "this icon's last outline is dark once more"


def test_shapes_of_one_colour_are_dark_at_their_plain_place_and_of_named_colours_elsewhere(cache):
    picture = Picture("silhouette", "mdi", "rocket", "rocket")
    colours = middle(drawn(cache, picture, 4))
    assert colours == [colour_of(picture, place) for place in range(4)]
    assert colours[0] == (0x26, 0x26, 0x2E) and len(set(colours)) == 4


def test_a_sets_own_colour_stays_at_its_plain_place_and_varies_elsewhere(cache):
    picture = Picture("icon-park", "icon-park", "rocket", "rocket")
    colours = middle(drawn(cache, picture, 3))
    assert colours == [(0x2F, 0x88, 0xFF), *(colour_of(picture, place) for place in (1, 2))]
