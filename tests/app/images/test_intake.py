"""Taking pictures in: every format, every refusal, colours, privacy."""

import io
import subprocess
import sys
import textwrap
import zlib
from pathlib import Path

import numpy as np
import pytest
import pyvips
from coloraide import Color
from PIL import Image, ImageCms, ImageFilter

from app.errors import AppError
from app.images import errors
from app.images.reading import intake
from app.images.reading.formats import ImageFormat
from app.images.reading.intake import inspect, prepare
from app.images.reading.notes import Note
from app.images.reading.prepared import IntakeLimits, PreparedImage
from app.images.reading.readers import read_picture
from tests.app.images.make_pictures import (
    BRAND_RED,
    HEIC,
    brand_red_in_cmyk,
    encoded,
    exif,
    flat_cmyk,
    opened,
    png_bomb,
    png_chunk,
    scene,
    svg,
)


def taken_in(data: bytes, name: str = "picture") -> PreparedImage:
    return read_picture(data, name)


def pixel(prepared: PreparedImage, x: int, y: int) -> tuple[int, int, int]:
    value = opened(prepared.working).convert("RGB").getpixel((x, y))
    assert isinstance(value, tuple)
    return value[0], value[1], value[2]


def delta_e(one: tuple[int, ...], other: tuple[int, ...]) -> float:
    first, second = (Color("srgb", [channel / 255 for channel in colour]) for colour in (one, other))
    return float(first.delta_e(second, method="2000"))


def msgids(notes: tuple[Note, ...]) -> list[str]:
    return [note.msgid for note in notes]


@pytest.mark.parametrize(
    ("pillow_name", "image_format"),
    [
        ("JPEG", ImageFormat.JPEG),
        ("PNG", ImageFormat.PNG),
        ("WEBP", ImageFormat.WEBP),
        ("AVIF", ImageFormat.AVIF),
        ("TIFF", ImageFormat.TIFF),
        ("GIF", ImageFormat.GIF),
    ],
)
def test_each_format_is_known_by_content_and_comes_out_alike(pillow_name: str, image_format: ImageFormat) -> None:
    prepared = taken_in(encoded(scene(), pillow_name), "wrong-ending.docx")
    assert prepared.format is image_format
    assert (prepared.width, prepared.height) == (320, 200)
    assert delta_e(pixel(prepared, 20, 20), BRAND_RED) < 2.5
    assert prepared.notes == ()


def test_what_is_made_from_a_picture() -> None:
    data = encoded(scene(2200, 1100), "JPEG")
    prepared = taken_in(data)
    working = opened(prepared.working)
    assert working.format == "WEBP"
    assert working.size == (prepared.working_width, prepared.working_height) == (2048, 1024)
    assert {side: opened(thumb).size for side, thumb in prepared.thumbnails.items()} == {
        256: (256, 128),
        640: (640, 320),
    }
    assert prepared.placeholder.startswith("data:image/webp;base64,")
    assert len(prepared.placeholder) < 600
    assert prepared.placeholder_colour.startswith("#")
    assert len(prepared.placeholder_colour) == 7
    assert len(prepared.dhash) == 16
    assert len(prepared.sha256) == 64
    assert prepared.notes == ()


def test_the_same_bytes_give_the_same_files() -> None:
    data = encoded(scene(), "JPEG")
    assert taken_in(data) == taken_in(data)


def test_a_path_is_read_like_bytes(tmp_path: Path) -> None:
    path = tmp_path / "x"
    path.write_bytes(encoded(scene(), "PNG"))
    assert inspect(path, "logo.png").sha256 == inspect(path.read_bytes(), "logo.png").sha256


def test_small_pictures_are_not_enlarged() -> None:
    prepared = taken_in(encoded(scene(100, 80), "PNG"))
    assert (prepared.working_width, prepared.working_height) == (100, 80)
    assert opened(prepared.thumbnails[640]).size == (100, 80)


def test_the_working_copy_of_an_srgb_png_is_exact() -> None:
    image = scene()
    prepared = taken_in(encoded(image, "PNG"))
    assert np.array_equal(np.asarray(opened(prepared.working).convert("RGB")), np.asarray(image))


# Refusals


