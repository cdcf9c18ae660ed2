"""What is the same, what is nearly the same, and which lines and sentences come back in text after text.

Near-duplicates by MinHash over character 5-grams (Broder, 1997): 64 hash functions in 16 bands of 4 find pairs of a
Jaccard similarity of about one half and more; the pairs found are then compared for good. Small texts of one sentence
need characters rather than words: one changed word would change most word groups.
"""

import re
import zlib
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from hashlib import blake2b
from typing import TYPE_CHECKING

from app.plain_text import composed

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    Grams = npt.NDArray[np.uint32]

NGRAM = 5
BANDS, ROWS = 16, 4
NEARLY_SAME = 0.7
"""Jaccard similarity of 5-grams from which two texts are one text written twice."""
LEAST_REPEATS = 5
LEAST_SHARE = 0.05
"""A line is boilerplate if it stands in so many samples, and in this share of them."""
MOST_CANDIDATES = 5
"""A text is compared with so many others: those that share most bands with it."""
SHORTEST_LINE, LONGEST_LINE = 8, 300
SENTENCE_END = re.compile(
    r"(?:(?<=[^\W\d]{2}\.)|(?<=\d{4}\.)|(?<=[!?…]))(?P<close>[\"“”'’)»]*)[^\S\n]+(?=[^a-zäöüß\s])"
)
"""Not behind a letter or a short number with a full stop, which is an abbreviation or a date."""
MARKS = re.compile(r"[\W_]+")
_PRIME = (1 << 31) - 1


def plain(text: str) -> str:
    """Letters and digits in small, with single spaces. A text of marks or emoji alone stays as it is."""
    folded = composed(text, "NFKC").casefold()
    return MARKS.sub(" ", folded).strip() or " ".join(folded.split())


def text_hash(text: str) -> str:
    """The same for texts that differ in spacing, case and marks alone."""
    return blake2b(plain(text).encode(), digest_size=16).hexdigest()


def ngrams(text: str) -> frozenset[str]:
    flat = plain(text)
    return frozenset(flat[at : at + NGRAM] for at in range(max(1, len(flat) - NGRAM + 1)))


def signature(text: str) -> str:
    """16 bands of 8 hexadecimal digits, separated by spaces: two texts that share one may be nearly the same."""
    import numpy as np  # here, as in all of the web process: few requests compute with arrays

    factors, shifts = _hash_functions()
    hashes = np.fromiter((zlib.crc32(gram.encode()) for gram in ngrams(text)), dtype=np.uint64)
    least = np.full(BANDS * ROWS, _PRIME, dtype=np.uint64)
    for start in range(0, len(hashes), 4096):
        part = hashes[start : start + 4096, None] % _PRIME
        least = np.minimum(least, ((part * factors + shifts) % _PRIME).min(axis=0))
    return " ".join(
        f"{zlib.crc32(least[band * ROWS : (band + 1) * ROWS].astype('<u8').tobytes()):08x}" for band in range(BANDS)
    )


@cache
def _hash_functions() -> "tuple[npt.NDArray[np.uint64], npt.NDArray[np.uint64]]":
    """Factor and shift of each. The same for ever: signatures are kept with the texts."""
    import numpy as np

    random = np.random.Generator(np.random.PCG64(20_261_124))
    factors = random.integers(1, _PRIME, BANDS * ROWS, dtype=np.uint64)
    return factors, random.integers(0, _PRIME, BANDS * ROWS, dtype=np.uint64)


def grams_of(text: str) -> "Grams":
    """Hashes of the 5-grams, sorted, each once: four bytes for each where a set of words would take a hundred."""
    import numpy as np

    return np.unique(np.fromiter((zlib.crc32(gram.encode()) for gram in ngrams(text)), dtype=np.uint32))


def similarity(one: "Grams", other: "Grams") -> float:
    """Share of 5-grams that two texts have in common, from 0 to 1."""
    import numpy as np

    shared = np.intersect1d(one, other, assume_unique=True).size
    return float(shared / (one.size + other.size - shared))


@dataclass(frozen=True)
class Compared:
    """A text with what was kept to compare it by."""

    id: str
    text: str
    text_hash: str
    signature: str


def repeats(texts: Sequence[Compared]) -> tuple[dict[str, str], dict[str, str]]:
    """Two tables from a text's id to that of the earlier one which it repeats: exactly, and nearly.

    ``texts`` in their order, the oldest first. One that repeats another makes nobody else a repeat.
    """
    same: dict[str, str] = {}
    near: dict[str, str] = {}
    by_hash: dict[str, str] = {}
    by_band: dict[tuple[int, str], list[Compared]] = {}
    grams = cache(grams_of)
    for one in texts:
        earlier = by_hash.setdefault(one.text_hash, one.id)
        if earlier != one.id:
            same[one.id] = earlier
            continue
        bands = list(enumerate(one.signature.split()))
        for other in _candidates(bands, by_band):
            if similarity(grams(one.text), grams(other.text)) >= NEARLY_SAME:
                near[one.id] = other.id
                break
        else:
            for band in bands:
                by_band.setdefault(band, []).append(one)
    return same, near


