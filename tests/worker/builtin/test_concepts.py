"""Concepts: their names, which icon of a set draws them, and which licences are refused."""

import json
from collections import Counter

import pytest

from worker.engines.image.builtin.making import concepts as making_concepts
from worker.engines.image.builtin.making.concepts import (
    Concept,
    Things,
    as_written,
    concepts,
    emoji,
    icon_finder,
    things,
)
from worker.engines.image.builtin.making.icon_sets import (
    AUTOENCODER_SETS,
    BRAND_SET,
    SOURCES,
    TRAINING_SETS,
    UNSEEN_SETS,
    PicturesError,
    Source,
    licence,
)
from worker.engines.image.builtin.making.pictures import VARIED, Picture, catalogue
from worker.engines.image.builtin.making.prepare import chosen_concepts, with_styles
from worker.engines.image.builtin.making.words.captions import STYLES

SOFA = Concept("sofa", "", ("sofa", "couch"), ("sofa", "couch"), 7, ("sofa", "couch"))


def write(cache, package, name, content):
    folder = cache / package / "package"
    folder.mkdir(parents=True, exist_ok=True)
    (folder / name).write_text(json.dumps(content), "utf-8")


def icon_set(cache, name, icons=(), chars=None, spdx="MIT"):
    write(cache, name, "icons.json", {"width": 10, "height": 10, "icons": {i: {"body": "<path/>"} for i in icons}})
    write(cache, name, "info.json", {"name": name, "author": {"name": "A"}, "license": {"spdx": spdx}})
    write(cache, name, "package.json", {"version": "1.0.0"})
    if chars is not None:
        write(cache, name, "chars.json", chars)


@pytest.fixture
def only(monkeypatch):
    """The sofa is all that is known beside emoji, and a helicopter has a better name."""
    names = {"helicopter": {"en": ["chopper"], "de": ["Heli"], "icons": ["chopper"]}}
    made = Things(names, {"sofa": SOFA}, {"sofa": frozenset({"tabler:couch", "solar"})}, names)
    monkeypatch.setattr(making_concepts, "things", lambda: made)
    return made


@pytest.fixture
def cache(tmp_path, only):
    def row(code, label, tags, subgroup=56):
        return {"hexcode": code, "label": label, "tags": tags, "group": 5, "subgroup": subgroup}

    clock = row("1F550", "one o’clock", [], 58)
    (tmp_path / "emojibase-data" / "package" / "en").mkdir(parents=True)
    (tmp_path / "emojibase-data" / "package" / "de").mkdir()
    english = [row("1F680", "rocket", ["space", "sofa"]), row("1F681", "helicopter", ["vehicle"]), clock]
    german = [row("1F680", "Rakete", ["Weltraum"]), row("1F681", "Hubschrauber", ["Fahrzeug"]), clock]
    write(tmp_path, "emojibase-data", "en/data.json", english)
    write(tmp_path, "emojibase-data", "de/data.json", german)
    for name in {*TRAINING_SETS, *UNSEEN_SETS}:
        icon_set(tmp_path, name)
    for name in ("twemoji", "noto", "fluent-emoji-flat"):
        codes = {"1f680": "rocket", "1f681": "helicopter", "1f550": "one-oclock"}
        icon_set(tmp_path, name, codes.values(), codes)
    return tmp_path


def test_emoji_have_names_in_both_languages_and_no_clocks(cache):
    found = emoji(cache)
    assert set(found) == {"rocket", "helicopter"}
    assert found["rocket"].english == ("rocket", "space", "sofa")
    assert found["rocket"].german == ("rakete", "weltraum")


def test_a_better_name_stands_before_the_keywords(cache):
    helicopter = emoji(cache)["helicopter"]
    assert (helicopter.english, helicopter.german) == (("chopper", "vehicle"), ("heli", "fahrzeug"))


def test_a_keyword_that_names_another_concept_is_left_out(cache):
    known = concepts(cache)
    assert set(known) == {"rocket", "helicopter", "sofa"}
    assert known["rocket"].english == ("rocket", "space")


@pytest.mark.parametrize(
    ("source", "icons", "found"),
    [
        (Source("mdi"), ["couch", "sofa"], "sofa"),
        (Source("mdi"), ["couch"], "couch"),
        (Source("mdi"), ["sofa-3", "sofa-2"], "sofa-2"),
        (Source("mdi"), ["sofa-bed"], None),
        (Source("ph", ("-fill",)), ["sofa", "couch-fill"], "couch-fill"),
        (Source("fluent-color", ("-48", "-24")), ["couch-24", "couch-16", "couch-48"], "couch-48"),
        (Source("tabler"), ["couch"], None),
        (Source("solar"), ["sofa"], None),
    ],
)
def test_icons_are_found_by_name_in_the_order_of_the_words_without_wrong_ones(cache, source, icons, found):
    icon_set(cache, source.icon_set, icons)
    assert icon_finder(cache, source)(SOFA) == found


