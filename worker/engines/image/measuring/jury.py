"""What a jury sees in drawings: how far they are from a brand, from one another, from the base's own, and whether one
repeats a picture that was learned. Numbers of pictures alone; needs no model.

It does not know what a picture shows: structure stands for the subject, which is right as far as a style leaves shapes
where they are.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from worker.engines.image.measuring.style_statistics import (
    StyleDistance,
    StyleStatistics,
    style_distance,
    style_statistics,
    to_lab,
)

Array = NDArray[np.float64]
SIDE = 32
COPY = 0.9
"""From this likeness on two pictures are one and the same to the eye."""
ABOVE_BASE = 0.1
"""And the drawing must be so much more like the picture than the base's at the same words and seed was: a flat ground
makes everything alike."""


@dataclass(frozen=True)
class Drawing:
    """What was asked for, and what came of it."""

    prompt: str
    seed: int
    picture: Image.Image


@dataclass(frozen=True)
class Nearest:
    """Of one drawing: the place of the learned picture most like it, and how like, -1 to 1."""

    place: int
    likeness: float
    is_copy: bool


@dataclass(frozen=True)
class Seen:
    """What was measured of one step's drawings."""

    distance: StyleDistance | None
    """To the pictures kept back; None where there are none."""
    diversity: float | None
    obedience: float
    nearest: tuple[Nearest, ...]
    """For each drawing; none where nothing was learned."""


def look(
    drawn: Sequence[Drawing],
    base: Sequence[Drawing],
    held_out: StyleStatistics | None,
    learned: Sequence[Image.Image],
) -> Seen:
    """``held_out`` are the statistics of the pictures kept back, where there are any; ``base`` are the same prompts and
    seeds in the same order, drawn without the adapter. Raises ValueError if there are no drawings, or not the same
    ones."""
    if [(one.prompt, one.seed) for one in drawn] != [(one.prompt, one.seed) for one in base]:
        raise ValueError("the base has not drawn the same prompts at the same seeds")
    pictures = [one.picture for one in drawn]
    own, before = [structure(one) for one in pictures], [structure(one.picture) for one in base]
    return Seen(
        distance=style_distance(style_statistics(pictures), held_out) if held_out is not None else None,
        diversity=_diversity(drawn, own),
        obedience=float(np.mean([_alike(one, other) for one, other in zip(own, before, strict=True)])),
        nearest=nearest(pictures, [one.picture for one in base], learned),
    )


def nearest(
    drawn: Sequence[Image.Image], base: Sequence[Image.Image], learned: Sequence[Image.Image]
) -> tuple[Nearest, ...]:
    """For each drawing the learned picture that it is most like."""
    if not learned:
        return ()
    known = [_appearance(one) for one in learned]
    found = []
    for picture, before in zip(drawn, base, strict=True):
        likenesses = [_alike(_appearance(picture), one) for one in known]
        place = int(np.argmax(likenesses))
        usual = _alike(_appearance(before), known[place])
        is_copy = likenesses[place] >= COPY and likenesses[place] - usual >= ABOVE_BASE
        found.append(Nearest(place, likenesses[place], is_copy))
    return tuple(found)


def structure(picture: Image.Image) -> Array:
    """Where lines are and how strong: the gradient of L* on 32x32 places, blurred by one, of mean 0 and length 1."""
    light = _lab(picture)[..., 0]
    rows, columns = np.gradient(light)
    return _unit(_blurred(np.hypot(rows, columns)))


def _appearance(picture: Image.Image) -> Array:
    """Colours and where they are: L*a*b* on 32x32 places, blurred by one, of mean 0 and length 1."""
    lab = _lab(picture)
    return _unit(np.stack([_blurred(lab[..., n]) for n in range(3)]))


def _lab(picture: Image.Image) -> Array:
    small = picture.convert("RGB").resize((SIDE, SIDE), Image.Resampling.BOX)
    return to_lab(np.asarray(small))


def _blurred(values: Array) -> Array:
    """The mean over 3x3 places, borders repeated."""
    wide = np.pad(values, 1, mode="edge")
    return np.mean([wide[y : y + SIDE, x : x + SIDE] for y in range(3) for x in range(3)], axis=0)


def _unit(values: Array) -> Array:
    around = values - values.mean(axis=(-2, -1), keepdims=True)
    return around / max(float(np.linalg.norm(around)), 1e-9)


def _alike(one: Array, other: Array) -> float:
    return float((one * other).sum())


def _diversity(drawn: Sequence[Drawing], own: Sequence[Array]) -> float | None:
    by_prompt: Mapping[str, list[Array]] = {
        prompt: [own[n] for n, one in enumerate(drawn) if one.prompt == prompt]
        for prompt in dict.fromkeys(one.prompt for one in drawn)
    }
    apart = [
        1 - _alike(one, other)
        for several in by_prompt.values()
        for n, one in enumerate(several)
        for other in several[n + 1 :]
    ]
    return float(np.mean(apart)) if apart else None
