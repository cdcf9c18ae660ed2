"""``python -m tests.benchmarks.jury --trainings N``: does the jury advise well, does it ring at copies, what does it
cost?

Trains on the built-in base with ``tests/data/brand`` for four times the preset's steps, at another seed each time. Half
of ``tests/data/brand_held_out`` is what the jury is given; the other half nobody sees but this command, which says how
far the advised step is from the best by those, and whether it is better than the last. Then trainings on five pictures
at rank 64, and on all at the preset: in how many the alarm rings. At the end the time of the jury's drawings and
measuring as a share of that of the steps. Hours for ten; ``--trainings 1 --times 1`` is a look. Judges nothing.
"""

import argparse
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path

from PIL import Image

from app.trainings.look.jury import Reading, advise, drawings_for, nearness, unseen
from app.trainings.look.recipe import TrainingRecipe
from worker.engines.contracts import SamplePicture, Step, TrainingInputs, TrainingPicture
from worker.engines.image.families import stable_diffusion
from worker.engines.image.measuring import brand_effect, jury
from worker.engines.image.measuring.jury import Drawing
from worker.engines.image.measuring.style_statistics import style_statistics

DATA = Path(__file__).parents[1] / "data"
SIDE = 128
ASKED = ("[trigger], a kite", "[trigger], a clock")
"""Neither among the pictures nor among those kept back."""


def pictures_in(folder: Path) -> list[TrainingPicture]:
    found = []
    for path in sorted(folder.glob("*.png")):
        with Image.open(path) as opened:
            side, (width, height) = min(opened.size), opened.size
        left, top = (width - side) // 2, (height - side) // 2
        caption = f"[trigger], {path.stem.replace('-', ' ')}, on a white background"
        found.append(TrainingPicture(path, caption, left, top, side, side, SIDE, SIDE))
    return found


def opened(picture: TrainingPicture) -> Image.Image:
    with Image.open(picture.path) as file:
        box = (picture.left, picture.top, picture.left + picture.width, picture.top + picture.height)
        return file.convert("RGB").crop(box).resize((SIDE, SIDE))


@dataclass
class Watched(brand_effect.Printed):
    """Keeps the drawings, and how long the jury's own took."""

    recipe: TrainingRecipe
    drawings: dict[int, list[Drawing]] = field(default_factory=dict)
    steps_seconds: float = 0.0
    jury_seconds: float = 0.0
    before: float = field(default_factory=time.perf_counter)

    def step(self, step: Step) -> None:
        self.steps_seconds += step.seconds
        super().step(step)

    def sample(self, picture: SamplePicture) -> None:
        with Image.open(picture.path) as file:
            drawing = Drawing(picture.prompt, picture.seed, file.convert("RGB"))
        self.drawings.setdefault(picture.step, []).append(drawing)
        if picture.index >= len(self.recipe.sample_prompts):
            self.jury_seconds += time.perf_counter() - self.before
        self.before = time.perf_counter()

    def phase(self, name: str) -> None:
        if name == "sampling" and not self.drawings.get(0):
            self.before = time.perf_counter()


@dataclass(frozen=True)
class Course:
    told: dict[int, Reading]
    unseen: dict[int, Reading]
    drawing: float
    measuring: float
    """Both as shares of the steps' time."""


def reading_of(seen: jury.Seen) -> Reading:
    copies = tuple(
        {"position": n, "image_id": str(one.place), "likeness": one.likeness}
        for n, one in enumerate(seen.nearest)
        if one.is_copy
    )
    return Reading(
        palette=seen.distance.palette if seen.distance else None,
        edges=seen.distance.edges if seen.distance else None,
        texture=seen.distance.texture if seen.distance else None,
        diversity=seen.diversity,
        obedience=seen.obedience,
        likeness=max(one.likeness for one in seen.nearest),
        copies=copies,
    )


def run(learned: list[TrainingPicture], held_out: list[TrainingPicture], recipe: TrainingRecipe) -> Course:
    """Train, and let the jury sit; half of ``held_out`` it is given."""
    given, hidden = held_out[::2], held_out[1::2]
    captions = [one.caption for one in learned]
    asked = drawings_for(recipe, captions, [one.caption for one in given])
    watched = Watched(recipe)
    with tempfile.TemporaryDirectory() as folder:
        inputs = TrainingInputs(brand_effect.BUILTIN, tuple(learned), jury=asked)
        stable_diffusion.train(recipe, inputs, Path(folder), watched)
    known, others = style_statistics(list(map(opened, given))), style_statistics(list(map(opened, hidden)))
    judged = len(recipe.sample_prompts) - len(unseen(recipe.sample_prompts, captions))
    told, by_hidden, measuring, small = {}, {}, 0.0, list(map(opened, learned))
    for step, drawn in watched.drawings.items():
        began = time.perf_counter()
        base = watched.drawings[0][judged:]
        told[step] = reading_of(jury.look(drawn[judged:], base, known, small))
        measuring += time.perf_counter() - began
        by_hidden[step] = reading_of(jury.look(drawn[judged:], base, others, small))
    return Course(told, by_hidden, watched.jury_seconds / watched.steps_seconds, measuring / watched.steps_seconds)


def recipe_of(seed: int, **changes: object) -> TrainingRecipe:
    """The built-in base's preset for a style."""
    parser = argparse.ArgumentParser()
    brand_effect.add_recipe_options(parser)
    usual = brand_effect.recipe_of(parser.parse_args([]))
    watched = {"sample_prompts": ASKED, "sample_steps": 20, "checkpoint_every": 100, "seed": seed}
    return TrainingRecipe.model_validate(usual.model_dump() | watched | changes)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--trainings", type=int, default=10)
    parser.add_argument("--times", type=int, default=4, help="of the preset's 400 steps")
    parser.add_argument("--steps", type=int, default=400)
    options = parser.parse_args()
    learned, held_out = pictures_in(DATA / "brand"), pictures_in(DATA / "brand_held_out")
    near_best = better_than_last = rung_at_five = rung_at_all = 0
    for seed in range(options.trainings):
        course = run(learned, held_out, recipe_of(seed, steps=options.steps * options.times))
        advice = advise(course.told)
        assert advice is not None
        away = {step: nearness(one, course.unseen[0]) or 0.0 for step, one in course.unseen.items() if step}
        best, last = min(away.values()), away[max(away)]
        near_best += away[advice.step] <= best * 1.05
        better_than_last += away[advice.step] < last
        print(
            f"seed {seed}: {advice.msgid % advice.params} Unseen: {away}; drawing {course.drawing:.1%} and measuring "
            f"{course.measuring:.1%} of the steps' time"
        )
        for step, one in course.told.items():
            print(f"  {step}: {one.model_dump(exclude={'copies'})}, {len(one.copies)} copies")
        few = run(learned[::5], held_out, recipe_of(seed, steps=options.steps, rank=64, alpha=64))
        many = run(learned, held_out, recipe_of(seed, steps=options.steps))
        for name, one in (("five at rank 64", few), ("all at the preset", many)):
            likeness = max(reading.likeness for step, reading in one.told.items() if step)
            print(f"  {name}: likeness {likeness:.3f}, the base's {one.told[0].likeness:.3f}")
        rung_at_five += any(one.copies for one in few.told.values())
        rung_at_all += any(one.copies for one in many.told.values())
    print(
        f"of {options.trainings}: advised within 5 % of the best {near_best}, better than the last {better_than_last}; "
        f"alarm at five pictures {rung_at_five}, at all {rung_at_all}"
    )


if __name__ == "__main__":
    main()
