"""An engine without a model, for tests of pages and handlers. Put in with ``registry.engine_for``; never on offer.

It keeps the contract's promises: samples of the base first, checkpoints every so often, an adapter that loads
elsewhere, ``Cancelled`` keeps what there is, ``GiveBack`` hands over a checkpoint, the same order gives the same bytes.
"""

import hashlib
import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from PIL import Image
from safetensors.numpy import save_file

from app.generations.recipe import GenerationRecipe
from app.trainings.look.recipe import TrainingRecipe
from worker.engines.contracts import (
    Cancelled,
    GeneratedPicture,
    GenerationInputs,
    GiveBack,
    Progress,
    SamplePicture,
    Step,
    TrainedAdapter,
    TrainingInputs,
)

WIDTH = 8
"""Of the one layer that its adapters act on."""
LAYER = "unet.down_blocks.0.attentions.0.transformer_blocks.0.attn1.to_q"


@dataclass
class FakeEngine:
    """``before_step`` is called with each step's number, so that a test can cancel, fail or lose the lease there.

    ``shortage`` is what it tells of its memory before the first step: pictures at a time, and whether it computes
    again.
    """

    before_step: Callable[[int], None] = lambda step: None
    shortage: tuple[int, bool] | None = None
    trained: list[TrainingInputs] = field(default_factory=list)
    first_steps: list[int] = field(default_factory=list)

    def train(self, recipe: TrainingRecipe, inputs: TrainingInputs, out: Path, progress: Progress) -> TrainedAdapter:
        self.trained.append(inputs)
        out.mkdir(parents=True, exist_ok=True)
        for picture in inputs.pictures:
            with Image.open(picture.path) as opened:
                opened.load()
        step = 0
        if inputs.resume_from is not None:
            step = int(json.loads((inputs.resume_from / "state.json").read_text())["step"])
        self.first_steps.append(step)
        progress.phase("loading")
        progress.phase("caching")
        if step == 0:
            self._draw(recipe, inputs, 0, out, progress)

        def checkpoint() -> None:
            folder = out / "checkpoints" / f"step-{step:06d}"
            folder.mkdir(parents=True, exist_ok=True)
            (folder / "state.json").write_text(json.dumps({"step": step}))
            progress.checkpoint(folder, step)

        began_at = step
        try:
            progress.phase("training")
            if self.shortage is not None:
                progress.short_of_memory(micro_batch_size=self.shortage[0], gradient_checkpointing=self.shortage[1])
            while step < recipe.steps:
                self.before_step(step + 1)
                step += 1
                progress.step(Step(step, recipe.steps, 1 / step, recipe.learning_rate, 0.01, 120_000_000))
                if step % recipe.checkpoint_every == 0 or step == recipe.steps:
                    self._draw(recipe, inputs, step, out, progress)
                    checkpoint()
        except Cancelled:
            if step == 0:
                raise
            return self._adapter(recipe, step, out, finished=False)
        except GiveBack:
            if step > began_at:
                checkpoint()
            raise
        return self._adapter(recipe, step, out, finished=True)

    def generate(
        self, recipe: GenerationRecipe, inputs: GenerationInputs, out: Path, progress: Progress
    ) -> Iterator[GeneratedPicture]:
        out.mkdir(parents=True, exist_ok=True)
        progress.phase("drawing")
        for index in range(recipe.count):
            strength = recipe.strengths[index] if recipe.strengths else 1.0
            seed = recipe.seed if recipe.strengths else recipe.seed + index
            path = out / f"picture-{index:02d}.png"
            width, height = recipe.width * inputs.enlargement, recipe.height * inputs.enlargement
            _flat(f"{recipe.prompt}/{seed}/{strength}/{inputs.adapters}", width, height).save(path)
            progress.drawn((index + 1) * recipe.steps, recipe.count * recipe.steps)
            yield GeneratedPicture(index, path, seed, width, height, strength, 0.01)

    def _draw(self, recipe: TrainingRecipe, inputs: TrainingInputs, step: int, out: Path, progress: Progress) -> None:
        side = recipe.resolution * inputs.enlargement
        for index, asked in enumerate(recipe.sample_prompts):
            prompt = asked.replace("[trigger]", recipe.trigger_word)
            path = out / f"sample-{step}-{index}.png"
            _flat(f"{prompt}/{step}", side, side).save(path)
            progress.sample(SamplePicture(step, index, prompt, recipe.sample_seed, path))

    def _adapter(self, recipe: TrainingRecipe, step: int, out: Path, finished: bool) -> TrainedAdapter:
        path = out / "adapter.safetensors"
        write_adapter(path, recipe.rank, recipe.alpha, value=step / 1000)
        return TrainedAdapter(
            weights=path,
            rank=recipe.rank,
            alpha=recipe.alpha,
            steps=step,
            finished=finished,
            final_loss=0.1,
            seconds_per_step=0.01,
            peak_memory_bytes=123_000_000,
            device="Fake device",
            precision="float16",
            skipped_steps=1,
        )


def write_adapter(path: Path, rank: int, alpha: float, value: float = 0.01) -> None:
    """A canonical adapter of one layer, as a training leaves it."""
    tensors = {
        f"{LAYER}.lora_A.weight": np.full((rank, WIDTH), value, dtype=np.float16),
        f"{LAYER}.lora_B.weight": np.full((WIDTH, rank), value, dtype=np.float16),
    }
    configuration = {
        "unet.r": rank,
        "unet.lora_alpha": alpha,
        "unet.target_modules": ["to_q"],
        "unet.lora_dropout": 0.0,
        "unet.bias": "none",
        "unet.use_rslora": False,
        "unet.use_dora": False,
        "unet.rank_pattern": {},
        "unet.alpha_pattern": {},
    }
    save_file(tensors, path, metadata={"format": "pt", "lora_adapter_metadata": json.dumps(configuration)})


def _flat(text: str, width: int, height: int) -> Image.Image:
    """One colour that follows from ``text``."""
    red, green, blue = hashlib.sha256(text.encode()).digest()[:3]
    return Image.new("RGB", (width, height), (red, green, blue))
