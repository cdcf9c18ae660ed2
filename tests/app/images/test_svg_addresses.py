"""Addresses in drawings lead nowhere, also those that are never finished, and looking for them takes no time."""

import pytest

from app.images.reading.svg_drawing import LOADING_CSS
from tests.costs import grows_with_its_length, seconds


@pytest.mark.parametrize(
    ("given", "left"),
    [
        ("fill:url(http://a/b)", "fill:none"),
        ("fill:url( 'http://a/b", "fill:none"),
        ("fill:url(#a)", "fill:url(#a)"),
        ("fill:url( ' #a')", "fill:url( ' #a')"),
        ("fill:url('data:image/png;base64,AA==')", "fill:url('data:image/png;base64,AA==')"),
    ],
)
def test_what_leads_outside_is_taken_out(given: str, left: str) -> None:
    assert LOADING_CSS.sub("none", given) == left


@pytest.mark.parametrize("begin", ["url(" + " " * 20_000 + "#", "url(" * 20_000, "@import" * 20_000])
def test_looking_for_them_takes_time_by_the_length(begin: str) -> None:
    grows_with_its_length(lambda times: LOADING_CSS.sub("", begin * times), 1)
    assert seconds(lambda: LOADING_CSS.sub("", begin)) < 0.3
