"""Fonts and logos that are bombs, traps or broken: refused with a sentence, and the next file is read as ever."""

import io
import struct
import zlib

import brotli
import pytest
from PIL import Image, ImageCms
from PIL.PngImagePlugin import PngInfo

from app.brand_kits import errors
from app.brand_kits.files import MOST_FONT_MB, MOST_LOGO_MB, keep_logo
from app.brand_kits.reading import containers
from app.brand_kits.reading.fonts import read_font
from app.brand_kits.reading.logos import read_logo
from app.errors import AppError
from app.images.errors import ImageRefused
from app.reading.errors import Unreadable
from app.storage import Storage
from app.web.gate import route_rules
from tests.app.brand_kits.make_fonts import font_file, table_offset, with_table
from tests.app.brand_kits.sets import SVG, kept_font, kept_logo, png_logo

OPEN = b'<svg xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink" viewBox="0 0 9 9">'
SQUARE = b'<rect width="9" height="9"/>'
NESTED = b"".join(
    b'<g id="g%d">%s</g>' % (level, b'<use href="#g%d"/>' % (level - 1) * 10 if level else SQUARE)
    for level in range(12)
)


def svg(inside: bytes, head: bytes = b"", begin: bytes = OPEN) -> bytes:
    return head + begin + inside + SQUARE + b"</svg>"


@pytest.mark.parametrize(
    "data",
    [
        svg(b"<script>alert(1)</script>"),
        svg(b'<rect width="9" height="9" onload="alert(1)"/>'),
        svg(b"<foreignObject><p xmlns='http://www.w3.org/1999/xhtml'>x</p></foreignObject>"),
        svg(b'<image href="https://example.org/a.png" width="9" height="9"/>'),
        svg(b'<image xlink:href="file:///etc/passwd" width="9" height="9"/>'),
        svg(b'<image href="data:image/svg+xml;base64,PHN2Zy8+" width="9" height="9"/>'),
        svg(b'<use href="other.svg#a"/>'),
        svg(b'<a href="javascript:alert(1)"/>'),
        svg(b"<style>@import 'https://example.org/a.css';</style>"),
        svg(b"<style>@font-face{font-family:a;src:url(https://example.org/a)}</style>"),
        svg(b"<style>rect{fill:u\\72l(https://example.org)}</style>"),
        svg(b'<rect width="9" height="9" style="fill:url(https://example.org/#a)"/>'),
        svg(b'<rect width="9" height="9" fill="url( \'//example.org/#a\')"/>'),
        svg(b'<set attributeName="href" to="x"/>'),
        svg(b"<animate attributeName='x'/>"),
        svg(b"&a;", b'<!DOCTYPE svg [<!ENTITY a "x">]>'),
        svg(b"&a;", b'<!DOCTYPE svg [<!ENTITY a SYSTEM "file:///etc/passwd">]>'),
        svg(b"", b'<!DOCTYPE svg [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;">]>'),
    ],
)
def test_a_drawing_that_runs_or_reaches_outside_is_refused(data: bytes) -> None:
    with pytest.raises(errors.UnsafeLogo) as refused:
        read_logo(data, "logo.svg")
    assert refused.value.params["what"]


@pytest.mark.parametrize(
    ("data", "kind"),
    [
        (svg(b"<text>Nordlicht</text>"), errors.LogoHasText),
        (svg(b"", begin=OPEN.replace(b"0 0 9 9", b"0 0 900 9")), errors.LogoWithoutSize),
        (svg(b"", begin=OPEN.replace(b' viewBox="0 0 9 9"', b"")), errors.LogoWithoutSize),
        (OPEN + b"</svg>", errors.EmptyLogo),
        (b"GIF89a", errors.NotALogo),
        (b"<html>svg</html>", errors.NotALogo),
        (OPEN + b"<g>" * 300, ImageRefused),
        (png_logo((6001, 400)), errors.LogoTooLarge),
        (png_logo((2100, 100)), errors.LogoWithoutSize),
        (png_logo()[:200], errors.NotALogo),
    ],
)
def test_what_is_no_logo_is_refused(data: bytes, kind: type[AppError]) -> None:
    with pytest.raises(kind):
        read_logo(data, "logo")


