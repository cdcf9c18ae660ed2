"""Does training teach a brand's look? Trains a LoRA on one folder of pictures and measures pictures of other things.

    python -m worker.engines.image.measuring.brand_effect \\
        --pictures tests/data/brand --held-out tests/data/brand_held_out

A picture's caption is what Livery proposes for it: the words of its file's name ("red-apple.png") and its ground where
that is white. The prompts are the names in the held-out folder, which the training never sees, as people ask for them
("a red apple"); the trigger word is put in by the function that the studio uses. Base and adapter draw them from the
same seeds with the same words, so that whatever differs comes from the adapter. Measured is how far each set is from
the brand's held-out pictures: mean CIEDE2000 between palettes, and relative differences of edge and texture statistics
(``style_statistics``).

It does not know whether a picture shows what its prompt asks for, nor whether people find it pretty; look at the sheet.
"""

import argparse
import json
import sys
import tempfile
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import get_args

import numpy as np
from PIL import Image

from app.generations.prompts import PLACEHOLDER, with_trigger_words
from app.generations.recipe import AdapterUse, GenerationRecipe
from app.trainings.look.recipe import TargetModules, TrainingRecipe
from worker.engines.contracts import (
    AdapterFile,
    Base,
    GenerationInputs,
    SamplePicture,
    Step,
    TrainedAdapter,
    TrainingInputs,
    TrainingPicture,
)
from worker.engines.image.families import stable_diffusion
from worker.engines.image.measuring.style_statistics import (
    StyleDistance,
    palette_distance,
    style_distance,
    style_statistics,
)

TRIGGER = "nordlichtstyle"
"""A brand's name as Livery makes a trigger word of it."""
NEARLY_WHITE = 245
BUILTIN = Base("livery-builtin", "stable_diffusion", "builtin")
FIRST_SEED, PER_PROMPT = 1, 2


@dataclass(frozen=True)
class Effect:
    """Distances to the brand's held-out pictures; smaller is nearer."""

    base: StyleDistance
    adapter: StyleDistance
    nearer_palettes: float
    """Share of the drawn pictures whose own palette came nearer to the brand's."""
    training_seconds: float
    seconds_per_step: float
    final_loss: float
    trained: TrainedAdapter

    @property
    def share_of_the_way(self) -> dict[str, float]:
        """Of the distance between base and brand, how much the adapter has gone: 0 nothing, 1 all of it."""
        after = asdict(self.adapter)
        return {name: 1 - after[name] / before for name, before in asdict(self.base).items()}

    @property
    def moved_towards_the_brand(self) -> bool:
        """True if palette, edges and texture all came nearer."""
        return all(asdict(self.adapter)[name] < before for name, before in asdict(self.base).items())


class Printed:
    """A Progress that prints every hundredth step."""

    def phase(self, name: str) -> None:
        pass

    def step(self, step: Step) -> None:
        if step.step % 100 == 0:
            print(f"step {step.step} of {step.total}: loss {step.loss:.3f}, {step.seconds:.2f} s", file=sys.stderr)

    def drawn(self, done: int, total: int) -> None:
        pass

    def sample(self, picture: SamplePicture) -> None:
        pass

    def short_of_memory(self, *, micro_batch_size: int, gradient_checkpointing: bool) -> None:
        pass

    def drawing_smaller(self, *, batch_size: int, tiled: bool) -> None:
        pass

    def checkpoint(self, folder: Path, step: int) -> None:
        pass


def measure(pictures: Path, held_out: Path, recipe: TrainingRecipe, base: Base, out: Path) -> Effect:
    """Train, draw and measure; writes ``sheet.png`` under ``out``: brand, base and adapter, a row for each prompt."""
    began = time.perf_counter()
    trained = train(pictures, recipe, base, out)
    training_seconds = time.perf_counter() - began
    names = sorted(path.stem for path in held_out.glob("*.png"))
    brand = [_open(held_out / f"{name}.png", recipe.resolution) for name in names]
    before = _draw(names, None, recipe, base, out / "base")
    after = _draw(names, trained, recipe, base, out / "adapter")
    _sheet(brand, before, after, PER_PROMPT).save(out / "sheet.png")
    target = style_statistics(brand)
    nearer = [
        palette_distance(style_statistics([new]).palette, target.palette)
        < palette_distance(style_statistics([old]).palette, target.palette)
        for old, new in zip(before, after, strict=True)
    ]
    return Effect(
        base=style_distance(style_statistics(before), target),
        adapter=style_distance(style_statistics(after), target),
        nearer_palettes=sum(nearer) / len(nearer),
        training_seconds=training_seconds,
        seconds_per_step=trained.seconds_per_step or 0.0,
        final_loss=trained.final_loss or 0.0,
        trained=trained,
    )


def train(pictures: Path, recipe: TrainingRecipe, base: Base, out: Path) -> TrainedAdapter:
    """Train on every PNG of a folder, each cropped to a centred square."""
    ordered = []
    for path in sorted(pictures.glob("*.png")):
        with Image.open(path) as image:
            side, width, height = min(image.size), *image.size
            on_white = bool(np.asarray(image.convert("RGB"))[0, 0].min() > NEARLY_WHITE)
        left, top = (width - side) // 2, (height - side) // 2
        caption = f"{PLACEHOLDER}, {_thing(path.stem)}{', on a white background' if on_white else ''}"
        ordered.append(TrainingPicture(path, caption, left, top, side, side, recipe.resolution, recipe.resolution))
    return stable_diffusion.train(recipe, TrainingInputs(base, tuple(ordered)), out, Printed())


