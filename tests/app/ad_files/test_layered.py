"""A layered PSD opens again, and its layers compose to the ad."""

import io

import numpy as np
import pytest
from PIL import Image
from psd_tools import PSDImage
from psd_tools.constants import Resource

from app.ad_files.layered import psd_file
from app.ad_files.origin import COMPOSITE_SOURCE_TYPE
from app.layouts.values import Rendered
from tests.app.ad_files.files import TOLD, colours, described
from tests.app.layouts.ads import content, draw, pixels
from tests.tools import layout_samples as samples


@pytest.fixture(scope="module")
def drawn() -> Rendered:
    return draw("poster", content(picture=samples.landscape(size=(400, 400))), canvas="display_300x250")


@pytest.fixture(scope="module")
def document(drawn: Rendered) -> PSDImage:
    return PSDImage.open(io.BytesIO(psd_file(drawn, TOLD, dpi=150).content))


def test_layers_have_the_names_of_their_role_from_the_bottom_up(document: PSDImage) -> None:
    assert [layer.name for layer in document] == ["ground", "picture", "scrim", "shapes", "text", "logo"]
    assert {layer.kind for layer in document} == {"pixel"}


def test_layers_compose_to_the_ad(drawn: Rendered, document: PSDImage) -> None:
    composed = document.composite(force=True)
    assert np.abs(colours(composed) - pixels(drawn)).max() <= 2


def test_the_finished_picture_is_there_for_programs_that_read_no_layers(drawn: Rendered) -> None:
    shown = Image.open(io.BytesIO(psd_file(drawn, TOLD).content))
    assert shown.size == (300, 250)
    assert (colours(shown) == pixels(drawn)).all()


def test_it_says_how_large_it_is_printed_and_where_it_comes_from(drawn: Rendered) -> None:
    content_of_file = psd_file(drawn, TOLD, dpi=150).content
    assert COMPOSITE_SOURCE_TYPE.encode() in content_of_file
    assert described(Image.open(io.BytesIO(content_of_file)).info["icc_profile"]) == "sRGB"
    resolution = PSDImage.open(io.BytesIO(content_of_file)).image_resources.get_data(Resource.RESOLUTION_INFO)
    assert resolution.horizontal == resolution.vertical == 150 << 16


def test_it_is_the_same_file_each_time(drawn: Rendered) -> None:
    assert psd_file(drawn, TOLD) == psd_file(drawn, TOLD)


def test_a_layer_can_be_taken_away(drawn: Rendered) -> None:
    """What a designer does first: without the text, what lay behind it is seen."""
    document = PSDImage.open(io.BytesIO(psd_file(drawn, TOLD).content))
    kept = document.composite(layer_filter=lambda layer: layer.name not in ("text", "logo"), force=True)
    expected = drawn.layers[0].image.copy()
    for layer in drawn.layers[1:]:
        if layer.name not in ("text", "logo"):
            expected.alpha_composite(layer.image)
    assert np.abs(colours(kept) - colours(expected)).max() <= 2
