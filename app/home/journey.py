"""Collect, train, create, review: where a brand stands on its way. Plain arithmetic on what it has."""

from dataclasses import dataclass

from app.images.queries import ENOUGH_IMAGES


@dataclass(frozen=True)
class Holdings:
    """What a brand has. ``images`` are those that training will see, ``adapters`` those that draw and were not stopped
    early."""

    images: int = 0
    adapters: int = 0
    visuals: int = 0
    to_review: int = 0
    """Of the visuals, those that nobody has judged."""
    approved: int = 0
    training_now: bool = False


@dataclass(frozen=True)
class Journey:
    """``now`` is the step to take, ``done`` the steps behind."""

    now: str
    done: tuple[str, ...]
    is_over: bool = False
    """It was walked once to its end, so nobody needs the way any more."""


def journey(holdings: Holdings) -> Journey:
    """The next step, and which ones are done. A step counts as done by its result, whatever came before.

    Visuals of the base model alone are not what a brand is after, so training stays the next step.
    """
    results = {
        "collect": holdings.images >= ENOUGH_IMAGES,
        "train": holdings.adapters > 0 and not holdings.training_now,
        "create": holdings.visuals > 0,
        "review": holdings.approved > 0,
    }
    done = tuple(step for step, is_done in results.items() if is_done)
    return Journey(_now(holdings), done, is_over=holdings.adapters > 0 and holdings.approved > 0)


def _now(holdings: Holdings) -> str:
    if holdings.training_now:
        return "train"
    if holdings.adapters:
        return "review" if holdings.to_review else "create"
    return "train" if holdings.images >= ENOUGH_IMAGES else "collect"
