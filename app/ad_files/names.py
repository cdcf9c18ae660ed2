"""Names of finished files by a pattern that a team sets, each a path of safe letters within the pack."""

import re
import unicodedata
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

from app.errors import N_, Invalid
from app.plain_text import composed

PLACEHOLDERS = ("campaign", "channel", "locale", "audience", "layout", "number", "date", "version")
DEFAULT_PATTERN = "{campaign}_{channel}_{locale}_{audience}_{layout}"
LONGEST_PATTERN = 200
LONGEST_STEM = 100
"""Bytes of UTF-8, as file systems count. Windows opens paths of 260 letters, and the pack lies in some folder."""
LONGEST_FOLDER = 40
NO_FOLDER = "all"
"""Where a channel or a language has no letter that a folder may have."""
_PLACEHOLDER = re.compile(r"\{([^{}]*)\}")
_FREE_TEXT = re.compile(r"[A-Za-z0-9._-]*")
_SPELLED = str.maketrans(
    {"ä": "ae", "ö": "oe", "ü": "ue", "ß": "ss", "ø": "o", "æ": "ae", "ł": "l", "Ä": "Ae", "Ö": "Oe", "Ü": "Ue"}
    | {"ẞ": "SS", "Ø": "O", "Æ": "Ae", "Ł": "L"}
)
_DEVICES = re.compile(r"(con|prn|aux|nul|com\d|lpt\d)(\..*)?", re.IGNORECASE)
"""What Windows takes for a device, whatever its ending."""


class NoPattern(Invalid):
    sentence = N_("Enter a pattern for the file names, with up to %(most)s characters.")
    field = "pattern"


class UnknownPlaceholder(Invalid):
    sentence = N_("“%(name)s” is no placeholder. Use %(known)s.")
    field = "pattern"


class UnsafePattern(Invalid):
    sentence = N_(
        "Use only letters from A to Z, digits, hyphens, underscores and dots between placeholders. Folders for channel "
        "and language are made for you."
    )
    field = "pattern"


@dataclass(frozen=True)
class NamedAd:
    """What a name may say about one file. ``number`` counts the ads of a campaign from 1; ``ending`` has no dot."""

    campaign: str
    channel: str
    locale: str
    audience: str
    layout: str
    number: int
    date: date
    version: int
    ending: str


def check_pattern(pattern: str) -> None:
    """Raises ``NoPattern``, ``UnknownPlaceholder`` or ``UnsafePattern``."""
    if not 0 < len(pattern.strip()) <= LONGEST_PATTERN:
        raise NoPattern(most=LONGEST_PATTERN)
    for name in _PLACEHOLDER.findall(pattern):
        if name not in PLACEHOLDERS:
            raise UnknownPlaceholder(name=name[:40], known=", ".join(f"{{{one}}}" for one in PLACEHOLDERS))
    free = _PLACEHOLDER.sub("", pattern.strip())
    if not _FREE_TEXT.fullmatch(free) or ".." in pattern:
        raise UnsafePattern


def paths(pattern: str, ads: Sequence[NamedAd]) -> list[str]:
    """A path for each ad in their order, such as ``instagram_story/de/Sommer_instagram_story_de_Familien_poster.jpg``.

    Where several would have one name, each of them gets its number, and where that is not enough, a counter. Names
    that differ in capitals alone count as one, as they do on Windows and macOS. Raises what ``check_pattern`` raises.
    """
    check_pattern(pattern)
    stems = [_stem(pattern.strip(), ad) for ad in ads]
    whole = [_path(ad, stem) for ad, stem in zip(ads, stems, strict=True)]
    often = Counter(path.casefold() for path in whole)
    whole = [
        path if often[path.casefold()] == 1 else _path(ad, f"{stem}_{_number(ad)}")
        for ad, stem, path in zip(ads, stems, whole, strict=True)
    ]
    taken: set[str] = set()
    for at, (ad, first) in enumerate(zip(ads, list(whole), strict=True)):
        counter = 2
        while whole[at].casefold() in taken:
            whole[at] = f"{first.removesuffix('.' + ad.ending)}-{counter}.{ad.ending}"
            counter += 1
        taken.add(whole[at].casefold())
    return whole


def _path(ad: NamedAd, stem: str) -> str:
    folders = (safe(part, LONGEST_FOLDER) or NO_FOLDER for part in (ad.channel, ad.locale))
    return "/".join((*folders, f"{stem}.{ad.ending}"))


def _number(ad: NamedAd) -> str:
    return f"{ad.number:03}"


def _stem(pattern: str, ad: NamedAd) -> str:
    """Of a file's name. Separators around what is empty fall together."""
    said = {
        **{name: getattr(ad, name) for name in ("campaign", "channel", "locale", "audience", "layout")},
        "number": _number(ad),
        "date": ad.date.isoformat(),
        "version": f"v{ad.version}",
    }
    filled = _PLACEHOLDER.sub(lambda found: safe(said[found[1]], LONGEST_STEM), pattern)
    joined = re.sub(r"([._-])[._-]*", r"\1", filled).strip("._-")
    return _cut(joined, LONGEST_STEM) or f"ad_{_number(ad)}"


def safe(text: str, longest: int) -> str:
    """The text as a part of a path: letters, digits, ``_``, and ``-`` for everything else, at most ``longest`` bytes.

    Latin letters lose their marks; letters of other scripts stay, since nothing would be left without them.
    """
    letters = "".join(_letter(one) for one in composed(text).translate(_SPELLED))
    joined = _cut(re.sub(r"-+", "-", letters).strip("-_"), longest)
    return f"_{joined}" if _DEVICES.fullmatch(joined) else joined


def _letter(one: str) -> str:
    if one.isascii():
        return one if one.isalnum() or one == "_" else "-"
    plain = composed(one, "NFKD").encode("ascii", "ignore").decode()
    if plain and plain.isalnum():
        return plain
    return one if one.isalnum() or unicodedata.category(one) in ("Mn", "Mc") else "-"


def _cut(text: str, longest: int) -> str:
    return text.encode()[:longest].decode(errors="ignore").strip("._-")
