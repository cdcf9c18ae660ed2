"""Logos: an SVG is looked at, refused where anything in it runs or points outside, and written anew; a PNG is redrawn.

What is stored is what was written here and never what was sent. Called in readers alone, whose limits are the system's.
"""

import hashlib
import io
import re
import xml.etree.ElementTree as ET
from dataclasses import dataclass, field
from xml.parsers import expat

from PIL import Image as Pixels
from PIL import ImageCms

from app.brand_kits.errors import EmptyLogo, LogoHasText, LogoTooLarge, LogoWithoutSize, NotALogo, UnsafeLogo
from app.images.errors import UnsupportedImage
from app.images.reading import svg
from app.images.reading.decoding import BROKEN
from app.images.reading.svg_drawing import local_name

PNG_START = b"\x89PNG\r\n\x1a\n"
LONGEST_SIDE = 6000
MOST_PIXELS = 24_000_000
PREVIEW_SIDE = 640
SVG_SIDE = 1000
"""An SVG has no pixels: its proportion is told at so many on its longest side."""
MOST_PROPORTION = 20
OPAQUE = 250
RUNS = frozenset(
    ("script", "foreignObject", "iframe", "audio", "video", "handler", "listener", "canvas", "embed", "object")
)
MOVES = frozenset(("set", "animate", "animateTransform", "animateMotion", "animateColor", "discard"))
DROPPED = frozenset(("metadata",))
SVG, XLINK, XML = "http://www.w3.org/2000/svg", "http://www.w3.org/1999/xlink", "http://www.w3.org/XML/1998/namespace"
OWN_REFERENCE = re.compile(r"\s*+(#|data:image/(?:png|jpe?g);base64,)", re.IGNORECASE)
LOADS = re.compile(r"@import|@font-face|expression\s*+\(|javascript:|\\|url\(\s*+['\"]?+(?!\s*+['\"]?#)", re.IGNORECASE)
"""In styles; a backslash can spell any of the others."""


@dataclass(frozen=True)
class ReadLogo:
    """A checked logo: its own bytes and a PNG of at most ``PREVIEW_SIDE`` pixels."""

    format: str
    sha256: str
    width: int
    height: int
    transparent: bool
    content: bytes = field(repr=False)
    preview: bytes = field(repr=False)


def read_logo(data: bytes, name: str) -> ReadLogo:
    """Raises ``KitFileRefused`` and its kinds, and those of ``images.reading.svg.read_facts``."""
    if data.startswith(PNG_START):
        return _read_png(data, name)
    if svg.looks_like_svg(data):
        return _read_svg(data, name)
    raise NotALogo(name=name)


def _read_png(data: bytes, name: str) -> ReadLogo:
    try:
        with Pixels.open(io.BytesIO(data), formats=("PNG",)) as opened:
            width, height = opened.size
            if max(width, height) > LONGEST_SIDE or width * height > MOST_PIXELS:
                raise LogoTooLarge(name=name, width=width, height=height, limit=LONGEST_SIDE)
            _check_proportion(width, height, name)
            opened.load()
            picture = _in_srgb(opened)
    except BROKEN as error:
        raise NotALogo(name=name) from error
    picture.info.clear()  # a profile, times and words would be written along
    content = io.BytesIO()
    picture.save(content, "PNG")
    return _finished("png", content.getvalue(), picture.size, picture, name)


def _in_srgb(opened: Pixels.Image) -> Pixels.Image:
    """With transparency, in sRGB; a profile that cannot be followed is left out."""
    profile = opened.info.get("icc_profile")
    picture = opened.convert("RGBA")
    if profile and opened.mode in ("RGB", "RGBA"):
        try:
            colours = ImageCms.profileToProfile(
                picture.convert("RGB"), io.BytesIO(profile), ImageCms.createProfile("sRGB"), outputMode="RGB"
            )
        except (ImageCms.PyCMSError, OSError, ValueError):
            return picture
        if colours is not None:
            colours.putalpha(picture.getchannel("A"))
            return colours
    return picture


