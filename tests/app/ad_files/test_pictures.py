"""Pictures: exact pixels in sRGB, the mark of a model in every format, and never above a channel's limit."""

import io
import struct
from dataclasses import replace
from typing import get_args

import numpy as np
import pytest
from defusedxml import ElementTree
from PIL import Image

from app.ad_files import findings, origin
from app.ad_files.pictures import TooHeavy, best, picture_file
from app.ad_files.png_chunks import chunks, marked
from app.ad_files.values import PictureKind
from app.generations import provenance as of_pictures
from app.layouts.values import Rendered
from tests.app.ad_files.files import TOLD, colours, described, noise, opened
from tests.app.layouts.ads import content, draw, pixels
from tests.tools import layout_samples as samples

KINDS = get_args(PictureKind)
LIMITS = {"jpeg": 22_000, "webp": 11_000, "avif": 8_000}
RDF = "{http://www.w3.org/1999/02/22-rdf-syntax-ns#}"
IPTC = "{http://iptc.org/std/Iptc4xmpExt/2008-02-29/}"


@pytest.fixture(scope="module")
def drawn() -> Rendered:
    return draw("split", content(picture=samples.landscape(size=(500, 500))), canvas="display_300x250")


@pytest.mark.parametrize("kind", KINDS)
def test_a_file_has_the_exact_pixels_and_says_where_it_comes_from(drawn: Rendered, kind: PictureKind) -> None:
    file = picture_file(drawn.png, kind, TOLD)
    image = opened(file)
    assert image.size == (300, 250)
    assert image.format == {"png": "PNG", "jpeg": "JPEG", "webp": "WEBP", "avif": "AVIF"}[kind] == kind.upper()
    assert np.abs(colours(image) - pixels(drawn)).mean() < (0.01 if kind == "png" else 3)
    packet = image.info["xmp"]
    said = ElementTree.fromstring(packet).find(f".//{RDF}Description")
    assert said.get(f"{IPTC}DigitalSourceType") == of_pictures.COMPOSITE_SOURCE_TYPE == origin.COMPOSITE_SOURCE_TYPE
    told = [text.text for text in said.iter(f"{RDF}li")]
    assert told == [TOLD.title, TOLD.alt_text.replace("\x00", ""), TOLD.alt_text.replace("\x00", "")]
    assert TOLD.ai_statement in said.attrib.values()
    assert file.findings == ()


@pytest.mark.parametrize("kind", KINDS)
def test_the_same_ad_gives_the_same_bytes(drawn: Rendered, kind: PictureKind) -> None:
    one, other = (picture_file(drawn.png, kind, TOLD, max_bytes=LIMITS.get(kind)) for _ in range(2))
    assert one == other
    assert one.sha256 == other.sha256
    assert picture_file(drawn.png, kind, replace(TOLD, title="Another")).content != one.content


@pytest.mark.parametrize("kind", KINDS)
def test_an_ad_without_a_model_carries_no_mark(drawn: Rendered, kind: PictureKind) -> None:
    assert b"trainedAlgorithmicMedia" not in picture_file(drawn.png, kind, replace(TOLD, has_ai=False)).content


@pytest.mark.parametrize("kind", ["jpeg", "webp"])
def test_files_carry_the_profile_of_srgb(drawn: Rendered, kind: PictureKind) -> None:
    profile = opened(picture_file(drawn.png, kind, TOLD)).info["icc_profile"]
    assert described(profile) == "sRGB"


def test_png_and_avif_say_srgb_by_their_own_numbers(drawn: Rendered) -> None:
    png = dict(chunks(picture_file(drawn.png, "png", TOLD).content))
    assert png[b"sRGB"] == b"\x01"
    avif = picture_file(drawn.png, "avif", TOLD).content
    at = avif.index(b"colrnclx") + 8
    assert struct.unpack_from(">HH", avif, at) == (1, 13)  # BT.709 primaries, sRGB transfer (ITU-T H.273)


@pytest.mark.parametrize("kind", LIMITS)
def test_the_best_quality_within_the_limit_is_taken(drawn: Rendered, kind: PictureKind) -> None:
    limit = LIMITS[kind]
    free, held = picture_file(drawn.png, kind, TOLD), picture_file(drawn.png, kind, TOLD, max_bytes=limit)
    assert limit * 0.85 < len(held.content) <= limit < len(free.content)


def test_quality_is_searched_for_by_halving() -> None:
    tried: list[int] = []

    def encode(quality: int) -> bytes:
        tried.append(quality)
        return bytes(quality * 10)

    assert best(encode, 50, 95, 777) == (77, bytes(770))
    assert len(tried) <= 8
    assert best(encode, 50, 95, None) == (95, bytes(950))
    assert best(encode, 50, 95, 499) == 500


def test_coloured_letters_stay_sharp_until_the_limit_is_tight(drawn: Rendered) -> None:
    """Three components are sampled alike (4:4:4), or colour at half its size (4:2:0)."""
    wide, tight = (picture_file(drawn.png, "jpeg", TOLD, max_bytes=most) for most in (None, 11_000))
    assert [_sampling(file.content) for file in (wide, tight)] == [(1, 1), (2, 2)]


def _sampling(jpeg: bytes) -> tuple[int, int]:
    """Of the first component, from the frame's header."""
    at = jpeg.index(b"\xff\xc2")
    return jpeg[at + 11] >> 4, jpeg[at + 11] & 15


@pytest.mark.parametrize(
    ("kind", "code", "limit"),
    [("jpeg", "quality_reduced", 43_000), ("webp", "quality_reduced", 45_000), ("png", "colours_reduced", 60_000)],
)
def test_a_file_at_the_edge_of_what_is_acceptable_is_a_finding(kind: PictureKind, code: str, limit: int) -> None:
    file = picture_file(noise(), kind, TOLD, max_bytes=limit)
    assert [found.code for found in file.findings] == [code]
    assert len(file.content) <= limit
    assert findings.SENTENCES[code] % file.findings[0].numbers
    assert file.kind == kind


@pytest.mark.parametrize("kind", KINDS)
def test_what_is_too_heavy_at_the_least_quality_is_refused(kind: PictureKind) -> None:
    with pytest.raises(TooHeavy) as refused:
        picture_file(noise(), kind, TOLD, max_bytes=5_000)
    assert refused.value.params["most"] == 5
    assert refused.value.params["kilobytes"] > 5


def test_a_png_over_its_limit_is_first_packed_harder() -> None:
    """Stripes that the renderer's fast packing does not find."""
    image = Image.new("RGB", (400, 400), "#123456")
    loose = io.BytesIO()
    image.save(loose, "PNG", compress_level=0)
    file = picture_file(loose.getvalue(), "png", TOLD, max_bytes=20_000)
    assert file.findings == ()
    assert opened(file).getpixel((9, 9)) == (0x12, 0x34, 0x56)


def test_only_what_is_seen_is_taken_over_from_a_png() -> None:
    with_place = io.BytesIO()
    exif = Image.Exif()
    exif[0x8825] = {1: "N"}
    Image.new("RGB", (4, 4)).save(with_place, "PNG", exif=exif, dpi=(30, 30))
    kinds = [kind for kind, _ in chunks(marked(with_place.getvalue(), "<x/>", "Livery"))]
    assert kinds == [b"IHDR", b"sRGB", b"iTXt", b"iTXt", b"IDAT", b"IEND"]
    with pytest.raises(ValueError, match="PNG"):
        marked(b"GIF89a", "", "")