def test_an_icon_of_one_set_may_be_named(cache):
    icon_set(cache, "mdi", ["seat"])
    icon_set(cache, "ph", ["seat"])
    named = Concept("sofa", "", ("sofa",), ("sofa",), 7, ("sofa", "mdi:seat"))
    assert icon_finder(cache, Source("mdi"))(named) == "seat"
    assert icon_finder(cache, Source("ph"))(named) is None


def test_emoji_are_found_by_their_code_before_their_name(cache):
    icon_set(cache, "noto", ["rocket", "spaceship"], {"1f680": "spaceship"})
    assert icon_finder(cache, Source("noto"))(emoji(cache)["rocket"]) == "spaceship"


def test_a_style_has_pictures_of_its_first_sources_and_an_unseen_set_is_a_style(cache):
    for source in SOURCES["silhouette"]:
        icon_set(cache, source.icon_set, [f"couch{ending}" for ending in source.endings])
    icon_set(cache, BRAND_SET, ["sofa-1"])
    found = catalogue(cache, ("silhouette", BRAND_SET), {"sofa": SOFA}, most=2)
    assert found == [
        Picture("silhouette", "mdi", "couch", "sofa"),
        Picture("silhouette", "ph", "couch-fill", "sofa"),
        Picture(BRAND_SET, BRAND_SET, "sofa-1", "sofa"),
    ]


def test_only_what_two_hands_have_drawn_is_chosen_and_what_is_left_out_is_not(cache):
    known = concepts(cache)
    assert set(chosen_concepts(cache, known)) == {"rocket", "helicopter"}
    icon_set(cache, "icon-park", ["sofa"])
    icon_set(cache, "icon-park-twotone", ["sofa"])
    assert "sofa" not in chosen_concepts(cache, known), "one drawing in two colours"
    icon_set(cache, "mdi", ["couch"])
    chosen = chosen_concepts(cache, known | {"coffin": Concept("coffin", "1f680", ("coffin",), ("sarg",), 7)})
    assert set(chosen) == {"rocket", "helicopter", "sofa"}
    [sofa] = [c for c in with_styles(chosen, catalogue(cache, SOURCES, chosen)) if c.key == "sofa"]
    assert sofa.styles == ("icon-park", "duotone", "silhouette")


@pytest.mark.parametrize("spdx", ["CC-BY-SA-4.0", "GPL-3.0", "CC-BY-NC-4.0"])
def test_other_licences_than_free_ones_are_refused(cache, spdx):
    icon_set(cache, "openmoji", spdx=spdx)
    with pytest.raises(PicturesError, match=spdx):
        licence(cache, "openmoji")


def test_missing_packages_are_named(tmp_path):
    with pytest.raises(PicturesError, match="pictures command"):
        concepts(tmp_path)


def test_no_part_of_the_model_sees_an_unseen_set():
    assert not {*TRAINING_SETS, *AUTOENCODER_SETS} & set(UNSEEN_SETS)
    assert BRAND_SET in UNSEEN_SETS and len(UNSEEN_SETS) == 4


def test_every_style_has_words_and_sources():
    assert list(STYLES) == list(SOURCES) and set(VARIED) <= set(SOURCES)


def test_every_thing_is_named_once_in_each_language():
    for language in ("en", "de"):
        plain = Counter(row[language][0].lower() for row in things().names.values() if language in row)
        assert [name for name, count in plain.items() if count > 1] == []
        others = Counter(
            name for key in things().names for name in {*things().other_names(key, language)} if name not in plain
        )
        assert [name for name, count in others.items() if count > 1] == []
    for key, concept in things().others.items():
        assert concept.english and concept.german, key


def test_names_are_written_as_people_write_them():
    for key, row in things().names.items():
        for name in (*row.get("en", ()), *row.get("de", ())):
            assert name == name.strip() and "  " not in name and "_" not in name, key
        for name in row.get("de", ()):
            nouns = [word for word in name.replace("-", " ").split() if word[0].isupper() or word[0].isdigit()]
            assert nouns, f"{name} has no noun"


def test_no_word_for_icons_means_two_concepts():
    words = Counter(word for row in things().others.values() for word in set(row.icons) if ":" not in word)
    words.update(word for row in things().emoji.values() for word in set(row.get("icons", ())) if ":" not in word)
    assert [word for word, count in words.items() if count > 1] == []


def test_names_for_people_have_their_capitals(cache, monkeypatch):
    names = {"eiffel-tower": {"en": ["Eiffel Tower"], "de": ["Eiffelturm"]}}
    monkeypatch.setattr(making_concepts, "things", lambda: Things({}, {}, {}, names))
    assert as_written(cache, "en") == {"rocket": "rocket", "helicopter": "helicopter", "one o’clock": "one o’clock"} | {
        "eiffel tower": "Eiffel Tower"
    }
    assert as_written(cache, "de")["eiffelturm"] == "Eiffelturm" and as_written(cache, "de")["rakete"] == "Rakete"
