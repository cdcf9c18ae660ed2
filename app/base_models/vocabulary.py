"""What a base model knows, and how a prompt reads against it. Pure: pages, orders and engines read in the same way.

The reader has no dictionary beyond the base's own table and a list of small words, so it is careful: a word is told as
unknown only where a noun must stand, behind an article or at the beginning of a phrase.
"""

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache, lru_cache
from pathlib import Path
from typing import Any, Literal

from app.base_models.prompt_language import Sign, has_capital, is_small, language_at, language_of, may_be_german
from app.base_models.prompt_words import LANGUAGES, Language, Token, grammar, singular_of_name, singulars, split, stem

BUILTIN = Path(__file__).parents[2] / "worker/engines/image/builtin/model/words.json"
"""The built-in model's table lies beside its weights."""
Kind = Literal["name", "same", "near"]
KINDS: tuple[Kind, ...] = ("name", "same", "near")
MOST_UNKNOWN = 5
"""Words that are told as unknown of one prompt."""
LONGEST_WORD = 60
SHORTEST_PART = 4
"""Letters of the last part of a German compound."""


@dataclass(frozen=True)
class Thing:
    """Something that a base can draw."""

    key: str
    en: str
    de: str


@dataclass(frozen=True)
class Word:
    """A word of a prompt that the base has no picture of."""

    word: str
    """As the person wrote it."""
    drawn_as: Thing | None
    """What is drawn in its place; None where nothing known is near."""


@dataclass(frozen=True)
class Match:
    """A stretch of a prompt that names a thing."""

    start: int
    end: int
    kind: Kind
    thing: Thing
    name: str
    """The thing's own name, in the language of the words."""


@dataclass(frozen=True)
class Reading:
    """A prompt as a base reads it."""

    text: str
    matches: tuple[Match, ...]
    unknown: tuple[str, ...]
    """Nouns that it knows nothing near of."""

    @property
    def words(self) -> tuple[Word, ...]:
        """What to tell: other words for a known thing, then unknown ones, each once."""
        other = {
            self.text[one.start : one.end].casefold(): Word(self.text[one.start : one.end], one.thing)
            for one in reversed(self.matches)
            if one.kind == "near"
        }
        return (*reversed(other.values()), *(Word(word, None) for word in self.unknown))

    @property
    def drawn(self) -> str:
        """The prompt with every known thing by its own name, which is how the base was taught it."""
        text = self.text
        for one in reversed(self.matches):
            if one.kind != "name":
                text = _with_article(text[: one.start], one.name) + one.name + text[one.end :]
        return text


Words = tuple[str, ...]


class Vocabulary:
    """A base's things by what people call them, in each language."""

    def __init__(self, table: Mapping[str, Any]) -> None:
        self.things = {key: Thing(key, row["en"]["name"], row["de"]["name"]) for key, row in table["things"].items()}
        self.plain = {language: frozenset(table["about"][language]) for language in LANGUAGES}
        self._names: dict[Language, dict[Words, tuple[Kind, Thing]]] = {language: {} for language in LANGUAGES}
        self._inflected: dict[Words, tuple[Kind, Thing]] = {}
        """German names of several words by their stems: “rot apfel” is there for “roten Äpfeln”."""
        for language in LANGUAGES:
            names = self._names[language]
            for kind in KINDS:
                for key, row in table["things"].items():
                    own = row[language].get(kind, ())
                    for name in [own] if kind == "name" else own:
                        names.setdefault(words_of(name), (kind, self.things[key]))
        for words, (kind, thing) in self._names["de"].items():
            if len(words) > 1:
                stems = tuple(stem(word) for word in words[:-1])
                self._inflected.setdefault((*stems, words[-1]), ("same" if kind == "name" else kind, thing))
        # A thing whose name is a plural is meant by the singular too; English tells plurals from other names.
        plural = {self.things[key] for key, row in table["things"].items() if _is_plural(words_of(row["en"]["name"]))}
        self._singles: dict[Language, dict[Words, tuple[Kind, Thing]]] = {language: {} for language in LANGUAGES}
        for language in LANGUAGES:
            names = self._names[language]
            for words, (kind, thing) in names.items():
                if language == "de" and not (thing in plural and (kind == "name" or words[-1].endswith("n"))):
                    continue
                singles = [(*words[:-1], single) for single in singular_of_name(words[-1], language)]
                if not any(single in names for single in singles):  # where it is told, nothing has to be guessed
                    for single in singles:
                        self._singles[language].setdefault(single, ("same" if kind == "name" else kind, thing))
        self.longest = max(len(words) for names in self._names.values() for words in names)

    def named(self, words: Words, language: Language) -> tuple[Kind, Thing] | None:
        """What these very words name."""
        return self._names[language].get(words)

    def inflected(self, words: Words, language: Language) -> tuple[Kind, Thing] | None:
        """What they name in whatever form, as plurals or with whatever endings."""
        exact = self.named(words, language)
        if exact:
            return exact
        for last in singulars(words[-1], language):
            found = self._names[language].get((*words[:-1], last))
            if found:
                return ("same" if found[0] == "name" else found[0], found[1])
        if language == "de" and len(words) > 1:
            stems = tuple(stem(word) for word in words[:-1])
            forms = (words[-1], *singulars(words[-1], "de"))
            return next((found for last in forms if (found := self._inflected.get((*stems, last)))), None)
        return None

    def found(self, words: Words, language: Language) -> tuple[Kind, Thing] | None:
        """What they name in whatever form, as the singular of a name that is a plural, or as a kind of a thing."""
        found = self.inflected(words, language) or self.single(words, language)
        if found or language == "en" or len(words) > 1:
            return found
        return self._compound(words[0])

    def single(self, words: Words, language: Language) -> tuple[Kind, Thing] | None:
        """What they name as the singular of a name that is a plural."""
        forms = (words[-1], *singulars(words[-1], language))
        singles = self._singles[language]
        return next((found for last in forms if (found := singles.get((*words[:-1], last)))), None)

    def _compound(self, word: str) -> tuple[Kind, Thing] | None:
        """A German compound is a kind of its last part: a “Fischerboot” is a “Boot”."""
        for start in range(3, len(word) - SHORTEST_PART + 1):
            part = word[start:]
            for last in (part, *singulars(part, "de")):
                found = self._names["de"].get((last,))
                if found and len(last) >= SHORTEST_PART and last not in grammar("de").alone and found[0] != "near":
                    return "near", found[1]
        return None