def _draw(
    names: list[str], trained: TrainedAdapter | None, recipe: TrainingRecipe, base: Base, out: Path
) -> list[Image.Image]:
    files = (AdapterFile("brand_effect", trained.weights, 1.0),) if trained else ()
    drawn = []
    for name in names:
        order = GenerationRecipe(
            base_model=base.key,
            prompt=with_trigger_words(asked_for(_thing(name)), [recipe.trigger_word])[0],
            adapters=tuple(AdapterUse(adapter_id=file.key, strength=file.strength) for file in files),
            width=recipe.resolution,
            height=recipe.resolution,
            count=PER_PROMPT,
            seed=FIRST_SEED,
            steps=recipe.sample_steps,
            guidance_scale=recipe.sample_guidance_scale,
        )
        inputs = GenerationInputs(base, files, trigger_words=(recipe.trigger_word,))
        for picture in stable_diffusion.generate(order, inputs, out / name, Printed()):
            drawn.append(_open(picture.path, recipe.resolution))
    return drawn


def asked_for(thing: str) -> str:
    """As people ask for it: "an apple"."""
    return f"{'an' if thing[:1] in 'aeiou' else 'a'} {thing}"


def _thing(stem: str) -> str:
    return stem.replace("-", " ")


def _open(path: Path, side: int) -> Image.Image:
    with Image.open(path) as image:
        return image.convert("RGB").resize((side, side), Image.Resampling.LANCZOS)


def _sheet(brand: list[Image.Image], before: list[Image.Image], after: list[Image.Image], seeds: int) -> Image.Image:
    side = brand[0].width
    sheet = Image.new("RGB", (side * (1 + 2 * seeds), side * len(brand)), "white")
    for row, picture in enumerate(brand):
        cells = [picture, *before[row * seeds : (row + 1) * seeds], *after[row * seeds : (row + 1) * seeds]]
        for column, cell in enumerate(cells):
            sheet.paste(cell, (column * side, row * side))
    return sheet


def add_recipe_options(parser: argparse.ArgumentParser) -> None:
    """What of the training can be tried; the defaults are the built-in model's preset for a style."""
    parser.add_argument("--steps", type=int, default=400)
    parser.add_argument("--batch-size", type=int, default=4)
    parser.add_argument("--rank", type=int, default=16)
    parser.add_argument("--learning-rate", type=float, default=2e-3)
    parser.add_argument("--lr-scheduler", default="cosine", choices=("constant", "cosine"))
    parser.add_argument("--resolution", type=int, default=128)
    parser.add_argument("--sample-steps", type=int, default=20)
    parser.add_argument("--guidance-scale", type=float, default=4.0)
    parser.add_argument("--min-snr-gamma", type=float, default=0.0, help="0 for none")
    parser.add_argument("--caption-dropout", type=float, default=0.25)
    parser.add_argument("--target-modules", default="all_layers", choices=get_args(TargetModules))


def recipe_of(options: argparse.Namespace) -> TrainingRecipe:
    """The training that the options ask for."""
    return TrainingRecipe(
        base_model=BUILTIN.key,
        purpose="style",
        trigger_word=TRIGGER,
        rank=options.rank,
        alpha=options.rank,
        target_modules=options.target_modules,
        learning_rate=options.learning_rate,
        lr_scheduler=options.lr_scheduler,
        steps=options.steps,
        batch_size=options.batch_size,
        resolution=options.resolution,
        min_snr_gamma=options.min_snr_gamma or None,
        caption_dropout=options.caption_dropout,
        checkpoint_every=10_000,
        sample_steps=options.sample_steps,
        sample_guidance_scale=options.guidance_scale,
    )


def main() -> int:
    """Prints the effect as text, or as JSON with ``--json``; returns 0 if all three moved towards the brand, else 1."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--pictures", type=Path, required=True, help="PNG files named after what they show")
    parser.add_argument("--held-out", type=Path, required=True, help="PNG files of the same brand, of other things")
    parser.add_argument("--out", type=Path, help="folder for the adapter, the pictures and the sheet")
    parser.add_argument("--model", type=Path, help="folder of a model in place of the built-in one")
    add_recipe_options(parser)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    recipe = recipe_of(options)
    base = Base("model", "stable_diffusion", str(options.model.resolve())) if options.model else BUILTIN
    with tempfile.TemporaryDirectory() as scratch:
        effect = measure(options.pictures, options.held_out, recipe, base, options.out or Path(scratch))
    if options.json:
        print(json.dumps(asdict(effect), indent=1, default=str))
    else:
        print(f"trained {recipe.steps} steps in {effect.training_seconds:.0f} s, loss {effect.final_loss:.3f}")
        print("distance to the brand's held-out pictures      base  adapter")
        for name, unit in (("palette", "mean CIEDE2000"), ("edges", "0..1"), ("texture", "0..1")):
            before, after = asdict(effect.base)[name], asdict(effect.adapter)[name]
            print(f"  {f'{name} ({unit})':42} {before:7.3f}  {after:7.3f}")
        print(f"pictures whose own palette came nearer: {effect.nearer_palettes:.0%}")
    return 0 if effect.moved_towards_the_brand else 1


if __name__ == "__main__":
    sys.exit(main())
