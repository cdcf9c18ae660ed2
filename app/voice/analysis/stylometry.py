"""How texts are written, in numbers, without a model: to compare what was written with how the brand writes.

``style_distance`` follows Burrows's Delta: the mean absolute difference of standardised frequencies of common words
(J. Burrows, “Delta: a measure of stylistic difference and a guide to likely authorship”, Literary and Linguistic
Computing 17(3), 2002). What differs here: beside function words it takes sentence and word length, punctuation, emoji
and the form of address; and as there is no reference corpus, the unit of each difference is its spread within the
brand's own texts. It says how far two sets of texts are apart in manner; it does not say which is better, and sets of
less than about 300 words give unsteady numbers. ``longest_overlap`` finds the longest run of words that a text shares
with others, through a suffix automaton (Blumer et al., 1985). Standard library alone.
"""

import itertools
import math
import re
import statistics
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from app.voice.analysis.address import addresses

BLOCK_WORDS = 200
"""Spread is measured between stretches of about this many words: shorter ones hold too few of each word."""
FUNCTION_WORDS: Mapping[str, tuple[str, ...]] = {
    "de": (
        "der", "die", "das", "den", "dem", "des", "ein", "eine", "einen", "einem", "einer", "und", "oder", "aber",
        "denn", "doch", "weil", "dass", "wenn", "als", "wie", "ob", "ich", "du", "er", "sie", "es", "wir", "ihr",
        "man", "sich", "uns", "mich", "mir", "dir", "dich", "ihnen", "mein", "dein", "unser", "unsere", "unseren",
        "dieser", "diese", "dieses", "in", "im", "an", "am", "auf", "aus", "bei", "bis", "durch", "für", "gegen",
        "mit", "nach", "ohne", "über", "um", "unter", "von", "vom", "vor", "zu", "zum", "zur", "zwischen", "nicht",
        "kein", "keine", "nur", "auch", "noch", "schon", "so", "sehr", "mal", "ja", "nun", "hier", "da", "dann",
        "jetzt", "immer", "nie", "mehr", "alle", "alles", "etwas", "ist", "sind", "war", "hat", "haben", "wird",
        "werden", "kann", "können", "muss", "soll", "will",
    ),
    "en": (
        "the", "a", "an", "this", "that", "these", "those", "and", "or", "but", "so", "because", "if", "when", "as",
        "than", "while", "though", "i", "you", "he", "she", "it", "we", "they", "me", "us", "them", "my", "your",
        "his", "her", "its", "our", "their", "who", "which", "what", "in", "on", "at", "by", "for", "from", "of",
        "off", "to", "into", "out", "over", "under", "up", "down", "with", "without", "about", "after", "before",
        "between", "through", "not", "no", "never", "just", "only", "also", "even", "still", "very", "more", "most",
        "some", "any", "all", "every", "here", "there", "now", "then", "is", "are", "was", "were", "be", "been",
        "am", "have", "has", "had", "do", "does", "did", "will", "would", "can", "could", "should", "may", "might",
        "must",
    ),
}  # fmt: skip
PUNCTUATION = {
    "comma": ",",
    "period": ".",
    "exclamation": "!",
    "question": "?",
    "colon": ":",
    "semicolon": ";",
    "dash": "–—",
    "ellipsis": "…",
    "quotes": '"„“”»«',
    "brackets": "()[]",
}
_LEAST_SPREAD = {"sentence": 1.0, "letters": 0.1, "share": 0.05}
"""The least spread for each kind of feature that is no count: with a smaller one, one odd sentence would decide."""
_WORD = re.compile(r"[^\W\d_]+(?:['’][^\W\d_]+)*")
_TOKEN = re.compile(r"\w+(?:['’]\w+)*")
# Here and in all patterns over whole texts: each run of signs is tried once, from its beginning, and never shortened.
_SENTENCE_END = re.compile(r"(?<![.!?…])[.!?…]++(?=[\s\"“”»«)\]]|$)|\n+")
_PICTOGRAPH = "[\U0001f300-\U0001faff\u2600-\u27bf\u2b05-\u2b55\u231a-\u23ff]"
EMOJI = re.compile(
    f"[\U0001f1e6-\U0001f1ff]{{2}}|{_PICTOGRAPH}[\ufe0f\U0001f3fb-\U0001f3ff]*"
    f"(?:\u200d{_PICTOGRAPH}[\ufe0f\U0001f3fb-\U0001f3ff]*)*"
)
"""One picture character with all that belongs to it: flags, skin tones, joined families."""
HASHTAG = re.compile(r"(?<![\w&#])#(?=[\d_]*+[^\W\d_])\w++")


