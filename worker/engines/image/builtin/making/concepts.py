"""What can be drawn, and which icon of a set draws it.

A *concept* is one emoji of the Unicode list ("rocket", "Rakete") or a thing of `words/things.toml` ("sofa", "Sofa").
"""

import re
import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cache as once
from pathlib import Path

from worker.engines.image.builtin.making.icon_sets import TEXT_PACKAGE, Source, by_code, icons_of, plain_code, read

# emojibase groups: 3 animals and nature, 4 food, 5 travel and places, 6 activities, 7 objects; hearts and the like
# from 0
GROUPS = {3, 4, 5, 6, 7}
SUBGROUPS = {13, 14, 15}
CLOCK_WORDS = ("o’clock", "o'clock", "thirty", "-thirty")
GROUP_NAMES = {"nature": 3, "food": 4, "places": 5, "activities": 6, "objects": 7}
THINGS = Path(__file__).parent / "words" / "things.toml"


@dataclass(frozen=True)
class Concept:
    """One thing that can be drawn, with its names in both languages."""

    key: str
    """File-friendly English name, e.g. "rocket"."""
    code: str
    """Unicode code points as `plain_code` writes them; empty for what is no emoji."""
    english: tuple[str, ...]
    """First the name, then other names and keywords."""
    german: tuple[str, ...]
    group: int
    icons: tuple[str, ...] = ()
    """What icons of it are named, best first; "mdi:rocket" is one icon of one set."""
    styles: tuple[str, ...] = ()
    """The styles that there are pictures in."""


@dataclass(frozen=True)
class Things:
    """`things.toml`: names that are better than an emoji's own, things that no emoji shows, and wrong icons."""

    emoji: Mapping[str, Mapping[str, list[str]]]
    others: Mapping[str, Concept]
    wrong: Mapping[str, frozenset[str]]
    """By the concept's key, icons ("mdi:bat") or sets ("mdi") that show something else under the same name."""
    names: Mapping[str, Mapping[str, list[str]]]
    """By key and language ("en", "de"), names as they are written; the first is the plain one."""

    def other_names(self, key: str, language: str) -> tuple[str, ...]:
        """Further names in lower case, without the plain one."""
        return _lower(self.names.get(key, {}).get(language, ())[1:])


@once
def things(path: Path = THINGS) -> Things:
    """Read the file. Raises KeyError where an entry lacks a language."""
    data = tomllib.loads(path.read_text("utf-8"))
    groups = [(number, data.get(name, {})) for name, number in GROUP_NAMES.items()]
    others = {
        key: Concept(key, "", _lower(row["en"]), _lower(row["de"]), number, tuple(row.get("icons", _slugs(row["en"]))))
        for number, rows in groups
        for key, row in rows.items()
    }
    names = data.get("emoji", {}) | {key: row for _, rows in groups for key, row in rows.items()}
    wrong = {key: frozenset(icons) for key, icons in data.get("wrong", {}).items()}
    return Things(data.get("emoji", {}), others, wrong, names)


def _lower(names: Iterable[str]) -> tuple[str, ...]:
    return tuple(name.lower() for name in names)


def _slugs(names: Iterable[str]) -> tuple[str, ...]:
    return tuple(re.sub("[^a-z0-9]+", "-", name.lower()).strip("-") for name in names)


def as_written(cache: Path, language: str) -> dict[str, str]:
    """Names in lower case → with their capitals, as this project and Unicode's list write them in "en" or "de"."""
    labels = [row["label"] for row in read(cache, TEXT_PACKAGE, f"{language}/data.json")]
    ours = [name for row in things().names.values() for name in row.get(language, ())]
    return {name.lower(): name for name in (*labels, *ours)}


def concepts(cache: Path) -> dict[str, Concept]:
    """All concepts by key, whether or not a set draws them: emoji of the chosen groups, then things.

    A keyword that is another concept's name is left out.
    """
    found = emoji(cache)
    twice = set(found) & set(things().others)
    if twice:
        raise ValueError(f"emoji and things share keys: {sorted(twice)}")
    found |= things().others
    names = [{getattr(c, language)[0] for c in found.values()} for language in ("english", "german")]
    return {
        key: Concept(c.key, c.code, _own(c.english, names[0]), _own(c.german, names[1]), c.group, c.icons)
        for key, c in found.items()
    }


def _own(words: tuple[str, ...], names: set[str]) -> tuple[str, ...]:
    return (words[0], *(word for word in words[1:] if word not in names))


def emoji(cache: Path) -> dict[str, Concept]:
    """Emoji in the chosen groups by key, under the names of `things.toml` where it has some."""
    german = {plain_code(e["hexcode"]): e for e in read(cache, TEXT_PACKAGE, "de/data.json")}
    keys: dict[str, str] = {}
    for icon_set in ("twemoji", "noto", "fluent-emoji-flat"):
        keys |= by_code(cache, icon_set)
    found: dict[str, Concept] = {}
    for entry in read(cache, TEXT_PACKAGE, "en/data.json"):
        code = plain_code(entry["hexcode"])
        group, subgroup, label = entry.get("group"), entry.get("subgroup"), entry["label"].lower()
        if (group not in GROUPS and subgroup not in SUBGROUPS) or any(w in label for w in CLOCK_WORDS):
            continue
        if code not in keys or code not in german:
            continue
        key, de = keys[code], german[code]
        better = things().emoji.get(key, {})
        found[key] = Concept(
            key,
            code,
            _words(_lower(better.get("en", [])), label, entry.get("tags", [])),
            _words(_lower(better.get("de", [])), de["label"].lower(), de.get("tags", [])),
            int(group),
            tuple(better.get("icons", dict.fromkeys([key, *_slugs([label]), key.replace("-", "")]))),
        )
    return found


def _words(names: tuple[str, ...], label: str, tags: list[str]) -> tuple[str, ...]:
    keywords = [tag.lower() for tag in tags if len(tag) > 2]
    return tuple(dict.fromkeys([*(names or (label,)), *(word for word in keywords if word != label)]))


def icons_by_name(cache: Path, source: Source) -> dict[str, str]:
    """The source's icons by their name without the ending; "sofa" is also "sofa-1" where there is no plain one."""
    icons = icons_of(cache, source.icon_set)
    found: dict[str, str] = {}
    for ending in source.endings:
        for icon in icons:
            if icon.endswith(ending):
                found.setdefault(icon.removesuffix(ending), icon)
    for name in sorted(found):
        found.setdefault(re.sub(r"-\d+$", "", name), found[name])
    return found


def icon_finder(cache: Path, source: Source):
    """A function that says which icon of the source draws a concept, or None."""
    names, codes = icons_by_name(cache, source), by_code(cache, source.icon_set)

    def find(concept: Concept) -> str | None:
        wrong = things().wrong.get(concept.key, frozenset())
        for icon in _candidates(concept, source.icon_set, names, codes):
            if icon is not None and f"{source.icon_set}:{icon}" not in wrong and source.icon_set not in wrong:
                return icon
        return None

    return find


def _candidates(
    concept: Concept, icon_set: str, names: Mapping[str, str], codes: Mapping[str, str]
) -> Iterable[str | None]:
    """Icons that may draw the concept, best first."""
    if concept.code and concept.code in codes:
        yield names.get(codes[concept.code])
    for word in concept.icons:
        if word.startswith(f"{icon_set}:"):
            yield names.get(word.removeprefix(f"{icon_set}:"))
    for word in concept.icons:
        yield names.get(word)
