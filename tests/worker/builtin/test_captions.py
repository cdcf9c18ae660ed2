"""Captions name concept, style and background in both languages, and keep some templates for measuring."""

import numpy as np
import pytest

from worker.engines.image.builtin.making.concepts import Concept
from worker.engines.image.builtin.making.words.captions import (
    COLOURS,
    ENGLISH,
    ENGLISH_HELD_OUT,
    GERMAN,
    GERMAN_HELD_OUT,
    STYLES,
    Choice,
    caption,
)
from worker.engines.image.builtin.tokenizer import MAX_LENGTH, train_tokenizer

ROCKET = Concept("rocket", "1f680", ("rocket", "space", "launch"), ("rakete", "weltraum", "start"), 5)
NAVY = next(i for i, c in enumerate(COLOURS) if c[0] == "navy")


def many(choice, german, held_out=False, n=300):
    rng = np.random.default_rng(0)
    return {caption(choice, rng, german, held_out) for _ in range(n)}


def test_english_names_style_and_background():
    texts = many(Choice(ROCKET, "fluent-emoji-flat", NAVY), german=False)
    assert "flat style rocket on a navy background" in texts
    assert all("flat" in t and "navy" in t for t in texts)


def test_german_inflects_the_style():
    texts = many(Choice(ROCKET, "fluent-emoji-flat", NAVY), german=True)
    assert "rakete im flachen stil auf marineblauem hintergrund" in texts
    assert any(t.startswith("flacher stil, ") for t in texts)


def test_keywords_may_stand_for_the_name():
    texts = many(Choice(ROCKET, None, None), german=False)
    assert any("rocket" not in t and "space" in t for t in texts)


@pytest.mark.parametrize("german", [False, True])
def test_some_captions_name_a_style_that_does_not_exist(german):
    texts = many(Choice(ROCKET, None, None), german)
    known = {word for english, german_words in STYLES.values() for word in (*english, *german_words)}
    unknown = [t for t in texts if "style" in t or "stil" in t]
    assert len(unknown) > len(texts) / 5
    assert not any(word in t.split() for t in unknown for word in known)


@pytest.mark.parametrize("german", [False, True])
def test_held_out_templates_are_never_trained_on(german):
    choice = Choice(ROCKET, "noto", None)
    assert not many(choice, german, held_out=True) & many(choice, german, n=2000)


def test_templates_do_not_overlap():
    assert not set(ENGLISH) & set(ENGLISH_HELD_OUT)
    assert not set(GERMAN) & set(GERMAN_HELD_OUT)


def test_style_words_are_of_one_style_each():
    for language in (0, 1):
        words = [w for style in STYLES.values() for w in style[language]]
        assert len(words) == len(set(words))


def test_the_tokenizer_takes_any_text():
    tokenizer = train_tokenizer(["flat style rocket", "rakete im flachen stil"] * 3, 700)
    ids = tokenizer("Häuschen 漢 Rocket!").input_ids
    assert ids[0] == tokenizer.bos_token_id and ids[-1] == tokenizer.eos_token_id == len(tokenizer) - 1
    assert tokenizer.eos_token_id not in ids[1:-1]
    assert tokenizer("Rocket").input_ids == tokenizer("rocket").input_ids
    assert tokenizer.model_max_length == MAX_LENGTH
