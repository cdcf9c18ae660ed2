"""The table of what the model knows, which is shipped with it: its things, and other words for them in both languages.

``words.json`` holds ``things`` (key → language → its name as it is written, and lists of other words) and ``about``
(language → words for styles and grounds). A word of ``same`` means the thing; one of ``near`` means something else, of
which the thing is the nearest that the model knows.
"""

import json
import shutil
import tomllib
from collections.abc import Iterable, Mapping
from pathlib import Path

from worker.engines.image.builtin.making.concepts import Concept, as_written, things
from worker.engines.image.builtin.making.icon_sets import WORD_PACKAGE
from worker.engines.image.builtin.making.prepare import read_concepts
from worker.engines.image.builtin.making.words.captions import COLOURS, STYLES
from worker.engines.image.builtin.making.words.synonyms import meanings

EVERYDAY = Path(__file__).with_name("everyday.toml")
LANGUAGES = ("en", "de")


def write(work: Path, cache: Path, folder: Path) -> None:
    """Write ``words.json`` and ``words.LICENSE`` into the model's folder, for the concepts of ``work``.

    Raises PicturesError if ``work`` holds no concepts, OSError without the packages of words.
    """
    made = table(read_concepts(work), cache)
    # WordNet asks for its licence beside every copy, also of a part.
    shutil.copyfile(cache / WORD_PACKAGE / "package" / "LICENSE", folder / "words.LICENSE")
    (folder / "words.json").write_text(json.dumps(made, ensure_ascii=False, separators=(",", ":")) + "\n", "utf-8")


def table(concepts: list[Concept], cache: Path) -> dict[str, dict]:
    """What ``words.json`` holds. Raises OSError without the packages."""
    with EVERYDAY.open("rb") as file:
        everyday = tomllib.load(file)
    found = meanings(cache, [c for c in concepts if c.key not in everyday["wordnet"]["alone"]])
    words: dict[str, dict[str, dict[str, str]]] = {}
    for language in LANGUAGES:
        taken = {_name(c, language) for c in concepts}
        for kind, prefix in (("same", ""), ("near", "near_")):
            by_hand = {c.key: everyday["words"].get(c.key, {}).get(prefix + language, "").split(", ") for c in concepts}
            if kind == "same":
                by_hand = {key: [*row, *things().other_names(key, language)] for key, row in by_hand.items()}
            words.setdefault(language, {})[kind] = {
                word: key for key, row in by_hand.items() for word in row if word and word not in taken
            }
            taken |= words[language][kind].keys()
        if language == "en":  # German synonyms and kinds are written by hand: no free list is like WordNet
            taken |= set(everyday["wordnet"]["wrong"])
            same = _of_one_thing({key: one.same for key, one in found.items()}, taken)
            near = _of_one_thing({key: (*one.kinds, *one.related) for key, one in found.items()}, taken | same.keys())
            words["en"] = {"same": words["en"]["same"] | same, "near": words["en"]["near"] | near}
    written = {language: as_written(cache, language) for language in LANGUAGES}
    return {
        "things": {
            c.key: {
                language: {"name": written[language].get(_name(c, language), _name(c, language))}
                | {
                    kind: own
                    for kind, row in words[language].items()
                    if (own := [word for word, key in row.items() if key == c.key])
                }
                for language in LANGUAGES
            }
            for c in concepts
        },
        "about": {language: _about(place) for place, language in enumerate(LANGUAGES)},
    }


def _name(concept: Concept, language: str) -> str:
    return (concept.english if language == "en" else concept.german)[0]


def _of_one_thing(words: Mapping[str, Iterable[str]], taken: set[str]) -> dict[str, str]:
    """Word → key, without words that two things claim, and those taken already."""
    owners: dict[str, set[str]] = {}
    for key, own in words.items():
        for word in own:
            owners.setdefault(word, set()).add(key)
    return {word: keys.pop() for word, keys in owners.items() if len(keys) == 1 and word not in taken}


def _about(place: int) -> list[str]:
    styles = {word for names in STYLES.values() for one in names[place] for word in one.split()}
    grounds = {word for colour in COLOURS for word in str(colour[place]).split()}
    return sorted(styles | grounds)
