"""What happens to a picture on its way in: look at it, refuse it or make the copies that Livery works with.

`inspect` reads the header and decides; no pixel is decoded. `prepare` decodes and makes the derived files. They are
made from pixels alone, so no metadata, no place and nothing hidden behind the end of the original gets into them.

Decisions
- Working copy: sRGB, upright, at most 2,048 pixels, lossless WebP, so that a training never sees a second generation
  of compression. Small pictures are not enlarged.
- Transparency: the working copy stands on white, because base models know no transparency. A drawing that would
  vanish there (a white logo) stands on dark grey. The original keeps its transparency.
- Animated GIF, WebP and PNG: the first frame. TIFF with many pages: the first page. A note says so.
- CMYK goes through the embedded profile, or libvips' own press profile if there is none, by relative colorimetric
  intent with black point compensation, as design programs do it.
"""

import base64
import hashlib
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pyvips

from app.errors import N_
from app.images.captions import uniform_border
from app.images.errors import EmptyFile, FileTooLarge, ImageTooLarge, ImageTooSmall, TruncatedImage, UnsupportedImage
from app.images.reading import svg
from app.images.reading.decoding import Header, decode, decode_tolerantly, read_header
from app.images.reading.formats import ImageFormat, sniff
from app.images.reading.names import shown_name
from app.images.reading.notes import Note
from app.images.reading.prepared import HAD_LOCATION, THUMBNAIL_SIDES, WORKING_SIDE, IntakeLimits, PreparedImage

PLACEHOLDER_SIDE = 16  # pixels
SHARPNESS_SIDE = 512  # pixels; what is blurred at full size may be sharp at the size that training sees
WHITE = (255, 255, 255)
DARK = (64, 64, 64)
LEAST_CONTRAST = 32  # of 255 levels; under this a drawing on white cannot be made out

ANIMATED = N_("This is an animation. Livery uses its first frame.")
MANY_PAGES = N_("This file has %(pages)s pages. Livery uses the first one.")
CMYK_BY_PROFILE = N_("Print colours (CMYK) were converted to screen colours with the profile in the file.")
CMYK_BY_DEFAULT = N_(
    "Print colours (CMYK) were converted to screen colours with a standard press profile, because the file has "
    "no profile of its own. Please check the brand colours; an RGB export is safer."
)
TRANSPARENT_ON_WHITE = N_("Transparent areas are shown and trained on white.")
TRANSPARENT_ON_DARK = N_(
    "This picture is nearly white on a transparent background, so it is shown and trained on dark grey."
)
LIVE_TEXT = N_(
    "This SVG contains text. If letters look different, please convert the text to outlines and upload the file again."
)


@dataclass(frozen=True)
class InspectedImage:
    """A picture that may come in; not decoded yet. `width` and `height` are pixels after turning it upright."""

    data: bytes = field(repr=False)
    name: str
    sha256: str
    format: ImageFormat
    width: int
    height: int
    header: Header | None  # None for SVG
    drawing: svg.SvgFacts | None  # only for SVG
    limits: IntakeLimits