def alike(texts: Sequence[Compared]) -> Iterator[tuple[str, str]]:
    """Ids of an earlier and a later text that are the same, or nearly: enough pairs to lead from a text to all that it
    is like, also by way of others."""
    by_hash: dict[str, str] = {}
    by_band: dict[tuple[int, str], list[Compared]] = {}
    grams = cache(grams_of)
    for one in texts:
        earlier = by_hash.setdefault(one.text_hash, one.id)
        if earlier != one.id:
            yield earlier, one.id
            continue
        bands = list(enumerate(one.signature.split()))
        for other in _candidates(bands, by_band):
            if similarity(grams(one.text), grams(other.text)) >= NEARLY_SAME:
                yield other.id, one.id
        for band in bands:
            by_band.setdefault(band, []).append(one)


def _candidates(bands: list[tuple[int, str]], by_band: dict[tuple[int, str], list[Compared]]) -> list[Compared]:
    """Those that share a band, the ones that share most first. A band that very many share tells nothing."""
    shared: Counter[str] = Counter()
    by_id: dict[str, Compared] = {}
    for band in bands:
        for other in by_band.get(band, ())[:50]:
            shared[other.id] += 1
            by_id[other.id] = other
    return [by_id[other_id] for other_id, _ in shared.most_common(MOST_CANDIDATES)]


def line_hash(line: str) -> str:
    return text_hash(line)


Place = tuple[int, int]
"""A stretch of a text: from where, up to where."""


def _lines(text: str) -> Iterator[Place]:
    at = 0
    for line in text.split("\n"):
        inner = line.strip()
        if inner:
            start = at + line.index(inner)
            yield start, start + len(inner)
        at += len(line) + 1


def _sentences(text: str, line: Place) -> list[Place]:
    """The sentences of one line; empty where it is one alone."""
    found, at = list[Place](), line[0]
    for match in SENTENCE_END.finditer(text, line[0], line[1]):
        found.append((at, match.end("close")))
        at = match.end()
    return [*found, (at, line[1])] if found else []


def _can_repeat(place: Place) -> bool:
    """Whether it could be boilerplate: neither a word alone nor a paragraph."""
    return SHORTEST_LINE <= place[1] - place[0] <= LONGEST_LINE


@dataclass(frozen=True)
class SharedLine:
    """A line or a sentence that many samples share, as it was written first."""

    line: str
    line_hash: str
    count: int


def shared_lines(texts: Sequence[str]) -> list[SharedLine]:
    """Lines that come back in many texts, and sentences within other lines, the most frequent first. A text that is
    nothing but that line is a duplicate, not boilerplate."""
    least = max(LEAST_REPEATS, round(LEAST_SHARE * len(texts)))
    lines = [list(_lines(text)) for text in texts]
    found = _frequent(texts, lines, least)
    known = frozenset(line.line_hash for line in found)
    sentences = [
        [
            place
            for line in of_one
            for place in _sentences(text, line)
            if not (known and line_hash(text[slice(*line)]) in known)
        ]
        for text, of_one in zip(texts, lines, strict=True)
    ]
    return sorted([*found, *_frequent(texts, sentences, least)], key=lambda line: -line.count)


def _frequent(texts: Sequence[str], places: Sequence[Sequence[Place]], least: int) -> list[SharedLine]:
    counts: Counter[str] = Counter()
    written: dict[str, str] = {}
    for text, of_one in zip(texts, places, strict=True):
        if len(of_one) < 2 and of_one and of_one[0] == (0, len(text)):
            continue
        for hashed, line in {
            line_hash(text[slice(*place)]): text[slice(*place)] for place in of_one if _can_repeat(place)
        }.items():
            counts[hashed] += 1
            written.setdefault(hashed, line)
    return [SharedLine(written[hashed], hashed, count) for hashed, count in counts.items() if count >= least]


def places_of(text: str, hashes: frozenset[str]) -> list[Place]:
    """Where lines and sentences of these hashes stand in the text, in its order; sentences with the space behind."""
    if not hashes:
        return []
    found = list[Place]()
    for line in _lines(text):
        if _can_repeat(line) and line_hash(text[slice(*line)]) in hashes:
            found.append(line)
            continue
        sentences = _sentences(text, line)
        ends = [*(start for start, _ in sentences[1:]), line[1]]
        found += [
            (place[0], end)
            for place, end in zip(sentences, ends, strict=False)
            if _can_repeat(place) and line_hash(text[slice(*place)]) in hashes
        ]
    return found


def without(text: str, places: Sequence[Place]) -> str:
    """The text without these places, in its order, and without the gaps that they leave."""
    starts = [0, *(end for _, end in places)]
    ends = [*(start for start, _ in places), len(text)]
    return closed("".join(text[start:end] for start, end in zip(starts, ends, strict=True)))


def has_line(text: str, hashes: frozenset[str]) -> bool:
    """Whether one of these lines or sentences stands in the text, and not alone."""
    return any(place != (0, len(text)) for place in places_of(text, hashes))


def closed(text: str) -> str:
    """A text of which lines and sentences were cut, without the gaps that they leave."""
    return re.sub(r"\n{3,}", "\n\n", re.sub(r"(?<![^\S\n])[^\S\n]++$", "", text, flags=re.MULTILINE)).strip()
