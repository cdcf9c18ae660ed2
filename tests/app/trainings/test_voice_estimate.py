"""What a voice's training will take is called measured only where the same was measured."""

import pytest

from app.base_models import catalogue
from app.db import now
from app.trainings.estimates import Circumstances, Estimate
from app.trainings.voice.estimate import VoicePace, voice_estimate
from app.trainings.voice.freeze import FrozenText, FrozenVoice
from app.trainings.voice.presets import voice_recipe_for

BASE = catalogue.text_models()[0]
VOICE = FrozenVoice(
    texts=(
        FrozenText(sample_id="a", order=(), text="The kettle hums.", language="en", channel="post", held_out=False),
    ),
    language="en",
    style_guide="",
)


def estimate(changes: dict[str, object]) -> Estimate:
    """Of a training with ``changes``, after one as usual was measured."""
    pace = VoicePace(now(), "CPU", voice_recipe_for(BASE, 100), 0.01, 5.0, 2_000_000_000)
    recipe = voice_recipe_for(BASE, 100, changes)
    return voice_estimate(recipe, BASE, VOICE, [pace], Circumstances(["CPU"], None, "EUR"))


@pytest.mark.parametrize("changes", [{}, {"epochs": 9}, {"learning_rate": 0.5}, {"seed": 3}])
def test_a_training_with_the_same_needs_is_measured(changes: dict[str, object]) -> None:
    found = estimate(changes)
    assert (found.time_basis, found.memory_basis, found.memory_bytes) == ("measured", "measured", 2_000_000_000)


@pytest.mark.parametrize(
    "changes",
    [
        {"batch_size": 4},
        {"rank": 64},
        {"target_modules": "attention"},
        {"gradient_checkpointing": True},
        {"packing": False},
        {"max_length": 1024},
        {"quantization": "nf4"},
        {"evaluations_per_epoch": 5},
    ],
)
def test_a_training_with_other_needs_is_not(changes: dict[str, object]) -> None:
    found = estimate(changes)
    assert (found.time_basis, found.memory_basis, found.seconds) == ("none", "catalogue", None)
