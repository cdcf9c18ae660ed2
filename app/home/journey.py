"""Collect, train, create, review: where a brand stands on its way. Plain arithmetic on what it has."""

from dataclasses import dataclass

from app.images.queries import ENOUGH_IMAGES


@dataclass(frozen=True)
class Holdings:
    """What a brand has. ``images`` are those that training will see."""

    images: int = 0
    adapters: int = 0
    visuals: int = 0
    training_now: bool = False


@dataclass(frozen=True)
class Journey:
    """``now`` is the step to take, ``done`` the steps behind."""

    now: str
    done: tuple[str, ...]


def journey(holdings: Holdings) -> Journey:
    """The next step, and which ones are done. A step counts as done by its result, whatever came before.

    Visuals of the base model alone are not what a brand is after, so training stays the next step.
    """
    done = []
    if holdings.images >= ENOUGH_IMAGES:
        done.append("collect")
    if holdings.adapters:
        done.append("train")
    if holdings.visuals:
        done.append("create")
    if holdings.training_now:
        return Journey("train", tuple(step for step in done if step != "train"))
    if holdings.adapters:
        return Journey("review" if holdings.visuals else "create", tuple(done))
    return Journey("train" if holdings.images >= ENOUGH_IMAGES else "collect", tuple(done))
