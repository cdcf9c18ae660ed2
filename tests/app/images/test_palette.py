"""Brand colours from pictures, and plain names."""

import pytest
from coloraide import Color
from PIL import Image, ImageDraw

from app.images.reading.palette import COLOUR_NAMES, colour_name, suggest_palette
from tests.app.images.make_pictures import encoded, scene


def poster(background: str, *blocks: tuple[str, int]) -> bytes:
    """Blocks of a colour, each as high as given, on a 200 × 200 ground."""
    image = Image.new("RGB", (200, 200), background)
    draw = ImageDraw.Draw(image)
    top = 0
    for colour, height in blocks:
        draw.rectangle((0, top, 199, top + height - 1), fill=colour)
        top += height
    return encoded(image, "WEBP", quality=82)


def test_brand_colours_come_out_exactly_and_by_weight() -> None:
    palette = suggest_palette([poster("white", ("#c81e2d", 80), ("#12244f", 40))] * 3)
    assert [colour.name for colour in palette[:2]] == ["red", "navy"]
    for colour, expected in zip(palette, ("#c81e2d", "#12244f"), strict=False):
        assert Color(colour.hex).delta_e(Color(expected), method="2000") < 2
    assert palette[0].weight == pytest.approx(0.4, abs=0.03)
    assert "white" not in [colour.name for colour in palette]


def test_plain_white_alone_is_the_palette() -> None:
    assert [colour.hex for colour in suggest_palette([poster("white")])] == ["#ffffff"]


def test_shades_of_one_colour_are_one() -> None:
    palette = suggest_palette([poster("white", ("#c81e2d", 60), ("#c2202e", 50), ("#d02434", 40))])
    assert len(palette) == 1


def test_a_small_vivid_colour_is_among_six() -> None:
    greys = [(f"#{level:02x}{level:02x}{level:02x}", 24) for level in (20, 60, 95, 130, 160, 190, 215)]
    palette = suggest_palette([poster("white", *greys, ("#ff6a00", 8))], size=5)
    assert len(palette) == 5
    assert "orange" in [colour.name for colour in palette]


def test_every_picture_counts_the_same() -> None:
    large = encoded(Image.new("RGB", (640, 640), "#1f58c7"), "WEBP", lossless=True)
    small = encoded(Image.new("RGB", (64, 64), "#d81e28"), "WEBP", lossless=True)
    assert [colour.weight for colour in suggest_palette([large, small])] == [0.5, 0.5]


def test_no_pictures_no_palette() -> None:
    assert suggest_palette([]) == []


def test_photos_give_five_or_six_different_colours() -> None:
    palette = suggest_palette([encoded(scene(256, 160, seed=n), "WEBP") for n in range(20)])
    assert 5 <= len(palette) <= 6
    assert [colour.weight for colour in palette] == sorted((c.weight for c in palette), reverse=True)


@pytest.mark.parametrize(
    ("hex_colour", "name"),
    [
        ("#ffffff", "white"),
        ("#fdfdfb", "white"),
        ("#000000", "black"),
        ("#c81e2d", "red"),
        ("#e30613", "red"),
        ("#009ce4", "sky blue"),
        ("#001f5b", "navy"),
        ("#ff6600", "orange"),
        ("#ffcc00", "yellow"),
        ("#777777", "grey"),
        ("#00843d", "green"),
        ("#e6007e", "magenta"),
        ("#f5f0e1", "cream"),
    ],
)
def test_colours_have_plain_names(hex_colour: str, name: str) -> None:
    assert colour_name(hex_colour) == name


def test_each_name_is_nearest_to_its_own_shade() -> None:
    assert {name: colour_name(shade) for name, shade in COLOUR_NAMES.items()} == {name: name for name in COLOUR_NAMES}
