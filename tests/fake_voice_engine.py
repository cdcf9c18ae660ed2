"""An engine that trains voices without a model, for tests of handlers. Put in with ``registry.text_engine_for``.

It keeps the contract's promises as ``tests.fake_engine`` does: the base is measured first, checkpoints come with every
measurement, a resumed training goes on from its step.
"""

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from app.trainings.voice.recipe import VoiceRecipe
from tests.voices import voice_file
from worker.engines.contracts import Base, Step
from worker.engines.text_contracts import SampleText, TrainedVoice, VoiceInputs, VoiceProgress

STEPS = 24


@dataclass
class FakeVoiceEngine:
    """``before_step`` is called with each step's number."""

    before_step: Callable[[int], None] = lambda step: None
    recipes: list[VoiceRecipe] = field(default_factory=list)
    first_steps: list[int] = field(default_factory=list)

    def train(self, recipe: VoiceRecipe, inputs: VoiceInputs, out: Path, progress: VoiceProgress) -> TrainedVoice:
        out.mkdir(parents=True, exist_ok=True)
        self.recipes.append(recipe)
        step = 0
        if inputs.resume_from is not None:
            step = int(json.loads((inputs.resume_from / "state.json").read_text())["step"])
        self.first_steps.append(step)
        progress.phase("loading")
        every = STEPS // (recipe.epochs * recipe.evaluations_per_epoch)
        if step == 0:
            self._measure(step, progress)
        progress.phase("training")
        while step < STEPS:
            self.before_step(step + 1)
            step += 1
            progress.step(Step(step, STEPS, 1 / step, recipe.learning_rate, 0.5))
            if step % every == 0:
                self._measure(step, progress)
                self._checkpoint(step, out, progress)
                progress.phase("training")
        weights = out / "adapter.safetensors"
        weights.write_bytes(voice_file())
        return TrainedVoice(
            weights=weights,
            rank=recipe.rank,
            alpha=recipe.alpha,
            steps=step,
            planned_steps=STEPS,
            finished=True,
            best_step=step,
            final_loss=0.1,
            seconds_per_step=0.5,
            tokens_per_step=480.0,
            peak_memory_bytes=123_000_000,
            base_bytes=538_000_000,
            device="Fake device",
            precision="float16",
            skipped_steps=1,
            cut_texts=0,
            measures=None,
        )

    def gguf_adapter(self, base: Base, weights: Path, out: Path, cache: Path | None = None) -> Path | None:
        return None

    def _measure(self, step: int, progress: VoiceProgress) -> None:
        progress.phase("measuring")
        progress.held_out(step, 4 - step / STEPS)
        progress.phase("sampling")
        progress.sample_text(SampleText(step, 0, "Write about the tide.", 1, f"The tide after {step} steps."))

    def _checkpoint(self, step: int, out: Path, progress: VoiceProgress) -> None:
        progress.phase("saving")
        folder = out / "checkpoints" / f"step-{step:06d}"
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "state.json").write_text(json.dumps({"step": step}))
        progress.checkpoint(folder, step)
