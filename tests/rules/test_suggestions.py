"""Whatever the product proposes to draw, the base model that draws it knows."""

import itertools
import re

import pytest

from app.base_models import catalogue, vocabulary
from app.images import demo
from app.images.captions import TRIGGER_PLACEHOLDER
from app.trainings.look.presets import PURPOSES, preset_for, sample_prompts_for
from tests.tools.messages import ROOT

KNOWN = vocabulary.of("builtin")
BASES = [base for base in catalogue.all_models() if vocabulary.of(base.source)]


def unknown(prompt: str) -> list[object]:
    """What the built-in model does not know by its own name."""
    assert KNOWN is not None
    reading = vocabulary.read(KNOWN, prompt, [TRIGGER_PLACEHOLDER])
    return [*reading.words, *(one for one in reading.matches if one.kind != "name")]


def test_every_suggestion_for_the_built_in_model_is_known_to_it() -> None:
    assert BASES
    for base in BASES:
        for prompt in (*base.suggestions.en, *base.suggestions.de):
            assert KNOWN is not None and vocabulary.read(KNOWN, prompt).matches, prompt
            assert unknown(prompt) == [], prompt


@pytest.mark.parametrize("purpose", PURPOSES)
def test_sample_pictures_of_its_trainings_show_what_it_knows(purpose: str) -> None:
    for base in BASES:
        for prompt in sample_prompts_for(preset_for(purpose, base), base, []):  # type: ignore[arg-type]
            assert TRIGGER_PLACEHOLDER in prompt and unknown(prompt) == [], prompt


def test_suggestions_are_there_in_both_languages_and_short_enough_for_a_chip() -> None:
    for base in catalogue.all_models():
        assert len(base.suggestions.en) == len(base.suggestions.de)
        for prompt in itertools.chain(base.suggestions.en, base.suggestions.de):
            assert len(prompt) <= 60, prompt


def test_the_example_of_the_readme_draws_something_known() -> None:
    drawn = re.findall(r'\\"prompt\\": \\"(.+?)\\"', (ROOT / "README.md").read_text())
    assert drawn and [unknown(prompt) for prompt in drawn] == [[]] * len(drawn)


def test_the_demo_brand_shows_what_the_built_in_model_knows() -> None:
    """By its name, or by another one for the same thing."""
    for path in demo.pictures():
        assert KNOWN is not None
        assert vocabulary.read(KNOWN, path.stem.replace("-", " ")).words == (), path
