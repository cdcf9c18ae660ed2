"""Readable names for files that leave the house: ``nordlicht_lighthouse-in-fog_123456.png``."""

import re
from collections.abc import Iterable

from app.plain_text import composed

_SPELLED = str.maketrans({"ä": "ae", "ö": "oe", "ü": "ue", "ß": "ss", "ø": "o", "æ": "ae", "ł": "l"})
LONGEST_BRAND = 30
LONGEST_WORDS = 48


def slug(text: str, longest: int) -> str:
    """Plain small letters and digits, words joined by ``-``, never cut within a word if that can be helped."""
    plain = composed(text.lower().translate(_SPELLED), "NFKD").encode("ascii", "ignore").decode()
    joined = re.sub(r"[^a-z0-9]+", "-", plain).strip("-")
    if len(joined) <= longest:
        return joined
    cut = joined[: longest + 1].rsplit("-", 1)[0]
    return cut[:longest].strip("-")


def file_name(*, brand: str, prompt: str, seed: int, ending: str = "png") -> str:
    """Brand, the first words of the prompt, and the seed. A trigger word that repeats the brand is left out."""
    whose = slug(brand, LONGEST_BRAND) or "brand"
    words = slug(prompt, LONGEST_WORDS).removeprefix(whose + "-") or "picture"
    parts = (whose, words, str(seed))
    return "_".join(parts) + f".{ending}"


def all_different(names: Iterable[str]) -> list[str]:
    """The same names; where one comes again it gets a number before its ending."""
    taken: set[str] = set()
    different = []
    for name in names:
        stem, _, ending = name.rpartition(".")
        unique, number = name, 2
        while unique in taken:
            unique, number = f"{stem}-{number}.{ending}", number + 1
        taken.add(unique)
        different.append(unique)
    return different