@cache
def load(path: Path) -> Vocabulary | None:
    """The table in this file; None where there is none."""
    return Vocabulary(json.loads(path.read_text("utf-8"))) if path.is_file() else None


def of(source: str) -> Vocabulary | None:
    """What the base of this source knows (``BaseModelEntry.source``); None where nobody has written it down."""
    return load(BUILTIN) if source == "builtin" else None


def read(vocabulary: Vocabulary, text: str, apart: Iterable[str] = ()) -> Reading:
    """The prompt as a base with this vocabulary reads it. ``apart`` are words that are its own: trigger words."""
    return _read(vocabulary, text, tuple(apart))


@lru_cache(maxsize=4096)  # a plan of a training reads all captions anew with each number that somebody changes
def _read(vocabulary: Vocabulary, text: str, apart: Words) -> Reading:
    masked = text
    for word in filter(None, apart):
        masked = re.sub(rf"(?<!\w){re.escape(word)}(?!\w)", lambda found: "|" * len(found[0]), masked, flags=re.I)
    tokens = split(masked)
    language = language_of(tokens, _signs(vocabulary, tokens))
    matches = tuple(_matches(vocabulary, tokens, language))
    return Reading(text, matches, tuple(_unknown(vocabulary, tokens, matches, language)))


def _is_plural(words: Words) -> bool:
    return any(True for _ in singular_of_name(words[-1], "en"))


def words_of(text: str) -> Words:
    """The words of a name as they are compared."""
    return tuple(token.word for token in split(text))


# Things -----------------------------------------------------------------------------------------------------------


def _with_article(before: str, name: str) -> str:
    """The text before a name, its indefinite article in the form that goes before it."""
    found = re.search(r"(?<!\w)(an?)(\s+)$", before, re.IGNORECASE)
    if not found:
        return before
    article = found[1][0] + ("n" if name[0].casefold() in "aeiou" else "")
    return before[: found.start()] + article + found[2]


def _signs(vocabulary: Vocabulary, tokens: list[Token]) -> list[Sign]:
    """What is known of each word: by itself, or as part of a name that only one language has."""
    signs = [_sign(vocabulary, token.word) for token in tokens]
    for place in range(len(tokens)):
        for count in range(2, _reach(tokens, place, vocabulary.longest) + 1):
            words = tuple(token.word for token in tokens[place : place + count])
            english, german = (vocabulary.inflected(words, language) is not None for language in LANGUAGES)
            if english != german:
                signs[place : place + count] = [Sign(english, german, False, frozenset())] * count
    return signs


def _sign(vocabulary: Vocabulary, word: str) -> Sign:
    english = vocabulary.inflected((word,), "en") is not None or word in grammar("en").nouns
    german = vocabulary.inflected((word,), "de") or vocabulary.single((word,), "de")
    if english and word.endswith("s") and not vocabulary.named((word,), "de"):
        german = None  # “boots” is no form of “Boot” that people write
    compound = not german and not english and vocabulary.found((word,), "de") is not None
    plain = frozenset(language for language in LANGUAGES if _is_plain(word, vocabulary, language))
    return Sign(english, german is not None or compound, compound, plain)


