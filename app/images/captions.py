"""Captions without a model: a plain proposal, bulk edits, the trigger word, and the `.txt` files that trainers share.

Proposals are in English, as base models were trained on English captions; words of a file name stay as they are.
"""

import re
import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath

from app.images.reading.names import shown_name
from app.images.reading.palette import colour_name, read_pixels
from app.plain_text import composed

TRIGGER_PLACEHOLDER = "[trigger]"
MAX_CAPTION = 2000  # characters; text encoders read a few hundred at most
BORDER_SHARE = 0.04  # of the shorter side
BORDER_TOLERANCE = 12  # of 255 levels, per channel; lossy compression stays within it
BORDER_UNIFORM = 0.95  # share of border pixels; an object may touch the edge a little

# What cameras, phones and programs call their files. Such a name says nothing about the picture.
CAMERA_NAME = re.compile(
    r"^(img|imag|image|dsc|dscn|dscf|dscpdc|pxl|mvimg|gopr|gh|gx|dji|p|pict|sam|cimg|hpim|kif|burst|vid|photo|foto|bild"
    r"|picture|scan|unnamed|unbenannt|untitled|ohne titel|download|file|datei|screen ?shot|bildschirmfoto|screencap"
    r"|whatsapp image|whatsapp bild|signal|telegram|fb img|received)"
    r"(?![^\W\d_])[\W\d_]*(at|um|am|pm|wa|mp|cover|night|portrait|edit|jpe?g|nef|arw|cr|dng|raf)?[\W\d_]*$"
)
HEX_NAME = re.compile(r"^(?=.*\d)[0-9a-f]{8,}$|^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$")
# Words about the file and not about the picture.
FILE_WORDS = frozenset(
    (
        *("final", "copy", "kopie", "edited", "bearbeitet", "export", "ver", "version", "scaled", "thumbnail"),
        *("rgb", "srgb", "cmyk", "web", "print", "druck", "hires", "highres", "lowres", "px", "dpi", "xl", "xxl"),
        *("jpg", "jpeg", "png", "webp", "svg", "tif", "tiff", "heic", "avif", "gif", "img", "dsc"),
    )
)


def propose_caption(filename: str, background: str | None = None) -> str:
    """A first caption such as “red rocket, on a white background”, or an empty string if nothing is known.

    `background` is a hex colour as `uniform_border` gives it, or None.
    """
    parts = [subject_from_name(filename)]
    if background is not None:
        colour = colour_name(background)
        parts.append(f"on {'an' if colour[0] in 'aeiou' else 'a'} {colour} background")
    return ", ".join(part for part in parts if part)


def subject_from_name(filename: str) -> str:
    """The words of a file name, or an empty string for names that a camera or a program gave."""
    name = composed(shown_name(filename))  # macOS sends “ö” as two characters
    stem = PurePosixPath(name).stem
    spaced = " ".join(re.sub(r"[_\s]+", " ", stem).split())
    if CAMERA_NAME.match(spaced.lower()) or HEX_NAME.match(stem.lower()):
        return ""
    spaced = re.sub(r"(?<=[^\W\d_])(?=[A-ZÄÖÜ][a-zäöüß])|(?<=[a-zäöüß])(?=[A-ZÄÖÜ])", " ", spaced)
    words = re.findall(r"[^\W\d_]+(?:['’][^\W\d_]+)?", spaced)
    kept = [word if word.isupper() else word.lower() for word in words if len(word) > 1 or not word.isascii()]
    return " ".join(word for word in kept if word.lower() not in FILE_WORDS)


def uniform_border(picture: bytes) -> str | None:
    """The colour of the border as `#rrggbb` if it is one colour all round, else None. `picture`: a derived file."""
    import numpy as np  # here, as in all of the web process: few requests compute with arrays

    pixels = read_pixels(picture)
    height, width = pixels.shape[:2]
    edge = max(1, round(min(height, width) * BORDER_SHARE))
    strips = (pixels[:edge], pixels[-edge:], pixels[edge:-edge, :edge], pixels[edge:-edge, -edge:])
    border = np.concatenate([strip.reshape(-1, 3) for strip in strips])
    middle = np.median(border, axis=0)
    is_near = np.abs(border - middle).max(axis=1) <= BORDER_TOLERANCE
    if is_near.mean() < BORDER_UNIFORM:
        return None
    return "#" + "".join(f"{round(level):02x}" for level in middle)


