"""An original that leaves the house says no more where it was taken, and looks the same."""

import io

import numpy as np
import pytest
import pyvips
from PIL import Image, ImageOps

from app.images.errors import TruncatedImage
from app.images.reading.decoding import read_header
from app.images.reading.formats import ImageFormat, sniff
from app.images.reading.location import REENCODED, without_location
from tests.app.images.make_pictures import (
    BRAND_RED,
    HEIC,
    brand_red_in_cmyk,
    encoded,
    exif,
    opened,
    png_chunk,
    scene,
    svg,
)

XMP = b'<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf exif:GPSLatitude="48,8.2N"/></x:xmpmeta>'
SECRETS = (b"SecretCamera", b"GPSLatitude", b"<script")


def upright(data: bytes) -> np.ndarray:
    return np.asarray(ImageOps.exif_transpose(opened(data)).convert("RGBA"))


def profile_of(data: bytes) -> bytes | None:
    profile = opened(data).info.get("icc_profile")
    assert profile is None or isinstance(profile, bytes)
    return profile


@pytest.mark.parametrize("pillow_name", ["JPEG", "PNG", "WEBP"])
@pytest.mark.parametrize("orientation", [1, 6])
def test_pixels_orientation_and_profile_stay_and_the_rest_goes(pillow_name: str, orientation: int) -> None:
    srgb = pyvips.Image.profile_load("p3")
    data = encoded(scene(), pillow_name, exif=exif(orientation), icc_profile=srgb, xmp=XMP)
    data += b"<script>alert(1)</script>"
    image_format = sniff(data)
    assert image_format is not None
    assert read_header(data, image_format, "x").has_location

    clean = without_location(data, image_format)

    assert clean.format is image_format
    assert not clean.is_reencoded
    assert clean.note is None
    assert np.array_equal(upright(clean.data), upright(data))
    assert profile_of(clean.data) == srgb
    assert not read_header(clean.data, image_format, "x").has_location
    assert not [secret for secret in SECRETS if secret in clean.data]
    assert set(opened(clean.data).getexif()) <= {0x0112}


@pytest.mark.parametrize("options", [{"progressive": True}, {"restart_marker_rows": 1}, {"comment": b"SecretCamera"}])
def test_jpegs_of_all_kinds_keep_their_pixels(options: dict[str, object]) -> None:
    data = encoded(scene(), "JPEG", **options)
    clean = without_location(data, ImageFormat.JPEG)
    assert np.array_equal(upright(clean.data), upright(data))
    assert b"SecretCamera" not in clean.data


def test_print_jpegs_keep_their_inks_and_profile() -> None:
    data = brand_red_in_cmyk().jpegsave_buffer(Q=95)
    clean = without_location(data, ImageFormat.JPEG)
    before, after = (pyvips.Image.jpegload_buffer(file) for file in (data, clean.data))
    assert after.interpretation == "cmyk"
    assert (before - after).abs().max() == 0
    assert after.get("icc-profile-data") == before.get("icc-profile-data")


def test_a_second_picture_behind_a_jpeg_goes() -> None:
    data = encoded(scene(), "JPEG") + encoded(scene(seed=2), "JPEG", exif=exif())
    assert b"SecretCamera" in data
    assert b"SecretCamera" not in without_location(data, ImageFormat.JPEG).data


def test_texts_of_a_png_go_and_transparency_stays() -> None:
    image = scene().convert("RGBA")
    image.putalpha(100)
    data = encoded(image, "PNG")
    data = data[:33] + png_chunk(b"tEXt", b"Comment\0SecretCamera") + data[33:]
    clean = without_location(data, ImageFormat.PNG)
    assert b"SecretCamera" not in clean.data
    assert np.array_equal(upright(clean.data), upright(data))


@pytest.mark.parametrize("pillow_name", ["WEBP", "PNG"])
def test_animations_keep_all_their_frames(pillow_name: str) -> None:
    data = encoded(scene(), pillow_name, save_all=True, append_images=[scene(seed=2)], exif=exif())
    image_format = sniff(data)
    assert image_format is not None
    clean = without_location(data, image_format)
    assert getattr(opened(clean.data), "n_frames", 1) == 2
    assert b"SecretCamera" not in clean.data


def test_heic_becomes_an_upright_jpeg_without_a_place() -> None:
    clean = without_location(HEIC.read_bytes(), ImageFormat.HEIC)
    assert clean.format is ImageFormat.JPEG
    assert clean.is_reencoded
    assert str(clean.note) == REENCODED % {"format": "JPEG"}
    assert opened(clean.data).size == (96, 160)
    assert dict(opened(clean.data).getexif()) == {}


@pytest.mark.parametrize(("transparent", "expected"), [(False, ImageFormat.JPEG), (True, ImageFormat.PNG)])
def test_avif_becomes_jpeg_or_png(transparent: bool, expected: ImageFormat) -> None:
    image = scene().convert("RGBA" if transparent else "RGB")
    if transparent:
        image.putalpha(90)
    clean = without_location(encoded(image, "AVIF", exif=exif(6)), ImageFormat.AVIF)
    assert sniff(clean.data) is clean.format is expected
    assert opened(clean.data).size == (200, 320)
    assert dict(opened(clean.data).getexif()) == {}


def test_tiff_stays_a_tiff_with_its_inks() -> None:
    picture = brand_red_in_cmyk()
    block = exif()
    data = picture.tiffsave_buffer(compression="lzw")
    clean = without_location(data, ImageFormat.TIFF)
    after = pyvips.Image.tiffload_buffer(clean.data)
    assert (picture - after).abs().max() == 0
    assert after.get_typeof("icc-profile-data")

    clean = without_location(encoded(scene(), "TIFF", exif=block), ImageFormat.TIFF)
    assert b"SecretCamera" not in clean.data
    assert 0x8825 not in opened(clean.data).getexif()
    assert np.array_equal(upright(clean.data)[..., :3], np.asarray(scene()))


def test_gif_and_svg_become_png() -> None:
    gif = encoded(scene(), "GIF", comment=b"SecretCamera")
    assert without_location(gif, ImageFormat.GIF).format is ImageFormat.PNG
    drawing = without_location(svg('<rect width="100" height="100" fill="#c81e2d"/>'), ImageFormat.SVG)
    assert drawing.format is ImageFormat.PNG
    assert opened(drawing.data).convert("RGBA").getpixel((9, 9)) == (*BRAND_RED, 255)
    assert opened(drawing.data).convert("RGBA").getpixel((2000, 9)) == (0, 0, 0, 0)


@pytest.mark.parametrize("pillow_name", ["JPEG", "PNG", "WEBP", "TIFF"])
def test_half_a_file_is_refused_or_cleaned_but_never_an_internal_error(pillow_name: str) -> None:
    data = encoded(scene(), pillow_name, exif=exif())
    image_format = sniff(data)
    assert image_format is not None
    for end in range(20, len(data), max(1, len(data) // 60)):
        try:
            clean = without_location(data[:end], image_format)
        except TruncatedImage:
            continue
        assert b"SecretCamera" not in clean.data


def test_files_can_still_be_opened_by_other_programs() -> None:
    for pillow_name in ("JPEG", "PNG", "WEBP"):
        data = encoded(scene(), pillow_name, exif=exif(8))
        image_format = sniff(data)
        assert image_format is not None
        with Image.open(io.BytesIO(without_location(data, image_format).data)) as image:
            image.verify()
