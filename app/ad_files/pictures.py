"""A rendered ad as PNG, JPEG, WebP or AVIF: its exact pixels in sRGB, within the weight that a channel takes."""

import io
from collections.abc import Callable
from functools import cache
from typing import Any

import pyvips
from PIL import Image

from app.ad_files import png_chunks
from app.ad_files.origin import xmp
from app.ad_files.values import AdFile, FileKind, PictureKind, Provenance
from app.errors import N_, Invalid
from app.layouts.values import Finding

BEST, SHARP, FAIR, LEAST = 95, 82, 75, 55
"""Qualities of a JPEG: where it begins, down to which it keeps all of its colour, and from where on it is told of."""
WEBP_QUALITIES = (92, 50)
AVIF_QUALITIES = (85, 40)
LOW_WEBP, LOW_AVIF = 70, 55
"""Below these a file is told of."""
PALETTES = (256, 192, 128, 96, 64, 48, 32)
"""Colours that a PNG may be reduced to, most first."""

Encode = Callable[[int], bytes]


class TooHeavy(Invalid):
    sentence = N_(
        "Even at the lowest quality this ad has %(kilobytes)s KB, and the channel takes %(most)s KB. Choose a calmer "
        "picture or a layout with more plain ground."
    )


def picture_file(png: bytes, kind: PictureKind, provenance: Provenance, *, max_bytes: int | None = None) -> AdFile:
    """The rendered PNG as a file of this kind, at most ``max_bytes`` long, with the mark that a model took part.

    The best quality is taken that the limit allows; one that people should look at is a finding. Raises ``TooHeavy``
    where even the least acceptable one is above it.
    """
    image = Image.open(io.BytesIO(png)).convert("RGB")
    packet = xmp(provenance)
    if kind == "png":
        return _png(png, image, packet, provenance.software, max_bytes)
    if kind == "jpeg":
        return _jpeg(image, packet.encode(), max_bytes)
    if kind == "webp":
        encode = _encoder(image, "WEBP", packet.encode(), method=4, use_sharp_yuv=True, icc_profile=srgb_profile())
        return _lossy(kind, encode, WEBP_QUALITIES, LOW_WEBP, max_bytes)
    # One thread, because several may divide the picture in other ways; sRGB is told by the file's own numbers.
    encode = _encoder(image, "AVIF", packet.encode(), subsampling="4:4:4", speed=6, max_threads=1)
    return _lossy(kind, encode, AVIF_QUALITIES, LOW_AVIF, max_bytes)


@cache
def srgb_profile() -> bytes:
    """The ICC profile of sRGB that libvips carries: 480 bytes, free to use (CC0), the same each time."""
    return bytes(pyvips.Operation.call("profile_load", "srgb"))


def _encoder(image: Image.Image, name: str, packet: bytes, **options: Any) -> Encode:
    def encode(quality: int) -> bytes:
        out = io.BytesIO()
        image.save(out, name, quality=quality, xmp=packet, **options)
        return out.getvalue()

    return encode


def _jpeg(image: Image.Image, packet: bytes, max_bytes: int | None) -> AdFile:
    """Colour is kept at full size, so that coloured letters have clean edges, as long as the limit lets it."""
    raw = pyvips.Image.new_from_memory(image.tobytes(), image.width, image.height, 3, "uchar")
    picture = raw.copy(interpretation="srgb")
    picture.set_type(pyvips.GValue.blob_type, "xmp-data", packet)

    def encoder(subsample_mode: str) -> Encode:
        # By libvips, since Pillow's buffer is too small for some noisy pictures in this form.
        return lambda quality: bytes(
            picture.jpegsave_buffer(
                Q=quality,
                subsample_mode=subsample_mode,
                optimize_coding=True,
                interlace=True,
                overshoot_deringing=True,
                profile="srgb",
                keep="xmp|icc",
            )
        )

    found = best(encoder("off"), SHARP, BEST, max_bytes)
    if not isinstance(found, tuple):
        return _lossy("jpeg", encoder("on"), (BEST, LEAST), FAIR, max_bytes)
    return AdFile(found[1], "jpeg")


def _lossy(kind: FileKind, encode: Encode, qualities: tuple[int, int], fair: int, max_bytes: int | None) -> AdFile:
    found = best(encode, qualities[1], qualities[0], max_bytes)
    if not isinstance(found, tuple):
        raise _too_heavy(found, max_bytes)
    quality, content = found
    findings = (Finding("quality_reduced", "picture", {"quality": quality}),) if quality < fair else ()
    return AdFile(content, kind, findings)


def best(encode: Encode, least: int, most: int, max_bytes: int | None) -> tuple[int, bytes] | int:
    """The highest quality whose file is within the limit, and that file; else how long the least one's file is.

    It is searched for by halving, as a file grows with its quality.
    """
    content = encode(most)
    if max_bytes is None or len(content) <= max_bytes:
        return most, content
    content = encode(least)
    if len(content) > max_bytes:
        return len(content)
    low, high = least, most
    while high - low > 1:
        middle = (low + high) // 2
        tried = encode(middle)
        if len(tried) <= max_bytes:
            low, content = middle, tried
        else:
            high = middle
    return low, content


def _png(png: bytes, image: Image.Image, packet: str, software: str, max_bytes: int | None) -> AdFile:
    """As rendered; packed harder where that is too heavy; then with fewer colours, which is a finding."""
    content = png_chunks.marked(png, packet, software)
    if max_bytes is None or len(content) <= max_bytes:
        return AdFile(content, "png")
    content = png_chunks.marked(_packed(image), packet, software)
    if len(content) <= max_bytes:
        return AdFile(content, "png")
    for colours in PALETTES:
        content = png_chunks.marked(_packed(_reduced(image, colours)), packet, software)
        if len(content) <= max_bytes:
            return AdFile(content, "png", (Finding("colours_reduced", "picture", {"colours": colours}),))
    raise _too_heavy(len(content), max_bytes)


def _packed(image: Image.Image) -> bytes:
    out = io.BytesIO()
    image.save(out, "PNG", optimize=True)
    return out.getvalue()


def _reduced(image: Image.Image, colours: int) -> Image.Image:
    """Fewer colours, with what is lost spread over the pixels beside, so that soft grounds show no steps."""
    palette = image.quantize(colours, method=Image.Quantize.MEDIANCUT, kmeans=1)
    return image.quantize(palette=palette, dither=Image.Dither.FLOYDSTEINBERG)


def _too_heavy(byte_count: int, max_bytes: int | None) -> TooHeavy:
    return TooHeavy(kilobytes=-(-byte_count // 1000), most=(max_bytes or 0) // 1000)
