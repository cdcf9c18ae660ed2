"""Picture and logo: cropped around the focus, at exact pixels, the logo as its own drawing."""

import io
from dataclasses import replace

import numpy as np
import pytest
import resvg_py
from PIL import Image

from app.layouts.painting import NoLogo
from app.layouts.render import NoPicture
from app.layouts.values import Canvas
from tests.app.layouts.ads import SMALL, as_png, codes, content, draw, layer, pixels, plain_picture
from tests.tools import layout_samples as samples


def gradient(width: int = 800, height: int = 200) -> bytes:
    """Red grows to the right and green downwards."""
    y, x = np.mgrid[0:height, 0:width]
    return as_png(Image.fromarray(np.dstack([x * 255 / width, y * 255 / height, x * 0 + 9]).astype(np.uint8)))


def middle_red(focus: tuple[float, float]) -> float:
    drawn = draw("split", content(picture=gradient(), focus=focus))
    box = drawn.boxes["picture"]
    return float(layer(drawn, "picture")[int(box.height / 2), int(box.x + box.width / 2), 0]) / 255


def test_the_focus_stays_in_the_middle_as_far_as_the_picture_reaches() -> None:
    assert middle_red((0.5, 0.5)) == pytest.approx(0.5, abs=0.02)
    assert middle_red((0.3, 0.5)) == pytest.approx(0.3, abs=0.02)
    assert middle_red((0.0, 0.5)) < 0.2 < 0.8 < middle_red((1.0, 0.5))


def test_the_picture_fills_its_place() -> None:
    drawn = draw("split", content(picture=gradient()))
    box = drawn.boxes["picture"]
    part = layer(drawn, "picture")[int(box.y) : int(box.y + box.height), int(box.x) : int(box.x + box.width), 3]
    assert part.shape == (box.height, box.width)
    assert (part == 255).all()


def test_a_motif_on_a_plain_ground_is_shown_whole() -> None:
    drawn = draw("split", content(picture=samples.illustration()), canvas=Canvas(500, 500))
    box = drawn.boxes["picture"]
    shown = layer(drawn, "picture")[int(box.y) : int(box.y + box.height), int(box.x) : int(box.x + box.width), :3]
    edge = np.concatenate([shown[0], shown[-1], shown[:, 0], shown[:, -1]])
    assert (edge > 250).all()
    assert (shown.min(axis=2) < 100).any()


def test_the_logos_pixels_are_those_of_its_own_drawing() -> None:
    slots = content()
    drawn = draw("split", slots)
    box = drawn.boxes["logo"]
    assert slots.logo_on_light is not None
    own = Image.open(
        io.BytesIO(bytes(resvg_py.svg_to_bytes(svg_string=slots.logo_on_light.decode(), width=int(box.width))))
    )
    ground = Image.new("RGBA", own.size, samples.COLOURS.ground)
    ground.alpha_composite(own.convert("RGBA"))
    y, x = int(box.y), int(box.x)
    shown = pixels(drawn)[y : y + own.height, x : x + own.width].astype(int)
    assert np.abs(shown - np.asarray(ground.convert("RGB"), dtype=int)).max() <= 1


def test_a_small_png_as_logo_is_told_of() -> None:
    mark = as_png(Image.new("RGBA", (30, 10), (0, 0, 0, 255)))
    drawn = draw("split", replace(content(), logo_on_light=mark, logo_on_dark=None))
    assert codes(drawn) == {"logo_enlarged"}


def test_without_a_logo_its_room_is_used() -> None:
    drawn = draw("poster", replace(content(), logo_on_light=None, logo_on_dark=None))
    assert "logo" not in drawn.boxes
    assert codes(drawn) == set()


def test_a_small_picture_says_how_much_it_is_enlarged() -> None:
    drawn = draw("poster", content(picture=plain_picture((10, 90, 40), (90, 90))))
    factor = next(one.numbers["factor"] for one in drawn.findings if one.code == "picture_enlarged")
    assert factor == pytest.approx(SMALL.height_px / 90)


def test_what_is_no_logo_is_refused() -> None:
    for file in (b"", b"GIF89a", b"\x89PNG", b"<html/>"):
        with pytest.raises(NoLogo):
            draw("poster", replace(content(), logo_on_light=file))


def test_what_is_no_picture_is_refused() -> None:
    for content_of_file in (b"", b"GIF89a", b"<svg/>"):
        with pytest.raises(NoPicture):
            draw("poster", replace(content(), picture=content_of_file))
