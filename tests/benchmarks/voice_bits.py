"""``python -m tests.benchmarks.voice_bits``: the language model that comes along learns a voice of ``tests/data/voice``
with the base in 4 bits (QLoRA), and as it is.

Prints bytes of the base, perplexity of the texts kept back for base, base with its style guide and adapter, seconds and
peak memory beside what the plan says. Judges nothing.
"""

import argparse
import math
import tempfile
import time
from pathlib import Path

from app.base_models import catalogue
from app.machine.devices import Device
from app.trainings.voice import planner
from app.trainings.voice.freeze import FrozenText, FrozenVoice, freeze
from app.trainings.voice.presets import voice_recipe_for
from tests.voices import BUILTIN, NORDLICHT, samples
from tests.worker.text.tiny import Notes
from worker.engines.contracts import Base
from worker.engines.text import base as bases
from worker.engines.text import causal_lm
from worker.engines.text_contracts import Said, TrainedVoice, VoiceInputs, VoiceText


def told(text: FrozenText) -> VoiceText:
    return VoiceText(text.sample_id, tuple(Said(role, said) for role, said in text.order), text.text)


def measure(quantization: str, texts: int, epochs: int, cache: Path, written: int = 2) -> TrainedVoice:
    base = catalogue.text_model(BUILTIN)
    given = samples(NORDLICHT, "en")[:texts]
    changes = {"quantization": quantization, "epochs": epochs, "sample_count": 0, "measured_texts": written}
    recipe = voice_recipe_for(base, len(given), changes)
    voice: FrozenVoice = freeze(given, recipe)
    inputs = VoiceInputs(
        Base(BUILTIN, "causal_lm", "builtin"),
        tuple(map(told, voice.learned)),
        tuple(map(told, voice.held_out)),
        voice.style_guide,
        cache=cache,
    )
    began = time.perf_counter()
    with tempfile.TemporaryDirectory() as folder:
        done = causal_lm.train(recipe, inputs, Path(folder), Notes())
    seconds = time.perf_counter() - began
    bases.drop_loaded()
    plan = planner.as_plan(recipe, base, voice, Device("CPU", "cpu", 2**36))
    assert done.measures is not None
    arms = {"base": done.measures.base, "guided": done.measures.prompted, "adapter": done.measures.adapter}
    surprise = ", ".join(f"{name} {math.exp(arm.loss):.1f}" for name, arm in arms.items())
    print(
        f"{quantization}: base {done.base_bytes / 1e6:.0f} MB; perplexity {surprise}; {done.steps} steps of "
        f"{done.seconds_per_step:.1f} s, {seconds:.0f} s in all; peak {done.peak_memory_bytes / 1e9:.2f} GB of this "
        f"process so far, planned {plan.memory_bytes / 1e9:.2f} GB"
    )
    return done


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--texts", type=int, default=120)
    options.add_argument("--epochs", type=int, default=2)
    options.add_argument("--cache", type=Path, default=Path(tempfile.gettempdir()) / "livery-test-cache")
    given = options.parse_args()
    for quantization in ("nf4", "none"):
        measure(quantization, given.texts, given.epochs, given.cache)


if __name__ == "__main__":
    main()
