"""Trigger words as brands have them: names that are real words, invented ones and abbreviations, often with "style".

The words of ``MEASURED`` are never trained with; figures are taken behind them.
"""

from collections.abc import Sequence

import numpy as np

MEASURED = (
    "acmestyle",
    "nordlicht",
    "nordlichtstyle",
    "fjordlicht",
    "lumora",
    "bergquell",
    "zephyrstyle",
    "hansen24",
    "kaffeehaus",
    "velostyle",
)
"""Of one to four syllables, real and invented, German and English, with and without "style"."""
BEGINNINGS = "b bl br c ch d dr f fl fr g gl gr h j k kl kr l m n p pf pl pr qu r s sch sh sl sp st t th tr v w y z"
MIDDLES = "a e i o u ä ö ü ai au ea ee ei eu ie io oo ou ui y"
ENDINGS = "- - - b ck d f ft g ht k l ld lt m mp n nd ng nk nt p r rd rg rk rn rt s sk ss st t tz x z"
"""Of syllables; "-" is none."""
LETTERS = "abcdefghijklmnopqrstuvwxyz"
SUFFIXES = ("", "", "", "style", "style", "stil", "look", "24", "design", "art")


def trigger(rng: np.random.Generator, words: Sequence[str]) -> str:
    """One trigger word in lower case; ``words`` are real ones to choose from. Never one of ``MEASURED``."""
    while True:
        draw = rng.random()
        if draw < 0.35:
            name = str(words[int(rng.integers(len(words)))])
        elif draw < 0.8:
            name = "".join(_syllable(rng) for _ in range(int(rng.integers(1, 5))))
        else:
            name = "".join(LETTERS[int(i)] for i in rng.integers(len(LETTERS), size=int(rng.integers(2, 9))))
        name += str(rng.choice(SUFFIXES))
        if name not in MEASURED and len(name) > 2:
            return name


def _syllable(rng: np.random.Generator) -> str:
    return "".join(str(rng.choice(part.split())) for part in (BEGINNINGS, MIDDLES, ENDINGS)).strip("-")
