"""What an adapter's files are called on somebody's disk: readable, and safe on every system. Pure."""

import re

from app.plain_text import composed

LONGEST = 60
_GERMAN = str.maketrans({"ä": "ae", "ö": "oe", "ü": "ue", "ß": "ss"})


def slug(text: str) -> str:
    """``text`` in lower-case ASCII words joined by ``-``; ``brand`` where nothing is left of it."""
    lowered = composed(text).lower().translate(_GERMAN)
    plain = composed(lowered, "NFKD").encode("ascii", "ignore").decode()
    return re.sub(r"[^a-z0-9]+", "-", plain).strip("-")[:LONGEST].strip("-") or "brand"


def file_stem(name: str, purpose: str, version: int) -> str:
    """Such as ``nordlicht-style-v3``."""
    return f"{slug(name)}-{purpose}-v{version}"