def find_and_replace(
    captions: Sequence[str], find: str, replace: str, *, whole_words: bool, match_case: bool
) -> list[str]:
    """The captions in the same order, with every `find` replaced. Both are plain text, no patterns.

    Where something was taken out, double spaces and commas are tidied; captions without a hit stay as they are.
    """
    if not find:
        return list(captions)
    literal = re.escape(find)
    pattern = re.compile(rf"(?<!\w){literal}(?!\w)" if whole_words else literal, 0 if match_case else re.IGNORECASE)
    return [
        _tidied(pattern.sub(lambda _: replace, caption)) if pattern.search(caption) else caption for caption in captions
    ]


def with_trigger(caption: str, trigger_word: str) -> str:
    """The caption as training reads it: `[trigger]` filled in, or the trigger word put first if it is not there."""
    trigger = trigger_word.strip()
    filled = _tidied(caption.replace(TRIGGER_PLACEHOLDER, trigger))
    if not trigger or re.search(rf"(?<!\w){re.escape(trigger)}(?!\w)", filled, re.IGNORECASE):
        return filled
    return f"{trigger}, {filled}" if filled else trigger


def _tidied(text: str) -> str:
    text = re.sub(r"\s+", " ", text)
    text = re.sub(r"\s+([,.;])", r"\1", text)
    text = re.sub(r",(\s*,)+", ",", text)
    return text.strip(" ,")


def decode_caption(data: bytes) -> str:
    """The text of a caption file on one line: UTF-8 (with or without mark), UTF-16, else Windows' Latin-1."""
    if data.startswith((b"\xff\xfe", b"\xfe\xff")):
        text = data.decode("utf-16", errors="replace")
    elif b"\0" in data[:200]:  # UTF-16 without its mark: every second byte of Western text is zero
        little = data[1:200:2].count(0) >= data[0:200:2].count(0)
        text = data.decode("utf-16-le" if little else "utf-16-be", errors="replace")
    else:
        try:
            text = data.decode("utf-8-sig")
        except UnicodeDecodeError:
            text = data.decode("cp1252", errors="replace")
    shown = "".join(" " if unicodedata.category(character) == "Cc" else character for character in text)
    return composed(" ".join(shown.split()))[:MAX_CAPTION].strip()


def pairing_key(path: str) -> str:
    """What a picture and its caption have in common: folder and name without ending, in any case or Unicode form."""
    normal = composed(path.replace("\\", "/")).casefold()
    return str(PurePosixPath(normal).with_suffix("")) if PurePosixPath(normal).name else normal


def pair_captions(picture_paths: Iterable[str], caption_files: Mapping[str, bytes]) -> dict[str, str]:
    """Caption by picture path, for those pictures that have a `.txt` of the same name in the same folder."""
    by_key = {pairing_key(path): data for path, data in caption_files.items() if path.lower().endswith(".txt")}
    pairs = {}
    for path in picture_paths:
        data = by_key.get(pairing_key(path))
        if data is not None:
            pairs[path] = decode_caption(data)
    return pairs


@dataclass(frozen=True)
class ExportedCaption:
    """Names for a picture and its caption in an export; they differ in the ending only."""

    picture_name: str
    text_name: str
    text: bytes


def export_captions(pictures: Iterable[tuple[str, str]]) -> list[ExportedCaption]:
    """For (file name, caption): names that no system trips over, no two alike, and the text as UTF-8 without mark.

    Trainers pair by stem, so `logo.png` and `logo.jpg` must not share one: the second becomes `logo-2.jpg`.
    """
    taken: set[str] = set()
    exported = []
    for filename, caption in pictures:
        path = PurePosixPath(shown_name(filename))
        plain = re.sub(r'[<>:"/\\|?*]', "-", path.stem).strip(" .-") or "picture"
        if re.fullmatch(r"(con|prn|aux|nul|com\d|lpt\d)", plain, re.IGNORECASE):
            plain = f"{plain}-file"  # reserved names on Windows
        stem, number = plain, 1
        while composed(stem).casefold() in taken:
            number += 1
            stem = f"{plain}-{number}"
        taken.add(composed(stem).casefold())
        exported.append(ExportedCaption(f"{stem}{path.suffix}", f"{stem}.txt", caption.encode("utf-8")))
    return exported
