"""``python -m tests.benchmarks.continuing``: the built-in base trained 400 steps at once, and 200 steps that another
training goes on from to 400. Prints whether both files hold the same numbers, to the bit, and the largest difference;
judges nothing.
"""

import tempfile
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from safetensors.torch import load_file

from app.base_models import catalogue
from app.trainings.look.presets import recipe_for
from app.trainings.look.recipe import TrainingRecipe
from worker.engines import registry
from worker.engines.contracts import Base, SamplePicture, Step, TrainingInputs, TrainingPicture

SIDE, PICTURES, HALF = 128, 12, 200


class Quiet:
    """Satisfies ``Progress``; keeps where the last checkpoint is."""

    checkpoint_at: Path | None = None

    def phase(self, name: str) -> None: ...
    def step(self, step: Step) -> None: ...
    def drawn(self, done: int, total: int) -> None: ...
    def sample(self, picture: SamplePicture) -> None: ...
    def short_of_memory(self, *, micro_batch_size: int, gradient_checkpointing: bool) -> None: ...
    def drawing_smaller(self, *, batch_size: int, tiled: bool) -> None: ...

    def checkpoint(self, folder: Path, step: int) -> None:
        self.checkpoint_at = folder


def _pictures(folder: Path) -> tuple[TrainingPicture, ...]:
    made = []
    for index in range(PICTURES):
        small = np.random.default_rng(index).integers(0, 255, (6, 6, 3), dtype=np.uint8)
        path = folder / f"picture-{index}.png"
        Image.fromarray(small).resize((SIDE, SIDE), Image.Resampling.NEAREST).save(path)
        made.append(TrainingPicture(path, f"squares {index}", 0, 0, SIDE, SIDE, SIDE, SIDE))
    return tuple(made)


def main() -> None:
    entry = catalogue.get("livery-builtin")
    usual = recipe_for("style", entry, trigger_word="squares", captions=["squares"])
    even = {"lr_scheduler": "constant", "resolution": SIDE, "sample_prompts": (), "checkpoint_every": 100}
    long = TrainingRecipe.model_validate(usual.model_dump() | even | {"steps": 2 * HALF})
    short = long.model_copy(update={"steps": HALF})
    engine = registry.engine_for(entry.family)
    with tempfile.TemporaryDirectory() as name:
        folder, first = Path(name), Quiet()
        inputs = TrainingInputs(base=Base(entry.key, entry.family, entry.source), pictures=_pictures(folder))
        at_once = engine.train(long, inputs, folder / "at-once", Quiet())
        engine.train(short, inputs, folder / "short", first)
        there = TrainingInputs(
            base=inputs.base, pictures=inputs.pictures, resume_from=first.checkpoint_at, made_by=short
        )
        further = engine.train(long, there, folder / "further", Quiet())
        one, other = load_file(at_once.weights), load_file(further.weights)
    is_same = one.keys() == other.keys() and all(torch.equal(one[key], other[key]) for key in one)
    most = max(float((one[key].float() - other[key].float()).abs().max()) for key in one)
    print(f"{at_once.steps} steps at once, and {HALF} + {further.steps - HALF}: the same to the bit: {is_same}")
    print(f"{len(one)} tensors, largest difference {most:g}, {at_once.seconds_per_step:.3f} s a step")


if __name__ == "__main__":
    main()