def _matches(vocabulary: Vocabulary, tokens: list[Token], language: Language) -> Iterator[Match]:
    """Stretches that name things, the longest first."""
    place = 0
    while place < len(tokens):
        found = None
        for count in range(_reach(tokens, place, vocabulary.longest), 0, -1):
            part = tokens[place : place + count]
            words = tuple(token.word for token in part)
            ends_small = is_small(words[0], language) or is_small(words[-1], language)
            if ends_small and not _is_own_name(vocabulary, words, language):
                continue
            named = _named(vocabulary, tokens, place, words, language_at(tokens, place, language))
            if named:
                kind, thing, in_language = named
                found = Match(part[0].start, part[-1].end, kind, thing, getattr(thing, in_language))
                break
        if found:
            yield found
        place += count if found else 1


def _named(
    vocabulary: Vocabulary, tokens: list[Token], place: int, words: Words, language: Language
) -> tuple[Kind, Thing, Language] | None:
    """What the words at this place name, and in which language they do."""
    is_plain = _is_plain(words[0], vocabulary, language)
    german = vocabulary.named(words, "de")
    own = vocabulary.found(words, language)
    if own and len(words) == 1 and own[0] != "name" and is_plain:
        own = None  # “a painting of a dog” asks for a dog
    if own and german and has_capital(tokens[place]) and language == "en" and not vocabulary.inflected(words, "en"):
        own = None  # a German noun comes before the singular of an English plural
    if own:
        return (*own, language)
    if is_plain:
        return None
    if language == "de":
        # Of the other language a thing's own name alone, and of words that both have none.
        other = vocabulary.named(words, "en")
        is_alike = len(words) == 1 and words[0] in grammar("en").nouns
        return (*other, "en") if other and other[0] == "name" and not is_alike else None
    if german and (german[0] == "name" if len(words) > 1 else may_be_german(tokens, place, german[0] == "name")):
        return (*german, "de")
    return None


def _is_own_name(vocabulary: Vocabulary, words: Words, language: Language) -> bool:
    """Whether they are a thing's name of several words, such as “four leaf clover”."""
    named = vocabulary.named(words, language)
    return len(words) > 1 and named is not None and named[0] == "name"


def _reach(tokens: list[Token], place: int, longest: int) -> int:
    """How many tokens from this one on are joined to each other."""
    count = 1
    while count < longest and place + count < len(tokens) and tokens[place + count].joined:
        count += 1
    return count


def _is_plain(word: str, vocabulary: Vocabulary, language: Language) -> bool:
    plain = grammar(language).plain | vocabulary.plain[language]
    return word in plain or (language == "de" and stem(word) in plain)


# Nouns that nothing is known of -----------------------------------------------------------------------------------


def _unknown(
    vocabulary: Vocabulary, tokens: list[Token], matches: tuple[Match, ...], language: Language
) -> Iterator[str]:
    told: set[str] = set()
    phrases = list(_phrases(tokens, language))
    for number, (behind_article, phrase) in enumerate(phrases):
        if any(one.start < token.end and token.start < one.end for one in matches for token in phrase):
            continue
        words = [
            token
            for token in phrase
            if not _is_plain(token.word, vocabulary, language) and token.word.replace("'", "").isalpha()
        ]
        head = _head(words, phrase, behind_article, language)
        # A list of words behind a thing says how it looks; at the beginning it says what is wanted.
        if head is None or (not behind_article and number > 0 and (matches or told)):
            continue
        if head.word not in told and len(told) < MOST_UNKNOWN and 2 < len(head.text) <= LONGEST_WORD:
            told.add(head.word)
            yield head.text


def _phrases(tokens: list[Token], language: Language) -> Iterator[tuple[bool, list[Token]]]:
    """Runs of words between small words and marks, and whether an article stands before each."""
    own = grammar(language)
    phrase: list[Token] = []
    behind_article, in_style_of = False, False
    for place, token in enumerate(tokens):
        # A hyphen inside a word does not end a phrase, a comma does.
        if place and not token.joined:
            if phrase:
                yield behind_article, phrase
            phrase, behind_article, in_style_of = [], False, False
        before = tokens[place - 1].word if place else ""
        in_style_of = in_style_of or (before in ("style", "stil") and token.word in ("of", "von", "der", "des"))
        if token.word in own.articles or token.word in own.small:
            if phrase:
                yield behind_article, phrase
            phrase, behind_article = [], token.word in own.articles and not in_style_of
        elif not in_style_of and not token.word.isdigit():  # whose style it is, the base need not know
            phrase.append(token)
    if phrase:
        yield behind_article, phrase


def _head(words: list[Token], phrase: list[Token], behind_article: bool, language: Language) -> Token | None:
    """The word of a phrase that is its noun; None where that is not sure."""
    endings = grammar(language).endings
    if language == "de":
        nouns = [token for token in words if token.text[0].isupper() and not token.text.isupper()]
        if nouns and (behind_article or len(phrase) <= 3):
            return nouns[-1]
        words = [token for token in words if not stem(token.word).endswith(endings)]
    else:
        words = [token for token in words if not token.word.endswith(endings)]
    # The noun comes last, so a phrase that ends in a style or a colour has none.
    if not words or words[-1] is not phrase[-1] or len(words) > (3 if behind_article else 2):
        return None
    return words[-1]