def inspect(data: bytes | Path, filename: str, limits: IntakeLimits | None = None) -> InspectedImage:
    """Decide by content, from the header alone, whether a picture may come in. `filename` is only shown.

    Raises: EmptyFile, FileTooLarge, UnsupportedImage, TruncatedImage, UnsafeImage, SvgTooComplex, ImageTooLarge,
    ImageTooSmall.
    """
    limits = limits or IntakeLimits()
    name = shown_name(filename)
    size = data.stat().st_size if isinstance(data, Path) else len(data)
    if size > limits.max_bytes:
        mb = 1024 * 1024
        raise FileTooLarge(name=name, size_mb=-(-size // mb), limit_mb=limits.max_bytes // mb)
    content = data.read_bytes() if isinstance(data, Path) else data
    if not content:
        raise EmptyFile(name=name)
    image_format = sniff(content)
    if image_format is None:
        raise UnsupportedImage(name=name)

    header: Header | None = None
    drawing: svg.SvgFacts | None = None
    if image_format is ImageFormat.SVG:
        drawing = svg.read_facts(content, name)
        width, height = svg.drawn_size(drawing, WORKING_SIDE)
    else:
        header = read_header(content, image_format, name)
        width, height = header.width, header.height
        if header.orientation >= 5:
            width, height = height, width
        if header.is_interlaced:
            limits = replace(limits, max_pixels=min(limits.max_pixels, limits.max_interlaced_pixels))
    _check_size(width, height, limits, name)
    return InspectedImage(
        data=content,
        name=name,
        sha256=hashlib.sha256(content).hexdigest(),
        format=image_format,
        width=width,
        height=height,
        header=header,
        drawing=drawing,
        limits=limits,
    )


def prepare(inspected: InspectedImage) -> PreparedImage:
    """Decode a picture and make its working copy, thumbnails and measures.

    Raises: TruncatedImage (pixels are missing or damaged), SvgTooComplex; for SVG also ImageTooSmall and
    ImageTooLarge, if it comes out in another proportion than it says.
    """
    notes: list[Note] = []
    picture = _upright_srgb(inspected, notes)
    picture = _on_background(picture, notes)
    if inspected.header is None:
        width, height = picture.width, picture.height
        _check_size(width, height, inspected.limits, inspected.name)
    else:
        width, height = inspected.width, inspected.height
    grey = picture.colourspace("b-w")
    thumbnails = {
        side: _fitted(picture, side).webpsave_buffer(Q=82, smart_subsample=True, keep="none")
        for side in THUMBNAIL_SIDES
    }
    return PreparedImage(
        sha256=inspected.sha256,
        format=inspected.format,
        width=width,
        height=height,
        working=picture.webpsave_buffer(lossless=True, effort=2, keep="none"),
        working_width=picture.width,
        working_height=picture.height,
        thumbnails=thumbnails,
        placeholder=_placeholder(picture),
        placeholder_colour="#" + "".join(f"{round(picture[band].avg()):02x}" for band in range(3)),
        dhash=dhash(grey),
        sharpness=sharpness(grey),
        border=uniform_border(thumbnails[min(THUMBNAIL_SIDES)]),
        notes=tuple(notes),
    )


def dhash(grey: pyvips.Image) -> str:
    """Difference hash: 9 × 8 grey pixels, one bit for each pair of neighbours, set where it gets brighter."""
    small = _pixels(grey.thumbnail_image(9, height=8, size="force"))[:, :, 0].astype(np.int16)
    bits = (small[:, 1:] > small[:, :-1]).flatten()
    return np.packbits(bits).tobytes().hex()


def sharpness(grey: pyvips.Image) -> float:
    """Variance of the Laplacian at 512 pixels on the longest side; higher is sharper, flat is 0."""
    scaled = grey.thumbnail_image(SHARPNESS_SIDE, height=SHARPNESS_SIDE, size="both")
    p = _pixels(scaled)[:, :, 0].astype(np.float32)
    if min(p.shape) < 3:
        return 0.0
    laplacian = p[:-2, 1:-1] + p[2:, 1:-1] + p[1:-1, :-2] + p[1:-1, 2:] - 4 * p[1:-1, 1:-1]
    return round(float(laplacian.var()), 2)


def _check_size(width: int, height: int, limits: IntakeLimits, name: str) -> None:
    if width * height > limits.max_pixels or max(width, height) > limits.max_side:
        raise ImageTooLarge(
            name=name,
            width=width,
            height=height,
            limit_mp=limits.max_pixels // 1_000_000,
            limit_side=limits.max_side,
        )
    if min(width, height) < limits.min_side:
        raise ImageTooSmall(name=name, width=width, height=height, limit_side=limits.min_side)


def _upright_srgb(inspected: InspectedImage, notes: list[Note]) -> pyvips.Image:
    """Pixels in memory: sRGB or sRGB with alpha, 8 bits, upright, at most `WORKING_SIDE`, no metadata."""
    if inspected.drawing is not None:
        if inspected.drawing.has_text:
            notes.append(Note(LIVE_TEXT))
        png = svg.render(inspected.data, inspected.drawing, WORKING_SIDE, inspected.name)
        drawn = _check_drawn(png, inspected)
        return _reduced(decode(png, ImageFormat.PNG, inspected.name), drawn, inspected.name)
    header = inspected.header
    assert header is not None  # inspect() sets one of the two
    notes.extend(_notes_from(header))
    source = decode(inspected.data, inspected.format, inspected.name)
    try:
        return _reduced(source, header, inspected.name)
    except TruncatedImage as refused:
        if not isinstance(refused.__cause__, pyvips.Error):
            raise
        again = decode_tolerantly(inspected.data, inspected.format, inspected.name, refused.__cause__)
        return _reduced(again, header, inspected.name)


def _check_drawn(png: bytes, inspected: InspectedImage) -> Header:
    header = read_header(png, ImageFormat.PNG, inspected.name)
    _check_size(header.width, header.height, replace(inspected.limits, min_side=1), inspected.name)
    return header


def _notes_from(header: Header) -> list[Note]:
    notes = []
    if header.is_animated:
        notes.append(Note(ANIMATED))
    elif header.pages > 1:
        notes.append(Note(MANY_PAGES, {"pages": header.pages}))
    if header.is_cmyk:
        notes.append(Note(CMYK_BY_PROFILE if header.has_profile else CMYK_BY_DEFAULT))
    if header.has_location:
        notes.append(Note(HAD_LOCATION))
    return notes


def _reduced(source: pyvips.Image, header: Header, name: str) -> pyvips.Image:
    """Colour, then size, then orientation: the first two stream, so only the small picture is held in memory.

    Raises: TruncatedImage, here and not earlier, because here the pixels are really read.
    """
    try:
        image = _to_srgb(source)
        if image.hasalpha():
            image = _fitted(image.premultiply(), WORKING_SIDE).unpremultiply().cast("uchar")
        else:
            image = _fitted(image, WORKING_SIDE)
        width, height, bands = image.width, image.height, image.bands
        pixels = image.write_to_memory()
    except pyvips.Error as error:
        raise TruncatedImage(name=name) from error
    # Built anew from bare pixels: whatever the file carried beside them ends here.
    bare = pyvips.Image.new_from_memory(pixels, width, height, bands, "uchar").copy(interpretation="srgb")
    return _turned(bare, header.orientation).copy_memory()


def _to_srgb(image: pyvips.Image) -> pyvips.Image:
    has_profile = bool(image.get_typeof("icc-profile-data"))
    if image.interpretation == "cmyk" or has_profile:
        fallback = "cmyk" if image.interpretation == "cmyk" else "srgb"
        image = image.icc_transform(
            "srgb", embedded=True, input_profile=fallback, intent="relative", black_point_compensation=True
        )
    image = image.colourspace("srgb").cast("uchar")  # grey to three channels, 16 bits to 8
    # Beyond the first alpha come spot colours and masks of print files, which a screen does not show.
    return image if image.bands in (3, 4) else image[0:3]


def _turned(image: pyvips.Image, orientation: int) -> pyvips.Image:
    """Undo an EXIF orientation, 1 to 8."""
    match orientation:
        case 2:
            return image.fliphor()
        case 3:
            return image.rot180()
        case 4:
            return image.flipver()
        case 5:
            return image.rot90().fliphor()
        case 6:
            return image.rot90()
        case 7:
            return image.rot90().flipver()
        case 8:
            return image.rot270()
    return image


def _on_background(image: pyvips.Image, notes: list[Note]) -> pyvips.Image:
    """The picture without transparency; white behind it, or dark grey where it would vanish on white."""
    if image.bands == 3:
        return image
    if image[3].min() == 255:
        return image[0:3].copy_memory()
    on_white = image.flatten(background=WHITE).cast("uchar").copy_memory()
    grey = on_white.colourspace("b-w")
    if grey.max() - grey.min() >= LEAST_CONTRAST:
        notes.append(Note(TRANSPARENT_ON_WHITE))
        return on_white
    notes.append(Note(TRANSPARENT_ON_DARK))
    return image.flatten(background=DARK).cast("uchar").copy_memory()


def _fitted(image: pyvips.Image, side: int) -> pyvips.Image:
    """At most `side` pixels on the longest side; never enlarged, never less than one pixel."""
    scale = side / max(image.width, image.height)
    if scale >= 1:
        return image
    width, height = max(1, round(image.width * scale)), max(1, round(image.height * scale))
    return image.resize(width / image.width, vscale=height / image.height, kernel="lanczos3")


def _placeholder(image: pyvips.Image) -> str:
    tiny = _fitted(image, PLACEHOLDER_SIDE).webpsave_buffer(Q=40, keep="none")
    return "data:image/webp;base64," + base64.b64encode(tiny).decode("ascii")


def _pixels(image: pyvips.Image) -> npt.NDArray[np.uint8]:
    flat = np.frombuffer(image.cast("uchar").write_to_memory(), dtype=np.uint8)
    return flat.reshape(image.height, image.width, image.bands)
