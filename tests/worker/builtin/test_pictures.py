"""Pictures: which icon draws which concept, how one is rendered, and which licences are refused."""

import json

import numpy as np
import pytest

from worker.engines.image.builtin.making import pictures
from worker.engines.image.builtin.making.pictures import (
    ONE_OUTLINE,
    Picture,
    PicturesError,
    catalogue,
    concepts,
    licence,
    outline,
    outline_kind,
    render,
    render_all,
)

SQUARE = '<path fill="#f00" d="M0 0h10v10H0z"/>'


def write(cache, package, name, content):
    folder = cache / package / "package"
    folder.mkdir(parents=True, exist_ok=True)
    (folder / name).write_text(json.dumps(content), "utf-8")


def icon_set(cache, name, icons, chars=None, spdx="MIT"):
    write(cache, name, "icons.json", {"width": 10, "height": 10, "icons": {i: {"body": SQUARE} for i in icons}})
    write(cache, name, "info.json", {"name": name, "author": {"name": "A"}, "license": {"spdx": spdx}})
    write(cache, name, "package.json", {"version": "1.0.0"})
    if chars is not None:
        write(cache, name, "chars.json", chars)


@pytest.fixture
def cache(tmp_path):
    def emoji(label, tags, group=5):
        return {"hexcode": "1F680", "label": label, "tags": tags, "group": group, "subgroup": 56}

    clock = {"hexcode": "1F550", "label": "one o’clock", "tags": [], "group": 5, "subgroup": 58}
    write(tmp_path, "emojibase-data", "en.json", [])
    (tmp_path / "emojibase-data" / "package" / "en").mkdir()
    (tmp_path / "emojibase-data" / "package" / "de").mkdir()
    write(tmp_path, "emojibase-data", "en/data.json", [emoji("rocket", ["space"]), clock])
    write(tmp_path, "emojibase-data", "de/data.json", [emoji("Rakete", ["Weltraum"]), clock])
    for name in ("twemoji", "noto", "fluent-emoji-flat"):
        icon_set(tmp_path, name, ["rocket", "one-oclock"], {"1f680": "rocket", "1f550": "one-oclock"})
    icon_set(tmp_path, "fxemoji", ["rocket"])
    return tmp_path


def test_concepts_have_names_in_both_languages_and_no_clocks(cache):
    found = concepts(cache)
    assert set(found) == {"rocket"}
    assert found["rocket"].english == ("rocket", "space")
    assert found["rocket"].german == ("rakete", "weltraum")


def test_a_set_without_characters_is_matched_by_name(cache):
    assert catalogue(cache, ("fxemoji",), concepts(cache)) == [Picture("fxemoji", "rocket", "rocket")]


def test_share_alike_is_refused(cache):
    icon_set(cache, "openmoji", ["rocket"], spdx="CC-BY-SA-4.0")
    with pytest.raises(PicturesError, match="CC-BY-SA"):
        licence(cache, "openmoji")


def test_missing_packages_are_named(tmp_path):
    with pytest.raises(PicturesError, match="pictures command"):
        concepts(tmp_path)


def test_a_picture_fills_its_part_of_the_square():
    pixels = render(SQUARE, 10, 10, side=100, fill=0.5)
    assert pixels.shape == (100, 100, 4)
    assert (pixels[..., 3] > 0).mean() == pytest.approx(0.25, abs=0.01)
    assert tuple(pixels[50, 50]) == (255, 0, 0, 255)
    moved = render(SQUARE, 10, 10, side=100, fill=0.5, dx=0.1)
    assert np.argwhere(moved[..., 3])[:, 1].min() == pytest.approx(35, abs=1)


def test_what_cannot_be_drawn_is_left_out(cache):
    write(
        cache,
        "fxemoji",
        "icons.json",
        {"width": 10, "height": 10, "icons": {"bad": {"body": "<"}, "rocket": {"body": SQUARE}}},
    )
    kept, pixels = render_all(cache, [Picture("fxemoji", "bad", None), Picture("fxemoji", "rocket", "rocket")], 2, 1)
    assert [p.icon for p in kept] == ["rocket"]
    assert pixels.shape == (1, 2, 128, 128, 4)


def test_saved_pictures_come_back(tmp_path):
    made = [Picture("noto", "rocket", "rocket")]
    pictures.save(tmp_path, "x", made, np.zeros((1, 1, 4, 4, 4), np.uint8))
    again, pixels = pictures.load(tmp_path, "x")
    assert again == made and pixels.shape == (1, 1, 4, 4, 4)
    with pytest.raises(PicturesError):
        pictures.load(tmp_path, "y")


def rim(pixels):
    """The colour of what the middle row meets first; its edge may be half transparent, which leaves the colour."""
    row = pixels[64]
    return tuple(int(part) for part in row[row[:, 3] > 100][0, :3])


def colour_of(picture, place):
    colour = outline(outline_kind(picture.style, picture.icon, place)).colour
    return tuple(bytes.fromhex(colour.removeprefix("#")))


def test_an_outlined_style_draws_a_sets_icons_with_a_line_round_them(cache):
    plain, outlined = catalogue(cache, ("noto", "outlined-noto"), concepts(cache))
    assert (outlined.icon, outlined.concept, outlined.style) == (plain.icon, plain.concept, "outlined-noto")
    _, pixels = render_all(cache, [plain, outlined], 1, processes=1)
    before, after = (pixel[0] for pixel in pixels)
    assert (before[64, 64, :3] == after[64, 64, :3]).all(), "the inside keeps its colour"
    assert rim(after) == colour_of(outlined, 0)
    assert rim(before) == (255, 0, 0)


def test_the_style_of_outlines_is_one_at_its_plain_place_and_varies_where_it_is_moved(cache):
    pictures_of_it = catalogue(cache, ONE_OUTLINE, concepts(cache))
    _, pixels = render_all(cache, pictures_of_it, 4, processes=1)
    rims = [rim(variant) for variant in pixels[0]]
    assert rims[0] == (0x26, 0x26, 0x2E)
    wanted = [colour_of(pictures_of_it[0], place) for place in range(4)]
    assert np.abs(np.subtract(rims, wanted)).max() <= 1, "but for rounding"
    assert len(set(wanted)) == 3, "this icon's last outline is dark once more"
