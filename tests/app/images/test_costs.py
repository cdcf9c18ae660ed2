"""Pictures made to take long are refused before a decoder sees them; damaged and odd ones get a sentence."""

import pytest

from app.images import errors
from app.images.reading.intake import inspect, prepare
from tests.app.images import hostile
from tests.app.images.make_pictures import encoded, scene, svg
from tests.costs import grows_with_its_length, seconds

pytestmark = pytest.mark.slow


def refused(data: bytes) -> type[errors.ImageRefused] | None:
    try:
        prepare(inspect(data, "a"))
    except errors.ImageRefused as error:
        assert str(error).startswith("“a”")
        return type(error)
    return None


@pytest.mark.parametrize(
    ("make", "sound", "bad"),
    [
        (hostile.webp_of_frames, 900, 20_000),
        (hostile.tiff, 900, 60_000),
        (hostile.gif_of_frames, 900, 100_000),
    ],
)
def test_frames_and_pages_are_counted_before_a_decoder_lists_them(make: object, sound: int, bad: int) -> None:
    assert callable(make)
    assert inspect(make(sound), "a").header is not None
    data = make(bad)
    found: list[object] = []
    assert seconds(lambda: found.append(refused(data))) < 0.5
    assert found == [errors.TooManyParts]


def test_a_tiff_has_the_channels_of_a_print_and_its_pages_lead_on() -> None:
    assert refused(hostile.tiff(1)) is None
    assert refused(hostile.tiff(1, bands=300)) is errors.UnsafeImage
    assert refused(hostile.tiff(3, in_a_circle=True)) is errors.UnsafeImage
    assert refused(hostile.tiff(1)[:50]) is errors.TruncatedImage
    assert refused(encoded(scene(), "TIFF", big_tiff=True)) is None


def test_a_png_of_countless_chunks_or_hidden_data_is_refused() -> None:
    data = hostile.png_of_chunks(2_000_000)
    found: list[object] = []
    assert seconds(lambda: found.append(refused(data))) < 1
    assert found == [errors.UnsafeImage]
    assert refused(hostile.png_of_chunks(1, b"zTXt", b"a\0\0")) in (errors.UnsafeImage, errors.TruncatedImage, None)
    assert refused(hostile.png_with_profile(200)) is errors.UnsafeImage


def test_many_scans_of_one_jpeg_cost_no_more_than_a_few() -> None:
    data = hostile.jpeg_of_scans(5_000)
    found: list[object] = []
    assert seconds(lambda: found.append(refused(data))) < 10
    assert found == [errors.TruncatedImage]


def test_a_drawing_declares_no_defaults() -> None:
    assert refused(hostile.svg_with_defaults(1, 10)) is errors.UnsafeImage
    assert refused(svg("<rect/>", before='<!DOCTYPE svg [<!ENTITY ns "http://www.w3.org/2000/svg">]>')) is None


@pytest.mark.parametrize("piece", ["<a>", "<a/>", '<a d="' + "x" * 50 + '"/>', "<!--x-->", "&amp;", "<a", 'a="b" '])
def test_drawings_cost_what_their_length_does(piece: str) -> None:
    grows_with_its_length(lambda length: refused(svg(piece * (length // len(piece)))), 300_000)


@pytest.mark.parametrize(
    "attributes",
    [
        'width="inf" height="inf"',
        'width="1e999" height="1"',
        'width="nan" height="1"',
        'viewBox="0 0 inf inf"',
        'viewBox="0 0 nan 1"',
        'width="1e300" height="1e-300"',
        'width="1e-300" height="1e300"',
    ],
)
def test_a_drawing_of_no_size_is_square_or_too_thin(attributes: str) -> None:
    assert refused(svg('<rect width="9" height="9"/>', attributes=attributes)) in (None, errors.ImageTooSmall)


@pytest.mark.parametrize("encoding", ["shift_jis", "utf-7", "nonsense", "hex", "rot13", "punycode", "idna"])
def test_a_drawing_is_in_an_encoding_of_drawings(encoding: str) -> None:
    assert refused(svg("", before=f'<?xml version="1.0" encoding="{encoding}"?>')) is errors.UnknownEncoding
    spaced = f"<?xml version='1.0'{' ' * 300}encoding='{encoding}'?>"
    assert refused(svg("", before=spaced)) is errors.UnknownEncoding
    assert refused(svg("<rect/>", before='<?xml version="1.0" encoding="ISO-8859-1"?>')) is None


def test_exif_of_five_bytes_says_nothing() -> None:
    assert refused(hostile.jpeg_with_exif(b"II*\0\x08")) is None
