"""The word that calls a brand's look. Rare on purpose: a word that means something already drags its meaning in."""

import re

from app.plain_text import composed
from app.projects.errors import BadTriggerWord

LONGEST = 40
SHAPE = re.compile(rf"[a-z0-9][a-z0-9_-]{{2,{LONGEST - 1}}}")
_SPELLED = str.maketrans({"ä": "ae", "ö": "oe", "ü": "ue", "ß": "ss", "æ": "ae", "ø": "oe", "å": "aa", "œ": "oe"})
_ENDING = "style"
_SHORT = 4  # letters; a shorter first word takes the next one along


def suggest(name: str) -> str:
    """A trigger word for a brand of this name: “Nordlicht Kaffee” gives ``nordlichtstyle``."""
    spelled = composed(name).casefold().translate(_SPELLED)
    plain = composed(spelled, "NFKD").encode("ascii", "ignore").decode()
    start = ""
    for word in re.findall(r"[a-z0-9]+", plain):
        start += word
        if len(start) >= _SHORT:
            break
    return (start or "brand")[: LONGEST - len(_ENDING)] + _ENDING


def checked(word: str, *, name: str) -> str:
    """``word`` as it is kept, lower case; the suggestion for ``name`` where it is empty. Raises ``BadTriggerWord``."""
    word = word.strip().lower()
    if not word:
        return suggest(name)
    if not SHAPE.fullmatch(word):
        raise BadTriggerWord(suggestion=suggest(word))
    return word
