"""The jury of a training on pictures: what it draws, what it read at each step, and which step it advises. Pure.

It looks at prompts that the training never sees, at fixed seeds, beside what the base alone draws there, and measures
against the pictures that are kept back (``app.images.judging.held_out``).
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import fmean

from pydantic import BaseModel, ConfigDict

from app.errors import N_
from app.images.captions import TRIGGER_PLACEHOLDER
from app.trainings.look.recipe import TrainingRecipe

MOST_TIME = 0.15
"""Of the time that the steps take, what the jury's own drawings may add."""
MOST_DRAWINGS = 6
TRAINED, DRAWN = 3, 3
"""Passes through the denoiser: of one picture in a step, the way back being twice the way there; and of one step of
drawing, with the prompt and without, and a half more for being drawn alone, decoded and measured."""
FIRST_POSITION = 1000
"""Of the jury's drawings among a training's samples; those that people watch come before."""

NEAREST = N_("Step %(step)s: nearest to the brand.")
NEAREST_AND_LAST = N_("Step %(step)s: nearest to the brand, and still coming nearer at the end. More steps may help.")
THEN_AWAY = N_("Step %(step)s: nearest to the brand; after it the pictures move away again.")
THEN_COPIES = N_("Step %(step)s: nearest to the brand; from %(from_step)s on it repeats your pictures (%(count)s).")
ALL_COPY = N_(
    "Step %(step)s: nearest to the brand, but every step repeats your pictures (%(count)s). Add more varied ones."
)
NOT_NEARER = N_(
    "Step %(step)s comes closest, but no step is nearer to the brand than the base model alone. Check the pictures "
    "and captions before you use this adapter."
)


class Copy(BaseModel, defer_build=True):
    """A drawing that repeats a picture which the training learned."""

    model_config = ConfigDict(frozen=True)

    position: int
    """Of the drawing among the step's samples."""
    image_id: str
    likeness: float


class Reading(BaseModel, defer_build=True):
    """What the jury measured at one step; step 0 is the base alone."""

    model_config = ConfigDict(frozen=True)

    palette: float | None
    """Mean CIEDE2000 between the drawings' palette and that of the pictures kept back; None where there are none, as
    are ``edges`` and ``texture``, relative differences from 0 to 1."""
    edges: float | None
    texture: float | None
    diversity: float | None
    """How far the structures of two seeds of one prompt are apart, 0 (the same picture) to 2; None where no prompt was
    drawn twice."""
    obedience: float
    """How much of the structure stays that the base draws for the same words at the same seed, -1 to 1."""
    likeness: float
    """Of the drawing that is most like a picture that was learned, -1 to 1."""
    copies: tuple[Copy, ...] = ()


@dataclass(frozen=True)
class Advice:
    """Which step to take, and why in a sentence."""

    step: int
    msgid: str
    params: dict[str, int]

    @property
    def pair(self) -> tuple[str, dict[str, int]]:
        return self.msgid, self.params


@dataclass(frozen=True)
class Verdict:
    """All readings of a training, and what they come to."""

    readings: dict[int, Reading]
    advice: Advice | None

    def points(self, measure: str) -> list[tuple[int, float]]:
        """Steps and values of one measure, where it was taken."""
        values = [(step, getattr(reading, measure)) for step, reading in sorted(self.readings.items())]
        return [(step, value) for step, value in values if value is not None]


def drawings_for(
    recipe: TrainingRecipe, learned: Sequence[str], held_out: Sequence[str]
) -> tuple[tuple[str, int], ...]:
    """Prompts and seeds that the jury has drawn beside the samples, as many as the time allows.

    ``learned`` and ``held_out`` are captions. First a second seed of the samples' unseen prompts, then what the
    pictures show that are kept back.
    """
    steps = TRAINED * recipe.batch_size * recipe.gradient_accumulation_steps * recipe.steps
    sittings = 1 + math.ceil(recipe.steps / recipe.checkpoint_every)
    allowed = MOST_TIME * steps / (DRAWN * recipe.sample_steps * sittings)
    watched = unseen(recipe.sample_prompts, learned)
    shown = unseen([f"{TRIGGER_PLACEHOLDER}, {one}" for one in dict.fromkeys(held_out) if one.strip()], learned)
    seed = recipe.sample_seed
    wanted = [(one, seed + 1) for one in watched]
    wanted += [(one, seed) for one in shown] + [(one, seed + 1) for one in shown]
    return tuple(wanted[: min(MOST_DRAWINGS, int(allowed))])


def unseen(prompts: Sequence[str], learned: Sequence[str]) -> list[str]:
    """Those that are nobody's caption."""
    seen = {_words(one) for one in learned}
    return [one for one in prompts if _words(one) not in seen]


def _words(text: str) -> str:
    return " ".join(text.replace(TRIGGER_PLACEHOLDER, "").strip(" ,.").casefold().split())


def nearness(reading: Reading, base: Reading) -> float | None:
    """How far the step is from the brand, as a share of how far the base is: the mean over palette, edges and texture;
    1 is as far as the base, 0 is the brand. None where nothing was kept back."""
    shares = []
    for name in ("palette", "edges", "texture"):
        now, before = getattr(reading, name), getattr(base, name)
        if now is None or before is None:
            return None
        shares.append(now / max(before, 1e-6))
    return fmean(shares)


def advise(readings: dict[int, Reading]) -> Advice | None:
    """The step nearest to the brand, of those that repeat no picture where there are any. None before two readings, and
    where nothing was kept back to measure against."""
    base = readings.get(0)
    steps = sorted(step for step in readings if step)
    if base is None or not steps:
        return None
    measured = {step: nearness(readings[step], base) for step in steps}
    away = {step: value for step, value in measured.items() if value is not None}
    if not away:
        return None
    clean = [step for step in away if not readings[step].copies]
    best = min(clean or away, key=lambda step: (away[step], step))
    copying = [step for step in steps if readings[step].copies]
    params = {"step": best}
    if away[best] >= 1:
        return Advice(best, NOT_NEARER, params)
    if not clean:
        return Advice(best, ALL_COPY, params | {"count": _repeated(readings, copying)})
    later = [step for step in copying if step > best]
    if later:
        return Advice(best, THEN_COPIES, params | {"from_step": later[0], "count": _repeated(readings, later)})
    if best == steps[-1]:
        return Advice(best, NEAREST_AND_LAST if len(steps) > 1 else NEAREST, params)
    return Advice(best, THEN_AWAY, params)


def _repeated(readings: dict[int, Reading], steps: Sequence[int]) -> int:
    return len({copy.image_id for step in steps for copy in readings[step].copies})