def _read_svg(data: bytes, name: str) -> ReadLogo:
    _refuse_entities(data, name)
    try:
        facts = svg.read_facts(data, name)
    except UnsupportedImage as error:
        raise NotALogo(name=name) from error
    root = ET.fromstring(data)  # noqa: S314 - without entities, its depth and size counted, in a limited process
    _check_size(root, name)
    _drop_foreign(root)
    for element in root.iter():
        _check_element(element, name)
    ET.register_namespace("", SVG)
    ET.register_namespace("xlink", XLINK)
    content = ET.tostring(root, encoding="utf-8", xml_declaration=True)
    width, height = svg.drawn_size(facts, SVG_SIDE)
    _check_proportion(width, height, name)
    drawn = Pixels.open(io.BytesIO(svg.render(content, facts, PREVIEW_SIDE, name)), formats=("PNG",)).convert("RGBA")
    return _finished("svg", content, (width, height), drawn, name)


def _refuse_entities(data: bytes, name: str) -> None:
    """Entities can grow without end and fetch files; no program writes them any more."""

    def refuse(*_: object) -> None:
        raise UnsafeLogo(name=name, what="<!ENTITY")

    parser = expat.ParserCreate()
    parser.EntityDeclHandler = refuse
    try:
        parser.Parse(data, True)
    except (expat.ExpatError, LookupError, ValueError):
        return  # what is wrong with it, `svg.read_facts` says better


def _check_size(root: ET.Element, name: str) -> None:
    if "viewBox" not in root.attrib and not ("width" in root.attrib and "height" in root.attrib):
        raise LogoWithoutSize(name=name)


def _check_proportion(width: int, height: int, name: str) -> None:
    if min(width, height) < 1 or max(width, height) > MOST_PROPORTION * min(width, height):
        raise LogoWithoutSize(name=name)


def _drop_foreign(root: ET.Element) -> None:
    """What drawing programs keep for themselves: their own elements and attributes, comments and instructions."""
    for parent in list(root.iter()):
        for child in list(parent):
            is_ours = isinstance(child.tag, str) and child.tag.startswith(f"{{{SVG}}}")
            if not is_ours or local_name(child.tag) in DROPPED:
                _remove(parent, child)
        for key in list(parent.attrib):
            if key.startswith("{") and not key.startswith((f"{{{XLINK}}}", f"{{{XML}}}")):
                del parent.attrib[key]


def _remove(parent: ET.Element, child: ET.Element) -> None:
    tail, at = child.tail or "", list(parent).index(child)
    if tail.strip():
        if at:
            parent[at - 1].tail = (parent[at - 1].tail or "") + tail
        else:
            parent.text = (parent.text or "") + tail
    parent.remove(child)


def _check_element(element: ET.Element, name: str) -> None:
    tag = local_name(element.tag)
    if tag in RUNS | MOVES:
        raise UnsafeLogo(name=name, what=f"<{tag}>")
    if tag == "text" and "".join(element.itertext()).strip():
        raise LogoHasText(name=name)
    for key, value in element.attrib.items():
        attribute = local_name(key).lower()
        if attribute.startswith("on") or attribute == "base":
            raise UnsafeLogo(name=name, what=attribute[:30])
        if attribute in ("href", "src") and not OWN_REFERENCE.match(value):
            raise UnsafeLogo(name=name, what=value[:60])
        if attribute not in ("href", "src") and (found := LOADS.search(value)):
            raise UnsafeLogo(name=name, what=value[found.start() :][:60])
    if tag == "style" and (found := LOADS.search("".join(element.itertext()))):
        raise UnsafeLogo(name=name, what=found[0][:60])


def _finished(kind: str, content: bytes, size: tuple[int, int], drawn: Pixels.Image, name: str) -> ReadLogo:
    """``drawn`` has transparency and is made smaller here."""
    alpha = drawn.getchannel("A").tobytes()
    if not any(alpha):
        raise EmptyLogo(name=name)
    drawn.thumbnail((PREVIEW_SIDE, PREVIEW_SIDE), Pixels.Resampling.LANCZOS)
    preview = io.BytesIO()
    drawn.save(preview, "PNG", optimize=True)
    sha256 = hashlib.sha256(content).hexdigest()
    return ReadLogo(kind, sha256, *size, min(alpha) < OPAQUE, content, preview.getvalue())
