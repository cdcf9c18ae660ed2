"""File names as text for people. A name that came with an upload is never used as a path."""

import unicodedata

INVISIBLE = ("Cc", "Cf", "Cs", "Zl", "Zp")  # Unicode categories: control, format, surrogate, line, paragraph
JOINERS = "\u200c\u200d"  # invisible, too, but emoji families, Persian and Indic spelling need them
MAX_SHOWN = 80  # characters; longer names push the words that matter out of a sentence or a tile


def shown_name(filename: str) -> str:
    """The last part of `filename` on one line, at most `MAX_SHOWN` characters, its ending kept.

    Control characters go, and so do the invisible marks that turn text round: with them “gnp.exe” can look like
    “exe.png”. Letters of any script, emoji and their joiners stay.
    """
    last = filename.replace("\\", "/").rstrip("/").rsplit("/", 1)[-1]
    clean = "".join(c if c in JOINERS or unicodedata.category(c) not in INVISIBLE else " " for c in last)
    clean = " ".join(clean.split())
    if len(clean) > MAX_SHOWN:
        clean = clean[: MAX_SHOWN - 13] + "…" + clean[-12:]
    return clean or "?"
