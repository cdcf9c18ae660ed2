"""Whether captions do their work: there, of their own, and silent about the style that the trigger word carries."""

import re
from collections import Counter
from collections.abc import Sequence
from typing import Literal

CaptionFault = Literal["missing", "alike", "style"]
ALIKE = 3
"""So many pictures with the very same caption are called alike; two may show the same thing."""
STYLE = re.compile(
    r"\b(illustrations?|illustrated|drawings?|drawn|sketch(?:es)?|paintings?|painted|watercolou?r|vector|clip ?art"
    r"|cartoon|comic|anime|pixel art|3d|render(?:ed|ing)?|flat design|line art|minimalist(?:ic)?|isometric|low poly"
    r"|in the style of|style|photograph(?:y|ic)?|photorealistic|icons?|emojis?|stickers?"
    r"|illustrationen|gezeichnet|zeichnung(?:en)?|skizzen?|gemalt|gemälde|aquarell|vektorgrafik|minimalistisch|stil"
    r"|fotografie|fotorealistisch)\b",
    re.IGNORECASE,
)
"""Words of how something is drawn rather than of what is drawn, in English and German."""


def faults(captions: Sequence[str], trigger_word: str) -> list[CaptionFault | None]:
    """One for each caption, the gravest; None for a caption that is fine."""
    trigger = trigger_word.strip().casefold()
    plain = [" ".join(text.casefold().replace(trigger, " ").split()) if trigger else text for text in captions]
    plain = [" ".join(text.casefold().split()).strip(" ,.") for text in plain]
    same = Counter(plain)
    found: list[CaptionFault | None] = []
    for text in plain:
        if not text:
            found.append("missing")
        elif same[text] >= ALIKE:
            found.append("alike")
        else:
            found.append("style" if STYLE.search(text) else None)
    return found
