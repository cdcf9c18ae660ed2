"""The words of a prompt, and what a reader knows of English and German: small words, endings, plurals. Pure."""

import re
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Literal

Language = Literal["en", "de"]
LANGUAGES: tuple[Language, ...] = ("en", "de")
TOKEN = re.compile(r"[^\W_]+(?:['’][^\W_]+)*")
GERMAN_ENDINGS = ("n", "nen", "ern", "en", "er", "es", "em", "e", "s")  # “Karten” are cards before they are karts
ADJECTIVE_ENDINGS = ("en", "er", "es", "em", "e")


@dataclass(frozen=True)
class Token:
    """A word of a prompt, and whether it follows the one before it with nothing but a space or a hyphen between."""

    text: str
    word: str
    start: int
    end: int
    joined: bool


@dataclass(frozen=True)
class Grammar:
    """The small words of a language, and others that need care."""

    articles: frozenset[str]
    small: frozenset[str]
    plain: frozenset[str]
    endings: tuple[str, ...]
    alone: frozenset[str]
    nouns: frozenset[str]
    words: frozenset[str]
    own: frozenset[str]
    irregular: Mapping[str, str]


def split(text: str) -> list[Token]:
    """The words of a text in order."""
    found: list[Token] = []
    for one in TOKEN.finditer(text):
        gap = text[found[-1].end : one.start()] if found else "|"
        joined = re.fullmatch(r"\s+|-", gap) is not None
        found.append(Token(one[0], one[0].casefold().replace("’", "'"), one.start(), one.end(), joined))
    return found


@cache
def grammar(language: Language) -> Grammar:
    """From ``prompt_words.toml``."""
    table = tomllib.loads(Path(__file__).with_name("prompt_words.toml").read_text("utf-8"))[language]
    articles, small, plain, alone, nouns, words, own = (
        frozenset(table.get(name, "").split())
        for name in ("articles", "small", "plain", "alone", "nouns", "words", "own")
    )
    return Grammar(
        articles, small, plain, tuple(table["endings"].split()), alone, nouns, words, own, table["irregular"]
    )


def singulars(word: str, language: Language) -> Iterator[str]:
    """Words of which this may be a form, the likeliest first; none of a word of its own, such as “Reise”, no rice."""
    if word in grammar(language).own:
        return
    irregular = grammar(language).irregular.get(word)
    if irregular:
        yield irregular
    if language == "de":
        for ending in GERMAN_ENDINGS:
            if word.endswith(ending) and len(word) - len(ending) >= 2:
                stem = word.removesuffix(ending)
                if ending not in ("er", "ern"):  # a “Fischer” is no fish
                    yield stem
                yield from _without_umlaut(stem)
        yield from _without_umlaut(word)
        return
    for ending, single in (("ies", "y"), ("ves", "f"), ("ves", "fe"), ("es", ""), ("s", ""), ("'s", "")):
        if word.endswith(ending) and not word.endswith("ss") and len(word) - len(ending) >= 2:
            yield word.removesuffix(ending) + single


def singular_of_name(name: str, language: Language) -> Iterator[str]:
    """What one of them is called where a thing's name is the plural: “cherry” for “cherries”. Nothing of a name that
    only ends like a plural, and no word of its own: a “brief” is no underwear."""
    if language == "en" and (not name.endswith("s") or name.endswith(("us", "is", "ss", "'s"))):
        return
    for single in singulars(name, language):
        if len(single) > 2 and single not in grammar(language).own:
            yield single


def _without_umlaut(word: str) -> Iterator[str]:
    """“haus” for “häus”: a plural changes the last vowel alone."""
    for place in range(len(word) - 1, -1, -1):
        if word[place] in "äöü":
            yield word[:place] + {"ä": "a", "ö": "o", "ü": "u"}[word[place]] + word[place + 1 :]
        if word[place] in "aoäöü":
            return


def stem(word: str) -> str:
    """A German adjective without its ending."""
    for ending in ADJECTIVE_ENDINGS:
        if word.endswith(ending) and len(word) - len(ending) >= 3:
            return word.removesuffix(ending)
    return word