def test_what_is_kept_of_a_drawing_is_the_drawing() -> None:
    data = (
        b'<?xml-stylesheet href="https://example.org/a.css"?><!-- made with love -->'
        b'<svg xmlns="http://www.w3.org/2000/svg" xmlns:s="http://example.org/draw" viewBox="0 0 20 10" s:zoom="2">'
        b"<metadata><s:secret>who</s:secret></metadata><s:view/><defs><path id='a' d='M0 0h20v10H0z'/></defs>"
        b"<use href='#a' style='fill:#123456'/></svg>"
    )
    logo = read_logo(data, "logo.svg")
    assert (logo.format, logo.width, logo.height, logo.transparent) == ("svg", 1000, 500, False)
    for gone in (b"example.org", b"secret", b"love", b"metadata"):
        assert gone not in logo.content
    assert b"#123456" in logo.content
    assert read_logo(logo.content, "again.svg").content == logo.content


def test_what_is_kept_of_a_png_is_its_pixels_in_srgb() -> None:
    words, content = PngInfo(), io.BytesIO()
    words.add_text("Author", "secret")
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    Image.new("RGB", (40, 20), "#aa3300").save(content, "PNG", pnginfo=words, icc_profile=profile, dpi=(300, 300))
    logo = read_logo(content.getvalue(), "logo.png")
    kept = Image.open(io.BytesIO(logo.content))
    assert (kept.mode, kept.size, kept.getpixel((5, 5)), kept.info) == ("RGBA", (40, 20), (170, 51, 0, 255), {})
    assert logo.transparent is False


@pytest.mark.parametrize("size", [(1 << 30, 1 << 30), (100_000, 100_000)])
def test_a_png_that_promises_too_much_is_not_decoded(size: tuple[int, int]) -> None:
    header = struct.pack(">LLBBBBB", *size, 8, 6, 0, 0, 0)
    chunks = [(b"IHDR", header), (b"IDAT", zlib.compress(b"\0" * 1000)), (b"IEND", b"")]
    data = b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">L", len(body)) + name + body + struct.pack(">L", zlib.crc32(name + body)) for name, body in chunks
    )
    with pytest.raises(errors.KitFileRefused):
        read_logo(data, "logo.png")


FONT = font_file()
PACKED = font_file(flavor="woff2")


def bomb(unpacked: int, claimed: int) -> bytes:
    """A WOFF2 of one table that unpacks to so many bytes, and says another number."""
    packed = brotli.compress(bytes(unpacked), quality=1)
    length, number = b"", claimed
    while True:
        length = bytes([number & 0x7F | (0x80 if length else 0)]) + length
        number >>= 7
        if not number:
            break
    table = b"\x00" + length
    header = struct.pack(
        ">4s4sLHHLLHHLLLLL",
        b"wOF2",
        b"\0\1\0\0",
        48 + len(table) + len(packed),
        1,
        0,
        claimed,
        len(packed),
        1,
        0,
        *5 * (0,),
    )
    return header + table + packed


def map_of(groups: int) -> bytes:
    """The beginning of a map that gives a billion characters a glyph."""
    return struct.pack(">HHHHLHHLLLLLL", 0, 1, 3, 10, 12, 12, 0, 28, 0, groups, 0, 0x3FFFFFFF, 1)


@pytest.mark.parametrize(
    ("data", "kind"),
    [
        (b"", errors.NotAFont),
        (b"ttcf" + FONT[4:], errors.NotAFont),
        (b"wOFF" + FONT[4:], errors.NotAFont),
        (SVG, errors.NotAFont),
        (FONT[:6], errors.BrokenFont),
        (FONT[:400], errors.BrokenFont),
        (FONT[:4] + b"\xff\xff" + FONT[6:], errors.FontTooComplex),
        (FONT[:4] + b"\x00\x00" + FONT[6:], errors.FontTooComplex),
        (with_table(FONT, b"maxp", {4: b"\xff\xff"}), errors.BrokenFont),
        (with_table(FONT, b"hhea", {34: b"\x00\x00"}), errors.BrokenFont),
        (with_table(FONT, b"name", {2: b"\xff\xff"}), errors.FontTooComplex),
        (with_table(FONT, b"cmap", {2: b"\xff\xff"}), errors.FontTooComplex),
        (with_table(FONT, b"cmap", {0: map_of(1)}), errors.FontTooComplex),
        (with_table(FONT, b"cmap", {0: map_of(1_000_000)}), errors.BrokenFont),
        (bomb(50_000_000, 50_000_000), errors.FontTooComplex),
        (bomb(50_000_000, 1_000), errors.FontTooComplex),
        (bomb(1_000, 1_000_000), errors.BrokenFont),
        (PACKED[:60], errors.BrokenFont),
        (PACKED[:12] + b"\xff\xff" + PACKED[14:], errors.FontTooComplex),
        (PACKED[:-40] + bytes(40), errors.BrokenFont),
    ],
)
def test_a_font_that_is_a_bomb_or_broken_is_refused(data: bytes, kind: type[AppError]) -> None:
    with pytest.raises(kind):
        read_font(data, "font")