@dataclass(frozen=True)
class StyleVector:
    """``values`` per feature, named ``kind:feature``; ``spreads`` are their standard deviations between stretches of
    ``BLOCK_WORDS`` words, 0 where there are less than two."""

    language: str
    words: int
    values: Mapping[str, float]
    spreads: Mapping[str, float]


@dataclass(frozen=True)
class Overlap:
    """The longest run of words that a text shares with one of others, whatever capitals and punctuation."""

    words: int
    start: int
    end: int
    """Place in the text that was checked, in characters."""
    source: int
    """Which of the others; -1 when there is no word in common."""


def sentences(text: str) -> list[str]:
    """Split at final punctuation and line ends; what has no word is left out."""
    return [part.strip() for part in _SENTENCE_END.split(text) if part and _WORD.search(part)]


def style_vector(texts: Iterable[str], language: str) -> StyleVector:
    """Measure ``texts`` together. Function words are counted for ``de`` and ``en``, the rest for every language.

    Units: function words, punctuation and emoji per 1,000 words; lengths in words and letters; form of address (``de``
    alone) as a share of sentences.
    """
    kept = [text for text in texts if _WORD.search(text)]
    blocks = _blocks(kept)
    measured = [_measure(block, language) for block in blocks]
    values = _measure(kept, language)
    full = [one for one, block in zip(measured, blocks, strict=True) if _word_count(block) >= BLOCK_WORDS // 2]
    spreads = {name: statistics.stdev(one[name] for one in full) if len(full) > 1 else 0.0 for name in values}
    return StyleVector(language, _word_count(kept), values, spreads)


def style_distance(a: StyleVector, b: StyleVector, *, unit: StyleVector | None = None) -> float:
    """How far apart in manner; 0 is the same, about 1 as far as the stretches of one voice are from each other.

    ``unit`` gives the spreads to divide by: the brand's texts when several sets are compared with them, so that the
    distances can be compared too. Left out, the larger spread of both counts. Every kind of feature counts the same,
    however many features it has. Raises ``ValueError`` for vectors of different languages.
    """
    if a.language != b.language:
        raise ValueError("texts of different languages cannot be compared in style")
    by_kind: dict[str, list[float]] = {}
    for name in a.values:
        kind = name.split(":")[0]
        spread = unit.spreads.get(name, 0.0) if unit is not None else max(a.spreads[name], b.spreads[name])
        least = _LEAST_SPREAD.get(kind) or _chance(max(a.values[name], b.values[name]))
        by_kind.setdefault(kind, []).append(abs(a.values[name] - b.values[name]) / max(spread, least))
    return statistics.fmean(statistics.fmean(one) for one in by_kind.values()) if by_kind else 0.0


def _chance(per_thousand: float) -> float:
    """The standard deviation that a count per 1,000 words has between stretches of ``BLOCK_WORDS`` by chance alone
    (Poisson), where at least one in 1,000 is taken for granted."""
    return math.sqrt(max(1.0, per_thousand) * 1000 / BLOCK_WORDS)


def longest_overlap(text: str, training_texts: Iterable[str]) -> Overlap:
    """The longest run of words of ``text`` that is in one of ``training_texts`` as well.

    Takes time in proportion to all words together: a text is made into an automaton once and every other text is read
    through it.
    """
    tokens = list(_TOKEN.finditer(text))
    automaton = _Automaton([token[0].casefold() for token in tokens])
    best, end_at, source = 0, -1, -1
    for number, other in enumerate(training_texts):
        length, end = automaton.longest_in(token[0].casefold() for token in _TOKEN.finditer(other))
        if length > best:
            best, end_at, source = length, end, number
    if best == 0:
        return Overlap(0, 0, 0, -1)
    return Overlap(best, tokens[end_at - best + 1].start(), tokens[end_at].end(), source)


def words_of(text: str) -> int:
    """Number of words as ``longest_overlap`` counts them."""
    return sum(1 for _ in _TOKEN.finditer(text))


class _Automaton:
    """Suffix automaton of a list of words: knows each of its runs, in states fewer than twice the words."""

    def __init__(self, words: Sequence[str]) -> None:
        self._next: list[dict[str, int]] = [{}]
        self._link, self._length, self._first_end = [-1], [0], [-1]
        last = 0
        for place, word in enumerate(words):
            last = self._extend(last, word, place)

    def _state(self, length: int, end: int, link: int, following: dict[str, int]) -> int:
        self._next.append(following)
        self._link.append(link)
        self._length.append(length)
        self._first_end.append(end)
        return len(self._next) - 1

    def _extend(self, last: int, word: str, place: int) -> int:
        current = self._state(self._length[last] + 1, place, 0, {})
        state = last
        while state != -1 and word not in self._next[state]:
            self._next[state][word] = current
            state = self._link[state]
        if state == -1:
            return current
        target = self._next[state][word]
        if self._length[state] + 1 == self._length[target]:
            self._link[current] = target
            return current
        copy = self._state(self._length[state] + 1, self._first_end[target], self._link[target], {**self._next[target]})
        while state != -1 and self._next[state].get(word) == target:
            self._next[state][word] = copy
            state = self._link[state]
        self._link[target] = self._link[current] = copy
        return current

    def longest_in(self, words: Iterable[str]) -> tuple[int, int]:
        """Length of the longest run that both have, and where it ends here."""
        state, length, best, end = 0, 0, 0, -1
        for word in words:
            while state and word not in self._next[state]:
                state = self._link[state]
                length = self._length[state]
            if word in self._next[state]:
                state, length = self._next[state][word], length + 1
                if length > best:
                    best, end = length, self._first_end[state]
        return best, end


def _word_count(texts: Iterable[str]) -> int:
    return sum(len(_WORD.findall(text)) for text in texts)


def _blocks(texts: Sequence[str]) -> list[list[str]]:
    """Texts in their order, joined to stretches of about ``BLOCK_WORDS`` words; long ones are parted at sentences."""
    blocks: list[list[str]] = [[]]
    held = 0
    for text in texts:
        pieces = [text] if len(_WORD.findall(text)) <= BLOCK_WORDS else _pieces(text)
        for piece in pieces:
            if held >= BLOCK_WORDS:
                blocks.append([])
                held = 0
            blocks[-1].append(piece)
            held += len(_WORD.findall(piece))
    return [block for block in blocks if block]


def _pieces(text: str) -> list[str]:
    """``text`` cut behind its sentences, nothing left out."""
    cuts = [0, *(match.end() for match in _SENTENCE_END.finditer(text)), len(text)]
    return [part for start, end in itertools.pairwise(cuts) if _WORD.search(part := text[start:end])]


def _measure(texts: Sequence[str], language: str) -> dict[str, float]:
    words = [word.casefold() for text in texts for word in _WORD.findall(text)]
    lengths = [len(_WORD.findall(sentence)) for text in texts for sentence in sentences(text)]
    per_thousand = 1000 / max(1, len(words))
    counted = Counter(words)
    values = {f"word:{word}": counted[word] * per_thousand for word in FUNCTION_WORDS.get(language, ())}
    values["sentence:length"] = statistics.fmean(lengths) if lengths else 0.0
    values["sentence:variation"] = statistics.pstdev(lengths) if lengths else 0.0
    letters = [len(word) for word in words]
    values["letters:per word"] = statistics.fmean(letters) if letters else 0.0
    values["letters:variation"] = statistics.pstdev(letters) if letters else 0.0
    for name, marks in PUNCTUATION.items():
        values[f"mark:{name}"] = sum(text.count(mark) for text in texts for mark in marks) * per_thousand
    values["mark:emoji"] = sum(len(EMOJI.findall(text)) for text in texts) * per_thousand
    values["mark:hashtag"] = sum(len(HASHTAG.findall(text)) for text in texts) * per_thousand
    if language == "de":
        spoken_to = [address.kind for text in texts for address in addresses(text)]
        for kind in ("sie", "du"):
            values[f"share:{kind}"] = min(1.0, spoken_to.count(kind) / max(1, len(lengths)))
    return {name: value if math.isfinite(value) else 0.0 for name, value in values.items()}
