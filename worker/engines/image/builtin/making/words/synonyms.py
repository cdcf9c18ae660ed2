"""Other words for what the model knows, from WordNet: synonyms of a concept's name, and kinds of it.

WordNet's database is read as its own manual lays it out (wndb(5WN)): ``index.noun`` names the senses of a word, the
commonest first, ``data.noun`` the words of a sense and its pointers, "~" to kinds of it.
"""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from worker.engines.image.builtin.making.concepts import Concept
from worker.engines.image.builtin.making.icon_sets import WORD_PACKAGE

KIND_OF, ABOVE = "~", "@"
FIELDS = {
    3: ("05", "20", "17", "19", "08"),
    4: ("13", "20", "06"),
    5: ("06", "17", "15"),
    6: ("06", "04", "10"),
    7: ("06", "21"),
}
"""Group of an emoji → WordNet's files of senses that fit it: 05 animals, 20 plants, 13 food, 06 things, 17 nature …"""
DEPTH = 2
"""How far down kinds of kinds are followed."""
MOST_WORDS = 2
"""Longer names ("bottle-nosed dolphin of the north") are not what people write."""
MOST_KINDS = 60
"""Of one thing: further ones are rare words."""


def other_words(cache: Path, concepts: Iterable[Concept]) -> dict[str, tuple[str, ...]]:
    """By the concept's key, English words that mean it or a kind of it, and that name no other concept.

    One sense of a name is followed, the commonest that fits the concept's group, so that a "bat" is not both.

    Raises OSError without the package.
    """
    senses, data = _index(cache), _Data(cache)
    concepts = list(concepts)
    names = {name for concept in concepts for name in concept.english}
    found: dict[str, list[str]] = {}
    for concept in concepts:
        name = concept.english[0].replace(" ", "_")
        if name not in senses:
            continue
        place = data.fitting(senses[name], FIELDS.get(concept.group, ()))
        words = [word for word in data.words_below(place, DEPTH) if word not in names]
        found[concept.key] = [word for word in words if len(word.split()) <= MOST_WORDS and word.isascii()]
    shared = Counter(word for words in found.values() for word in set(words))
    return {key: tuple(word for word in dict.fromkeys(words) if shared[word] == 1) for key, words in found.items()}


@dataclass(frozen=True)
class Meaning:
    """English words whose first meaning is a thing, or a kind of it, and that are no adjectives."""

    same: tuple[str, ...]
    kinds: tuple[str, ...]
    related: tuple[str, ...]
    """Keywords of the concept that are of the same kind as it: a sneaker is a shoe, as a running shoe is."""


def meanings(cache: Path, concepts: Iterable[Concept]) -> dict[str, Meaning]:
    """By the concept's key, the words that can stand for it in what people write. A word may be there for several.

    Raises OSError without the package.
    """
    senses, data = _index(cache), _Data(cache)
    adjectives = _index(cache, "adj").keys()

    def fits(word: str, place: int) -> bool:
        noun = word.replace(" ", "_")
        return (
            len(word) > 2
            and word.isascii()
            and len(word.split()) <= MOST_WORDS
            and word not in adjectives
            and senses.get(noun, (0,))[0] == place
            and noun.split("_")[-1] in senses  # of "canis lupus" nobody speaks
        )

    found = {}
    for concept in concepts:
        name = concept.english[0].replace(" ", "_")
        if name not in senses:
            continue
        place = data.fitting(senses[name], FIELDS.get(concept.group, ()))
        same = [word for word in data.words_below(place, 0) if fits(word, place)]
        kinds = [word for kind in data.below(place, DEPTH) for word in data.words_below(kind, 0) if fits(word, kind)]
        family = {place, *data.above(place), *(one for up in data.above(place) for one in data.below(up, 1))}
        tags = [tag for tag in concept.english[1:] if tag in senses and senses[tag][0] in family]
        related = [tag for tag in tags if fits(tag, senses[tag][0])]
        found[concept.key] = Meaning(*(tuple(dict.fromkeys(words)) for words in (same, kinds[:MOST_KINDS], related)))
    return found


def _index(cache: Path, kind: str = "noun") -> dict[str, tuple[int, ...]]:
    """Word with underscores → places of its senses in the data file."""
    found = {}
    for line in (cache / WORD_PACKAGE / "package" / "dict" / f"index.{kind}").read_text("utf-8").splitlines():
        if not line.startswith(" "):
            parts = line.split()
            found[parts[0]] = tuple(int(place) for place in parts[-int(parts[2]) :])
    return found


class _Data:
    def __init__(self, cache: Path) -> None:
        self._bytes = (cache / WORD_PACKAGE / "package" / "dict" / "data.noun").read_bytes()

    def fitting(self, places: tuple[int, ...], fields: tuple[str, ...]) -> int:
        """The first of these senses that is of one of the fields, else the first."""
        return next((place for place in places if self._line(place)[1] in fields), places[0])

    def words_below(self, place: int, depth: int) -> list[str]:
        """Words of the sense, then of its kinds, nearest first."""
        words, kinds = self._sense(place)
        if depth:
            for kind in kinds:
                words += self.words_below(kind, depth - 1)
        return words

    def below(self, place: int, depth: int) -> list[int]:
        """Senses that are kinds of this one, nearest first."""
        kinds = self._sense(place)[1] if depth else []
        return kinds + [one for kind in kinds for one in self.below(kind, depth - 1)]

    def above(self, place: int) -> list[int]:
        """Senses that this one is a kind of."""
        return self._pointed_at(place, ABOVE)

    def _sense(self, place: int) -> tuple[list[str], list[int]]:
        """The words of one sense, and the places of the kinds of it."""
        parts = self._line(place)
        words = [parts[4 + 2 * n].split("(")[0].replace("_", " ").lower() for n in range(int(parts[3], 16))]
        return words, self._pointed_at(place, KIND_OF)

    def _pointed_at(self, place: int, kind: str) -> list[int]:
        parts = self._line(place)
        after = 4 + 2 * int(parts[3], 16)
        pointers = [parts[after + 1 + 4 * n : after + 5 + 4 * n] for n in range(int(parts[after]))]
        return [int(target) for one, target, part, _ in pointers if one == kind and part == "n"]

    def _line(self, place: int) -> list[str]:
        return self._bytes[place : self._bytes.index(b"\n", place)].decode("utf-8").split()
