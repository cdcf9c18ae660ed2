"""Which language a prompt and each of its words is in, by small words, capital letters, and what a base's table names.

English and German spell many words alike (“gift”, “rock”, “hut”), so no word decides alone. Pure.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass

from app.base_models.prompt_words import LANGUAGES, Language, Token, grammar

GERMAN_LOOK = re.compile(r".*[äöüß]|(?:be|ge|ver|zer|ent)\w{2,}(?:t|en)$|\w+iert$")
"""Umlauts and participles: “bestickt”, “kariert”."""
GERMAN_ADJECTIVE = re.compile(r"\w{3,}(?:es|em)$")
ARTICLE, SMALL, PLAIN, UMLAUT = 5, 4, 2, 3


@dataclass(frozen=True)
class Sign:
    """What is known of a word apart from small words."""

    english: bool
    """Whether it names a thing in English, one of the table's or another."""
    german: bool
    """Whether it names one of the table's in German."""
    compound: bool
    """Whether in German only its last part names one."""
    plain: frozenset[Language]
    """The languages in which it says how a thing looks."""


def has_capital(token: Token) -> bool:
    """Whether it is written as German writes a noun; a word all in capitals says nothing."""
    return token.text[0].isupper() and (len(token.text) == 1 or not token.text.isupper())


def is_small(word: str, language: Language) -> bool:
    """Whether it is an article, a preposition or the like."""
    return word in grammar(language).articles or word in grammar(language).small


def language_of(tokens: Sequence[Token], signs: Sequence[Sign]) -> Language:
    """The language of a prompt; ``signs`` has one for each token. English where nothing decides."""
    if len(tokens) == 1 and signs[0].german != signs[0].english:
        return "de" if signs[0].german else "en"
    scores = {"en": 0, "de": UMLAUT * any(set("äöüß") & set(token.word) for token in tokens)}
    has_capitals = any(map(has_capital, tokens))
    for place, (token, sign) in enumerate(zip(tokens, signs, strict=True)):
        small = [language for language in LANGUAGES if is_small(token.word, language)]
        is_noun = token.word in grammar("en").nouns  # “hat” and “die” are English nouns and small words of German
        for language in small:
            scores[language] += 1 if is_noun else ARTICLE if token.word in grammar(language).articles else SMALL
        if not token.word.isdigit() and (is_noun or not small):
            behind_noun = token.joined and has_capital(tokens[place - 1]) and not _is_small(tokens[place - 1])
            english, german = _weights(token, sign, place == 0, has_capitals, behind_noun)
            scores["en"] += english
            scores["de"] += german
            if behind_noun and has_capital(token) and not _is_adjective(tokens[place - 1], signs[place - 1]):
                scores["en"] += 2  # English puts nouns behind each other, German writes them as one word
    return "de" if scores["de"] > scores["en"] else "en"


def language_at(tokens: Sequence[Token], place: int, language: Language) -> Language:
    """The language of one word of a prompt in ``language``: that of the nearest small word before it, where only one
    language has that: “ein Boot on a navy background”."""
    while tokens[place].joined:
        place -= 1
        word = tokens[place].word
        small = [one for one in LANGUAGES if is_small(word, one)]
        if small:
            return small[0] if len(small) == 1 and word not in grammar("en").nouns else language
    return language


def may_be_german(tokens: Sequence[Token], place: int, is_name: bool) -> bool:
    """Whether a word that English knows as no thing may be German in an English prompt. ``is_name``: whether it is a
    thing's own name, not another word for it."""
    token, own = tokens[place], grammar("en")
    if token.word in own.nouns:
        return False
    if is_name and token.word not in own.words:
        return True
    if not has_capital(token):
        return False
    # “Brief icon” and “Brief on a navy background” are letters; “Brief history” is none, and “See the tiger” no lake.
    behind_noun = grammar("en").small | grammar("de").small | grammar("de").nouns
    return all(not one.joined or one.word in behind_noun for one in tokens[place + 1 : place + 2])


def _weights(token: Token, sign: Sign, first: bool, has_capitals: bool, behind_noun: bool) -> tuple[int, int]:
    """How much a word that is not small speaks for English and for German."""
    english, german = (PLAIN * (language in sign.plain) for language in LANGUAGES)
    capital = has_capital(token)
    is_english = sign.english or token.word in grammar("en").words
    if sign.german and is_english:
        # A capital at the beginning is in both languages.
        return (english, max(german, 1 if first else 2)) if capital else (max(english, 1), german)
    if sign.german:
        return 0 if capital else english, max(german, 3 if capital else 1 if sign.compound else 2)
    if is_english:
        return max(english, 1 if capital else 2), german
    if has_capitals and not capital and token.word in grammar("de").nouns:
        return english + 1 + behind_noun, german  # German would write it with one too
    if sign.plain:
        return english, german
    if GERMAN_LOOK.match(token.word) or (capital and GERMAN_ADJECTIVE.match(token.word)):
        return 0, 1
    if capital:
        return 0, int(not first and not behind_noun)
    english = int(token.word.endswith(grammar("en").endings))
    if has_capitals:  # a German noun would have one too, and nothing but a verb is likely behind one
        return (2 if behind_noun else 1 + english), 0
    return english, int(token.word.endswith(grammar("de").endings))


def _is_small(token: Token) -> bool:
    return any(is_small(token.word, language) for language in LANGUAGES)


def _is_adjective(token: Token, sign: Sign) -> bool:
    """Whether it may be a German adjective, which stands before a noun."""
    return "de" in sign.plain or GERMAN_ADJECTIVE.match(token.word) is not None