@pytest.mark.parametrize(
    "data",
    [
        b"hello, this is text",
        b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 100 100\n",
        b"%PDF-1.7\n1 0 obj\n",
        b"<!doctype html><html><body><svg xmlns='http://www.w3.org/2000/svg'/></body></html>",
        b"<html><svg></svg></html>",
        b"SIMPLE  =                    T",
        b"\0\0\0\x20ftypisom\0\0\2\0isomiso2avc1mp41",
        b"BM" + b"\0" * 100,
        b"PK\x03\x04" + b"\0" * 100,
        b"\0",
    ],
    ids=["text", "eps", "pdf", "html-doctype", "html", "fits", "mp4", "bmp", "zip", "zero"],
)
def test_other_files_are_refused_whatever_their_name(data: bytes) -> None:
    with pytest.raises(errors.UnsupportedImage) as refused:
        inspect(data, "logo.png")
    assert refused.value.status == 415
    assert str(refused.value).startswith("“logo.png” is not an image we can read.")


def test_an_empty_file_is_named_as_such() -> None:
    with pytest.raises(errors.EmptyFile):
        inspect(b"", "logo.png")


def test_too_many_bytes_are_refused_before_reading(tmp_path: Path) -> None:
    path = tmp_path / "large"
    with path.open("wb") as file:
        file.truncate(51 * 1024 * 1024)
    with pytest.raises(errors.FileTooLarge) as refused:
        inspect(path, "huge.tif")
    assert refused.value.status == 413
    assert refused.value.params == {"name": "huge.tif", "size_mb": 51, "limit_mb": 50}


def test_pixels_are_refused_from_the_header_with_little_memory() -> None:
    data = png_bomb(12_000, 12_000)
    assert len(data) < 20_000
    program = """
        import resource, sys
        from app.images import errors
        from app.images.reading.intake import inspect, prepare
        from PIL import Image
        import io
        small = io.BytesIO(); Image.new("RGB", (100, 100)).save(small, "PNG")
        prepare(inspect(small.getvalue(), "warm up"))
        before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        try:
            inspect(sys.stdin.buffer.read(), "bomb.png")
        except errors.ImageTooLarge as error:
            print(error.params["width"], resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)
    """
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(program)],
        input=data,
        capture_output=True,
        check=True,
        cwd=Path(__file__).parents[3],
    )
    width, kilobytes = done.stdout.split()
    assert int(width) == 12_000
    assert int(kilobytes) < 8_000


def test_an_interlaced_png_has_a_lower_limit_as_it_cannot_be_streamed() -> None:
    assert inspect(png_bomb(5000, 5000), "large.png").width == 5000
    with pytest.raises(errors.ImageTooLarge) as refused:
        inspect(png_bomb(5000, 5000, interlaced=True), "large.png")
    assert "the limit is 16 megapixels" in str(refused.value)


def test_a_long_strip_is_refused_by_its_side() -> None:
    with pytest.raises(errors.ImageTooLarge) as refused:
        inspect(png_bomb(16_384, 64), "strip.png")
    assert "16384 × 64" in str(refused.value)


def test_a_webp_canvas_is_refused_from_the_header() -> None:
    frames = [Image.new("RGB", (80, 80), colour) for colour in ("red", "blue")]
    data = bytearray(encoded(frames[0], "WEBP", save_all=True, append_images=frames[1:]))
    at = data.index(b"VP8X") + 12
    data[at : at + 6] = (16_382).to_bytes(3, "little") * 2
    with pytest.raises(errors.ImageTooLarge):
        inspect(bytes(data), "canvas.webp")


def test_a_small_side_is_refused() -> None:
    with pytest.raises(errors.ImageTooSmall) as refused:
        inspect(encoded(scene(200, 63), "PNG"), "icon.png")
    assert "only 200 × 63 pixels" in str(refused.value)
    assert inspect(encoded(scene(64, 64), "PNG"), "icon.png").width == 64


def test_limits_are_values_that_can_be_passed() -> None:
    with pytest.raises(errors.ImageTooLarge):
        inspect(encoded(scene(), "PNG"), "x", IntakeLimits(max_pixels=1000))


