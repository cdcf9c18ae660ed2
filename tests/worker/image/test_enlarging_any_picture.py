"""Any picture enlarged 2 or 4 times, tile by tile, or until it covers a size."""

import hashlib
import io
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from worker.engines import registry
from worker.engines.contracts import EngineError
from worker.engines.image.enlarging import enlarge, photographs, tiles
from worker.engines.image.enlarging.choosing import kind_of
from worker.engines.image.enlarging.enlarge import enlarged_picture, enlarged_to
from worker.engines.image.enlarging.network import enlarged

DEMO = Path(__file__).parents[3] / "app/images/demo"


def drawn(width, height):
    """Stripes, a slanted edge and a flat ground."""
    across, down = np.meshgrid(np.arange(width), np.arange(height))
    pixels = np.full((height, width, 3), (250, 208, 50), np.uint8)
    pixels[across + 2 * down < width] = (20, 33, 84)
    pixels[down % 9 == 0] = (255, 255, 255)
    return Image.fromarray(pixels)


def grainy(width, height):
    """Soft shades with grain on them, as a camera sees a wall."""
    across, down = np.meshgrid(np.linspace(60, 190, width), np.linspace(0, 40, height))
    grain = np.random.default_rng(3).normal(0, 6, (height, width, 3))
    return Image.fromarray(((across + down)[..., None] + grain).clip(0, 255).astype(np.uint8))


def png(picture):
    written = io.BytesIO()
    picture.save(written, "PNG")
    return written.getvalue()


def opened(content):
    return Image.open(io.BytesIO(content))


def difference(one, other):
    return np.abs(np.asarray(one).astype(int) - np.asarray(other).astype(int))


def test_tiles_cover_a_picture_once(monkeypatch):
    monkeypatch.setattr(tiles, "TILE_SIDE", 16)
    covered = np.zeros((37, 50), int)
    for tile in tiles.tiles_of(50, 37, 5):
        covered[tile.top : tile.bottom, tile.left : tile.right] += 1
        left, top, right, bottom = tile.seen
        assert (left, top) == (max(0, tile.left - 5), max(0, tile.top - 5))
        assert (right, bottom) == (min(50, tile.right + 5), min(37, tile.bottom + 5))
    assert (covered == 1).all()


def test_no_seam_shows_between_tiles(monkeypatch):
    picture = drawn(70, 45)
    twice = enlarged_picture(picture, 2).picture
    monkeypatch.setattr(tiles, "TILE_SIDE", 24)
    counts = []
    in_tiles = enlarged_picture(picture, 4, lambda *count: counts.append(count)).picture
    assert counts == [(number, 6) for number in range(1, 7)]
    assert in_tiles.size == (280, 180)
    assert difference(in_tiles, enlarged(picture, 4, torch.device("cpu"))).max() <= 1
    assert twice.size == (140, 90) and difference(enlarged_picture(picture, 2).picture, twice).max() <= 1


def test_it_enlarges_twice_or_four_times():
    with pytest.raises(ValueError, match="3"):
        enlarged_picture(drawn(8, 8), 3)


def test_work_ends_between_tiles(monkeypatch):
    monkeypatch.setattr(tiles, "TILE_SIDE", 16)

    class Enough(Exception):
        pass

    seen = []

    def stop(done, of):
        seen.append((done, of))
        if done == 2:
            raise Enough

    with pytest.raises(Enough):
        enlarged_picture(drawn(40, 20), 4, stop)
    assert seen == [(1, 6), (2, 6)]


@pytest.mark.parametrize(
    ("wanted", "size"),
    [((60, 10), (60, 40)), ((31, 40), (60, 40)), ((200, 20), (200, 133)), ((31, 21), (32, 21))],
    ids=["by_width", "by_height", "two_passes", "barely"],
)
def test_a_picture_is_enlarged_until_it_covers_its_place(wanted, size):
    made = opened(enlarged_to(png(drawn(30, 20)), *wanted))
    assert (made.format, made.mode, made.size) == ("PNG", "RGB", size)
    plain = drawn(30, 20).resize(size, Image.Resampling.BICUBIC)
    assert difference(made, plain).mean() < 25 and difference(made, plain).max() > 20


def test_what_is_large_enough_comes_back_as_it_is():
    content = png(drawn(30, 20))
    assert enlarged_to(content, 30, 20) is content and enlarged_to(content, 8, 8) is content


def test_transparency_is_kept():
    picture = drawn(24, 24).convert("RGBA")
    picture.paste((0, 0, 0, 0), (0, 0, 12, 24))
    made = opened(enlarged_to(png(picture), 48, 48))
    assert (made.mode, made.size) == ("RGBA", (48, 48))
    alpha = np.asarray(made.getchannel("A"))
    assert alpha[:, :18].max() == 0 and alpha[:, 30:].min() == 255


@pytest.mark.parametrize("wanted", [(enlarge.MOST_SIDE + 1, 1), (8000, 8000)], ids=["side", "pixels"])
def test_a_size_beyond_what_can_be_made_is_refused_before_anything_is_drawn(wanted, monkeypatch):
    monkeypatch.setattr(enlarge, "enlarged_picture", None)
    with pytest.raises(ValueError, match="pixels"):
        enlarged_to(png(drawn(30, 30)), *wanted)


@pytest.fixture(scope="module")
def demo():
    return [Image.open(path).convert("RGB") for path in sorted(DEMO.glob("*.webp"))]


def test_drawn_pictures_are_told_from_photographs_in_every_size(demo):
    assert len(demo) > 10
    for picture in demo:
        small = picture.resize((128, 128), Image.Resampling.LANCZOS)
        assert kind_of(picture) == kind_of(small) == "drawn"
    assert kind_of(enlarged(demo[0].resize((128, 128)), 4, torch.device("cpu"))) == "drawn"
    assert kind_of(grainy(200, 150)) == "photograph"
    assert kind_of(Image.new("RGB", (1, 1))) == "drawn"


def test_each_kind_has_a_network_that_is_told():
    assert enlarged_picture(drawn(24, 16), 2).network == enlarge.NETWORKS["drawn"]
    assert enlarged_picture(grainy(20, 16), 2).network == enlarge.NETWORKS["photograph"]


def test_the_network_for_photographs_has_the_authors_numbers():
    weights = photographs.files()[1]
    assert (
        hashlib.sha256(weights.read_bytes()).hexdigest()
        == "713ee713b0353afaa27976f0563a64a5043bd70b9bd8936c2e26e25ebcdbcddf"
    )
    made = enlarged_picture(grainy(20, 16), 4)
    assert made.picture.size == (80, 64)
    plain = grainy(20, 16).resize((80, 64), Image.Resampling.BICUBIC)
    assert 1 < difference(made.picture, plain).mean() < 12, "the same picture, with other detail"


def test_without_its_package_the_network_for_photographs_is_missed_in_words(monkeypatch):
    photographs.drop()
    monkeypatch.setattr(photographs, "PACKAGE", "no_such_package")
    with pytest.raises(EngineError) as raised:
        enlarged_picture(grainy(20, 16), 2)
    assert raised.value.code == "enlarger_missing"


def test_an_idle_worker_forgets_the_large_network():
    enlarged_picture(grainy(10, 10), 2)
    assert photographs.network.cache_info().currsize == 1
    registry.drop_kept()
    assert photographs.network.cache_info().currsize == 0