def test_overlapping_tables_are_no_font() -> None:
    whole = bytearray(FONT)
    for number in range(struct.unpack_from(">H", FONT, 4)[0]):
        struct.pack_into(">LL", whole, 12 + 16 * number + 8, 12, len(FONT) - 12)
    with pytest.raises(errors.BrokenFont):
        read_font(bytes(whole), "font.ttf")
    assert table_offset(FONT, b"head") > 0
    assert containers.MOST_UNPACKED < 2**26


def test_a_woff2_becomes_a_ttf_that_says_the_same() -> None:
    packed, plain = read_font(PACKED, "a.woff2"), read_font(FONT, "a.ttf")
    assert packed.format == plain.format == "ttf"
    assert (packed.family, packed.style, packed.glyphs) == (plain.family, plain.style, plain.glyphs)
    assert plain.content == FONT
    assert read_font(packed.content, "again.ttf").sha256 == packed.sha256 == read_font(PACKED, "b.woff2").sha256
    assert packed.preview.startswith(b"\x89PNG")


def test_what_a_woff2_brings_beside_the_font_is_never_unpacked() -> None:
    extra = brotli.compress(bytes(100_000_000), quality=1)
    size = len(PACKED) + len(extra)
    data = PACKED[:8] + struct.pack(">L", size) + PACKED[12:28]
    data += struct.pack(">LLLLL", len(PACKED), len(extra), 100_000_000, 0, 0) + PACKED[48:] + extra
    assert read_font(data, "a.woff2").sha256 == read_font(PACKED, "b.woff2").sha256


def test_names_from_a_font_are_one_short_line() -> None:
    font = read_font(font_file(family="A\n\u202eb" + "x" * 200), "a.ttf")
    assert font.family.startswith("A b")
    assert len(font.family) <= 100


def test_a_font_of_another_script_shows_its_own_characters() -> None:
    assert read_font(font_file(letters="ЖЩЮЯ"), "a.ttf").preview.startswith(b"\x89PNG")


def test_readers_may_die_and_the_next_file_is_read(storage: Storage) -> None:
    """Here the files go through processes of their own, as in the application."""
    with pytest.raises((Unreadable, ImageRefused)):
        kept_logo(storage, "a" * 32, OPEN + NESTED + b"</svg>")
    with pytest.raises(errors.FontTooComplex):
        kept_font(storage, "a" * 32, bomb(50_000_000, 1_000))
    kept = kept_logo(storage, "a" * 32, SVG, "../../etc/passwd/logo.svg")
    assert kept.filename == "logo.svg"
    assert kept.key == f"projects/{'a' * 32}/kit/{kept.sha256}/logo.svg"
    assert storage.get(kept.preview_key).startswith(b"\x89PNG")


def test_too_many_bytes_are_not_read(storage: Storage) -> None:
    class Unread(io.BytesIO):
        def read(self, size: int | None = -1) -> bytes:
            raise AssertionError

    with pytest.raises(errors.KitFileTooLarge):
        keep_logo(storage, Unread(), "a.svg", MOST_LOGO_MB * 1_000_000 + 1, project_id="a" * 32)
    assert route_rules.MOST_LOGO_BYTES == MOST_LOGO_MB * 1_000_000
    assert route_rules.MOST_FONT_BYTES == MOST_FONT_MB * 1_000_000
