"""Every text can be read on the pixels behind it, or a finding says that it cannot."""

from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

from app.layouts import palette
from app.layouts.designs import layouts
from app.layouts.palette import NoColour, contrast, readable_on
from app.layouts.values import THEMES, Colours, Rendered, Theme
from tests.app.layouts.ads import checkers, codes, content, draw, layer, plain_picture
from tests.tools import layout_samples as samples

KEYS = [one.key for one in layouts()]


def behind_ink(drawn: Rendered) -> float:
    """The least contrast of solid text pixels with what the layers below them make."""
    ground = drawn.layers[0].image.copy()
    for one in drawn.layers[1:]:
        if one.name not in ("text", "logo"):
            ground.alpha_composite(one.image)
    text = layer(drawn, "text")
    solid = text[..., 3] > 250
    own, other = (palette.luminance(pixels[solid][:, :3]) for pixels in (text, np.asarray(ground)))
    return float(palette.between(own, other).min())


@pytest.mark.parametrize("theme", THEMES)
@pytest.mark.parametrize("key", KEYS)
def test_text_on_the_worst_picture_is_readable_or_a_finding(key: str, theme: Theme) -> None:
    drawn = draw(key, content(picture=checkers()), theme=theme)
    assert behind_ink(drawn) >= 4.4 or "contrast_low" in codes(drawn)
    assert "contrast_low" not in codes(drawn)


def test_a_calm_picture_gets_no_veil_and_a_loud_one_does() -> None:
    calm, loud = (draw("poster", content(picture=one)) for one in (plain_picture((250, 250, 250)), checkers()))
    assert "scrim" not in {one.name for one in calm.layers}
    assert "scrim" in {one.name for one in loud.layers}


def test_the_logo_is_taken_that_stands_out() -> None:
    on_light, on_dark = (draw("poster", content(picture=plain_picture(one))) for one in ((245, 245, 245), (12, 14, 20)))
    dark_mark, light_mark = (_mean_of_logo(one) for one in (on_light, on_dark))
    assert dark_mark < 60 < 200 < light_mark
    assert "logo_contrast" not in codes(on_light) | codes(on_dark)


def test_a_logo_that_cannot_be_seen_is_a_finding() -> None:
    slots = content(picture=plain_picture((250, 250, 250)))
    lonely = replace(slots, logo_on_light=None)
    assert "logo_contrast" in codes(draw("poster", lonely))


def _mean_of_logo(drawn: Rendered) -> float:
    mark = layer(drawn, "logo")
    return float(mark[mark[..., 3] > 250][:, :3].mean())


def test_colours_of_surfaces_are_chosen_so_that_text_can_be_read() -> None:
    for primary in ("#ffe14d", "#103070", "#808080", "#e4572e"):
        colours = Colours(primary, "#9aa0a6", "#ffffff", "#222222")
        for theme in THEMES:
            roles = palette.palette(colours, theme)
            pairs = [("primary", "on_primary"), ("accent", "on_accent")]
            pairs += [("ground", text) for text in ("text", "quiet", "accent_text", "primary_text")]
            for ground, text in pairs:
                assert contrast(roles[ground], roles[text]) >= 4.5, (primary, theme, text)


def test_contrast_is_that_of_the_standard() -> None:
    assert contrast("#000000", "#ffffff") == pytest.approx(21)
    assert contrast("#767676", "#ffffff") == pytest.approx(4.54, abs=0.01)
    assert readable_on("#777777", "#888888") in ("#ffffff", "#000000")


def test_a_colour_that_is_none_is_refused() -> None:
    with pytest.raises(NoColour):
        palette.rgb("red; }")
    assert Image.new("RGB", (1, 1), samples.COLOURS.primary).getpixel((0, 0)) == palette.rgb(samples.COLOURS.primary)