@pytest.mark.parametrize("progressive", [False, True])
@pytest.mark.parametrize("end", [b"", b"\xff\xd9"], ids=["cut", "cut, then closed"])
def test_a_truncated_jpeg_is_never_half_grey(progressive: bool, end: bytes) -> None:
    data = encoded(scene(800, 600), "JPEG", progressive=progressive)
    with pytest.raises(errors.TruncatedImage) as refused:
        taken_in(data[: len(data) // 2] + end)
    assert refused.value.status == 422


@pytest.mark.parametrize("pillow_name", ["JPEG", "PNG", "WEBP", "AVIF", "TIFF", "GIF"])
@pytest.mark.parametrize("share", [0.2, 0.5, 0.9])
def test_half_a_file_is_refused_in_every_format(pillow_name: str, share: float) -> None:
    noise = Image.fromarray(np.random.default_rng(0).integers(0, 255, (200, 300, 3), dtype=np.uint8))
    data = encoded(noise, pillow_name)
    with pytest.raises(errors.ImageRefused):
        taken_in(data[: int(len(data) * share)])


def test_half_a_heic_is_refused() -> None:
    data = HEIC.read_bytes()
    for end in (40, 400, len(data) // 2, len(data) - 50):
        with pytest.raises(errors.TruncatedImage):
            taken_in(data[:end])


def test_a_damaged_png_is_refused() -> None:
    data = bytearray(encoded(scene(), "PNG"))
    data[len(data) // 2] ^= 0xFF
    with pytest.raises(errors.TruncatedImage):
        taken_in(bytes(data))


def test_stray_bytes_between_the_parts_of_a_jpeg_are_no_damage() -> None:
    data = encoded(scene(), "JPEG")
    at = data.index(b"\xff\xdb")
    prepared = taken_in(data[:at] + b"\0\0\0" + data[at:])
    assert delta_e(pixel(prepared, 20, 20), BRAND_RED) < 2.5


def test_text_that_expands_in_a_png_is_refused() -> None:
    data = encoded(scene(), "PNG")
    bomb = png_chunk(b"zTXt", b"Comment\0\0" + zlib.compress(b"a" * 30_000_000))
    with pytest.raises(errors.UnsafeImage):
        inspect(data[:33] + bomb + data[33:], "x.png")


# Colours


@pytest.mark.parametrize("file_format", ["jpeg", "tiff"])
def test_print_colours_come_out_as_the_brand_colour(file_format: str) -> None:
    picture = brand_red_in_cmyk()
    data = picture.jpegsave_buffer(Q=95) if file_format == "jpeg" else picture.tiffsave_buffer(compression="lzw")
    prepared = taken_in(data)
    assert delta_e(pixel(prepared, 50, 50), BRAND_RED) < 2
    assert msgids(prepared.notes) == [intake.CMYK_BY_PROFILE]


@pytest.mark.parametrize("file_format", ["jpeg", "tiff"])
def test_print_colours_without_a_profile_match_an_independent_conversion(file_format: str) -> None:
    inks = (255, 0, 0, 0)
    picture = flat_cmyk(inks)
    data = picture.jpegsave_buffer(Q=95) if file_format == "jpeg" else picture.tiffsave_buffer()
    assert opened(data).info.get("icc_profile") is None
    prepared = taken_in(data)

    # The reference: Little CMS by way of Pillow, with the same press profile.
    profile = ImageCms.ImageCmsProfile(io.BytesIO(pyvips.Image.profile_load("cmyk")))
    reference = ImageCms.profileToProfile(
        Image.new("CMYK", (1, 1), inks),
        profile,
        ImageCms.createProfile("sRGB"),
        renderingIntent=ImageCms.Intent.RELATIVE_COLORIMETRIC,
        outputMode="RGB",
        flags=ImageCms.Flags.BLACKPOINTCOMPENSATION,
    )
    assert reference is not None
    expected = reference.getpixel((0, 0))
    assert isinstance(expected, tuple)
    assert delta_e(pixel(prepared, 50, 50), expected) < 2
    assert delta_e(pixel(prepared, 50, 50), (0, 255, 255)) > 15
    assert msgids(prepared.notes) == [intake.CMYK_BY_DEFAULT]


def test_a_wide_gamut_profile_is_converted_and_then_gone() -> None:
    red = (pyvips.Image.black(160, 120, bands=3) + list(BRAND_RED)).cast("uchar").copy(interpretation="srgb")
    in_p3 = red.icc_transform("p3", input_profile="srgb", intent="relative")
    stored = in_p3(5, 5)
    assert delta_e(tuple(round(v) for v in stored), BRAND_RED) > 2
    for data in (in_p3.jpegsave_buffer(Q=98), in_p3.pngsave_buffer(), in_p3.tiffsave_buffer()):
        prepared = taken_in(data)
        assert delta_e(pixel(prepared, 50, 50), BRAND_RED) < 2
        assert "icc_profile" not in opened(prepared.working).info


def test_a_broken_profile_does_not_stop_a_picture() -> None:
    prepared = taken_in(encoded(scene(), "JPEG", icc_profile=b"nonsense" * 40))
    assert delta_e(pixel(prepared, 20, 20), BRAND_RED) < 2.5


def test_sixteen_bits_are_brought_to_eight() -> None:
    values = np.zeros((100, 120, 3), np.uint16)
    values[:] = [channel * 257 for channel in BRAND_RED]
    picture = pyvips.Image.new_from_array(values, interpretation="rgb16")
    for data in (picture.pngsave_buffer(), picture.tiffsave_buffer()):
        assert pixel(taken_in(data), 50, 50) == BRAND_RED
    wide = picture.icc_transform("p3", input_profile="srgb", depth=16, intent="relative")
    assert delta_e(pixel(taken_in(wide.pngsave_buffer()), 50, 50), BRAND_RED) < 1


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "I;16"])
def test_grey_and_palette_pictures_become_colour_pictures(mode: str) -> None:
    image = Image.new("I;16", (100, 100), 30_000) if mode == "I;16" else scene().convert(mode)
    working = opened(taken_in(encoded(image, "PNG")).working)
    assert working.mode == "RGB"


def test_transparency_stands_on_white_in_the_working_copy() -> None:
    logo = Image.new("RGBA", (200, 100), (0, 0, 0, 0))
    logo.paste((*BRAND_RED, 255), (50, 25, 150, 75))
    for image in (logo, logo.quantize(8)):
        prepared = taken_in(encoded(image, "PNG"))
        assert pixel(prepared, 5, 5) == (255, 255, 255)
        assert delta_e(pixel(prepared, 100, 50), BRAND_RED) < 1
        assert msgids(prepared.notes) == [intake.TRANSPARENT_ON_WHITE]


def test_a_white_logo_does_not_vanish() -> None:
    logo = Image.new("RGBA", (200, 100), (0, 0, 0, 0))
    logo.paste((255, 255, 255, 255), (50, 25, 150, 75))
    prepared = taken_in(encoded(logo, "PNG"))
    assert pixel(prepared, 5, 5) == (64, 64, 64)
    assert pixel(prepared, 100, 50) == (255, 255, 255)
    assert msgids(prepared.notes) == [intake.TRANSPARENT_ON_DARK]


def test_an_alpha_channel_without_a_hole_is_not_mentioned() -> None:
    assert taken_in(encoded(scene().convert("RGBA"), "PNG")).notes == ()


# Orientation and privacy


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("pillow_name", ["JPEG", "PNG", "WEBP", "TIFF"])
def test_pictures_are_turned_upright_as_cameras_mean_it(pillow_name: str, orientation: int) -> None:
    from PIL import ImageOps

    block = Image.Exif()
    block[0x0112] = orientation
    options = {"lossless": True} if pillow_name == "WEBP" else {"quality": 98} if pillow_name == "JPEG" else {}
    data = encoded(scene(160, 96), pillow_name, exif=block, **options)
    prepared = taken_in(data)
    expected = ImageOps.exif_transpose(opened(data)).convert("RGB")
    assert (prepared.width, prepared.height) == expected.size
    difference = np.asarray(expected, np.int16) - np.asarray(opened(prepared.working).convert("RGB"), np.int16)
    assert np.abs(difference).max() <= 3


def test_a_turned_avif_is_turned_once() -> None:
    data = encoded(scene(160, 96), "AVIF", exif=exif(6))
    prepared = taken_in(data)
    assert (prepared.width, prepared.height) == (96, 160)
    assert (prepared.working_width, prepared.working_height) == (96, 160)
    assert delta_e(pixel(prepared, 90, 10), BRAND_RED) < 3


def test_an_iphone_picture_is_upright_and_always_the_same() -> None:
    prepared = [taken_in(HEIC.read_bytes(), "IMG_0001.HEIC") for _ in range(5)]
    assert all(p == prepared[0] for p in prepared)
    assert prepared[0].format is ImageFormat.HEIC
    assert (prepared[0].width, prepared[0].height) == (96, 160)
    assert delta_e(pixel(prepared[0], 50, 70), (0, 90, 160)) < 3
    assert msgids(prepared[0].notes) == [intake.HAD_LOCATION]


@pytest.mark.parametrize("pillow_name", ["JPEG", "PNG", "WEBP", "AVIF"])
def test_no_metadata_gets_into_derived_files(pillow_name: str) -> None:
    data = encoded(scene(), pillow_name, exif=exif())
    assert b"SecretCamera" in data
    prepared = taken_in(data)
    assert msgids(prepared.notes) == [intake.HAD_LOCATION]
    for derived in (prepared.working, *prepared.thumbnails.values()):
        assert b"SecretCamera" not in derived
        assert dict(opened(derived).getexif()) == {}
        assert not {b"EXIF", b"XMP ", b"ICCP"} & {derived[at : at + 4] for at in range(len(derived))}


def test_html_behind_the_end_of_a_jpeg_is_not_in_derived_files() -> None:
    prepared = taken_in(encoded(scene(), "JPEG") + b"<html><script>alert(1)</script></html>")
    for derived in (prepared.working, *prepared.thumbnails.values()):
        assert b"<script" not in derived


# Animations, pages


def test_of_an_animation_the_first_frame_is_used_and_said_so() -> None:
    frames = [scene(seed=1), scene(seed=2)]
    for pillow_name in ("GIF", "WEBP", "PNG"):
        prepared = taken_in(encoded(frames[0], pillow_name, save_all=True, append_images=frames[1:]))
        assert msgids(prepared.notes) == [intake.ANIMATED]
        assert (prepared.width, prepared.height) == (320, 200)


def test_of_many_pages_the_first_is_used_and_said_so() -> None:
    prepared = taken_in(encoded(scene(), "TIFF", save_all=True, append_images=[Image.new("RGB", (70, 70))]))
    assert prepared.notes == (Note(intake.MANY_PAGES, {"pages": 2}),)


# SVG


def test_a_drawing_is_rendered_large_on_white() -> None:
    prepared = taken_in(svg('<rect width="100" height="50" fill="#c81e2d"/>'), "logo.svg")
    assert prepared.format is ImageFormat.SVG
    assert (prepared.width, prepared.height) == (2048, 1024)
    assert pixel(prepared, 100, 100) == BRAND_RED
    assert pixel(prepared, 2000, 1000) == (255, 255, 255)
    assert msgids(prepared.notes) == [intake.TRANSPARENT_ON_WHITE]


@pytest.mark.parametrize(
    ("attributes", "size"),
    [
        ('width="20mm" height="40mm" viewBox="0 0 20 40"', (1024, 2048)),
        ('width="300" height="150"', (2048, 1024)),
        ('width="100%" height="100%" viewBox="0,0,50,50"', (2048, 2048)),
    ],
)
def test_a_drawing_says_its_proportion_in_several_ways(attributes: str, size: tuple[int, int]) -> None:
    inspected = inspect(svg('<rect width="9" height="9"/>', attributes), "logo")
    assert (inspected.width, inspected.height) == size
    prepared = prepare(inspected)
    assert (prepared.width, prepared.height) == size


def test_a_thin_line_of_a_drawing_is_too_small() -> None:
    with pytest.raises(errors.ImageTooSmall):
        inspect(svg("", 'viewBox="0 0 1000 1"'), "line.svg")


def test_namespaces_of_old_drawing_programs_are_understood() -> None:
    data = (
        b'<?xml version="1.0"?><!DOCTYPE svg PUBLIC "-//W3C//DTD SVG 1.1//EN" "http://www.w3.org/svg11.dtd" '
        b'[<!ENTITY ns_svg "http://www.w3.org/2000/svg">]><svg xmlns="&ns_svg;" viewBox="0 0 10 10">'
        b'<rect width="10" height="10" fill="#c81e2d"/></svg>'
    )
    assert pixel(taken_in(data), 500, 500) == BRAND_RED


def test_utf_16_drawings_are_read() -> None:
    text = svg('<rect width="200" height="100" fill="#c81e2d"/>').decode()
    assert pixel(taken_in(('<?xml version="1.0" encoding="utf-16"?>' + text).encode("utf-16")), 9, 9) == BRAND_RED


def test_a_drawing_cannot_reach_out(tmp_path: Path) -> None:
    secret = tmp_path / "secret.png"
    Image.new("RGB", (100, 100), (0, 0, 255)).save(secret)
    body = (
        "<script>alert(1)</script>"
        f'<style>@import url("{secret}"); rect {{ fill: url({secret}#x) }}</style>'
        f'<image href="{secret}" width="200" height="100"/>'
        f'<image xlink:href="file://{secret}" width="200" height="100"/>'
        f'<image href="http://127.0.0.1:9/x.png" width="200" height="100"/>'
        f'<foreignObject><body xmlns="http://www.w3.org/1999/xhtml"><img src="{secret}"/></body></foreignObject>'
        '<circle cx="100" cy="50" r="20" fill="#c81e2d" onclick="alert(1)"/>'
    )
    prepared = taken_in(svg(body))
    assert pixel(prepared, 10, 10) == (255, 255, 255)
    assert pixel(prepared, 1024, 512) == BRAND_RED


def test_an_embedded_photo_is_drawn() -> None:
    import base64

    photo = base64.b64encode(encoded(Image.new("RGB", (20, 20), BRAND_RED), "PNG")).decode()
    prepared = taken_in(svg(f'<image xlink:href="data:image/png;base64,{photo}" width="100" height="100"/>'))
    assert pixel(prepared, 200, 200) == BRAND_RED


def test_an_external_entity_is_never_read() -> None:
    data = svg("<text y='50'>&x;</text>", before='<!DOCTYPE svg [<!ENTITY x SYSTEM "file:///etc/passwd">]>')
    with pytest.raises(errors.SvgTooComplex):
        taken_in(data)


def test_a_billion_laughs_are_refused() -> None:
    entities = '<!ENTITY l0 "lol">' + "".join(f'<!ENTITY l{n} "{f"&l{n - 1};" * 10}">' for n in range(1, 10))
    with pytest.raises(errors.UnsafeImage):
        inspect(svg("<text>&l9;</text>", before=f"<!DOCTYPE svg [{entities}]>"), "laugh.svg")
    long_value = "a" * 50_000
    with pytest.raises(errors.UnsafeImage):
        inspect(svg("&a;" * 1000, before=f'<!DOCTYPE svg [<!ENTITY a "{long_value}">]>'), "quadratic.svg")


@pytest.mark.parametrize(
    "body",
    [
        "<g>" * 5000 + "</g>" * 5000,
        "".join(f'<g id="a{n}">{f"""<use href="#a{n + 1}"/>""" * 10}</g>' for n in range(9))
        + '<rect id="a9" width="1" height="1"/>',
    ],
    ids=["nested 5,000 deep", "a billion uses"],
)
def test_drawings_built_to_explode_are_refused(body: str) -> None:
    with pytest.raises(errors.SvgTooComplex):
        taken_in(svg(body))


def test_half_a_drawing_is_refused() -> None:
    data = svg('<rect width="9" height="9"/>')
    with pytest.raises(errors.TruncatedImage):
        inspect(data[:-10], "logo.svg")


def test_live_text_is_mentioned() -> None:
    prepared = taken_in(svg('<text x="10" y="50" font-size="40">Hi</text><rect width="20" height="20"/>'))
    assert intake.LIVE_TEXT in msgids(prepared.notes)


# Measures


@pytest.mark.slow
def test_sharpness_tells_sharp_from_blurred() -> None:
    noise = np.random.default_rng(3).integers(0, 255, (60, 80, 3), dtype=np.uint8)
    sharp = Image.fromarray(noise).resize((800, 600), Image.Resampling.NEAREST)
    blurred = sharp.filter(ImageFilter.GaussianBlur(15))
    assert taken_in(encoded(sharp, "PNG")).sharpness > 300
    assert taken_in(encoded(blurred, "PNG")).sharpness < 10


@pytest.mark.slow
def test_sharpness_hardly_depends_on_the_number_of_pixels() -> None:
    small, large = scene(640, 400), scene(640, 400).resize((1920, 1200), Image.Resampling.BICUBIC)
    one, other = (taken_in(encoded(image, "PNG")).sharpness for image in (small, large))
    assert one == pytest.approx(other, rel=0.5)


# Sentences


def test_every_sentence_has_its_parameters() -> None:
    params = dict.fromkeys(
        ("name", "size_mb", "limit_mb", "width", "height", "limit_mp", "limit_side", "count", "limit", "kind"), 1
    )
    kinds = [kind for kind in vars(errors).values() if isinstance(kind, type) and issubclass(kind, AppError)]
    assert len(kinds) > 10
    for kind in kinds:
        assert 400 <= kind.status < 500
        assert "%(" not in str(kind(**params))


def test_notes_can_be_translated_and_filled_in() -> None:
    assert str(Note("%(pages)s pages", {"pages": 3})) == "3 pages"
