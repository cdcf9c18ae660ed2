"""The language model that comes along learns two voices: each adapter prefers its own brand's unseen texts."""

import math
from pathlib import Path

import pytest

from app.trainings.voice_recipe import VoiceRecipe
from app.trainings.voice_texts import FrozenText, freeze
from app.voice.pairs import Vocabulary, VoiceSample, derive_brief
from tests.voices import FIZZBEE, NORDLICHT, voice_rows
from tests.worker.text import tiny
from worker.engines.contracts import AdapterFile, Base, Said, TrainedVoice, VoiceInputs, VoiceText
from worker.engines.text import base as bases
from worker.engines.text import causal_lm, evaluation

pytestmark = pytest.mark.slow
SHIPPED = Base("smollm2-135m-instruct", "causal_lm", "builtin")
TEXTS = 70
RECIPE = VoiceRecipe(
    base_model=SHIPPED.key,
    rank=8,
    alpha=16,
    learning_rate=2e-3,
    epochs=1,
    max_length=384,
    held_out_share=0.15,
    evaluations_per_epoch=1,
    sample_count=0,
    measured_texts=0,
)


def samples(name: str) -> list[VoiceSample]:
    """The voice's texts with briefs, as a brand's samples come to a training."""
    rows = voice_rows(name)[:TEXTS]
    words = Vocabulary.of((row["text"], row["language"]) for row in rows)
    return [
        VoiceSample(f"{name}-{number}", **row, brief=derive_brief(**row, vocabulary=words))
        for number, row in enumerate(rows)
    ]


def given(text: FrozenText) -> VoiceText:
    return VoiceText(text.sample_id, tuple(Said(*turn) for turn in text.order), text.text)


def trained(name: str, folder: Path, cache: Path) -> tuple[TrainedVoice, VoiceInputs]:
    voice = freeze(samples(name), RECIPE)
    inputs = VoiceInputs(
        SHIPPED, tuple(map(given, voice.learned)), tuple(map(given, voice.held_out)), voice.style_guide, cache=cache
    )
    return causal_lm.train(RECIPE, inputs, folder / name, tiny.Notes()), inputs


def test_each_adapter_beats_the_prompted_base_and_prefers_its_own_voice(tmp_path: Path) -> None:
    cache = tmp_path / "cache"
    outcomes = {name: trained(name, tmp_path, cache) for name in (NORDLICHT, FIZZBEE)}
    loaded = bases.load(SHIPPED, cache=cache)
    for name, (outcome, inputs) in outcomes.items():
        assert outcome.measures is not None
        arms = (outcome.measures.base, outcome.measures.prompted, outcome.measures.adapter)
        base, prompted, own = (math.exp(arm.loss) for arm in arms)
        other = FIZZBEE if name == NORDLICHT else NORDLICHT
        bases.use_adapter(loaded, AdapterFile(other, outcomes[other][0].weights, 1.0))
        held_out = causal_lm._examples(loaded, RECIPE, inputs.held_out)
        foreign = math.exp(evaluation.mean_loss(loaded, held_out, lambda: None))
        print(f"{name}: base {base:.1f}, prompted {prompted:.1f}, adapter {own:.1f}, other voice's {foreign:.1f}")
        assert own < prompted and own < base
        assert own < foreign
    # What the loop measured is what the saved file says again.
    outcome, inputs = outcomes[NORDLICHT]
    bases.use_adapter(loaded, AdapterFile(NORDLICHT, outcome.weights, 1.0))
    again = evaluation.mean_loss(loaded, causal_lm._examples(loaded, RECIPE, inputs.held_out), lambda: None)
    assert outcome.measures is not None and again == pytest.approx(outcome.measures.adapter.loss, rel=1e-5)
