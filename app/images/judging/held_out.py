"""Which of a brand's pictures are kept back: they judge trainings, and no training learns from them. Pure."""

from collections.abc import Sequence
from typing import Protocol

from app.images.judging.look_alikes import find_look_alikes

FROM = 12
"""With fewer pictures than this every one is needed to learn from."""
SHARE, LEAST = 0.1, 2
MOST_OVER = 1.5
"""So many times what is wanted may be kept back, where pictures that look alike are many."""


class PictureFacts(Protocol):
    """What is asked of a picture that takes part."""

    @property
    def id(self) -> str: ...
    @property
    def sha256(self) -> str: ...
    @property
    def dhash(self) -> str: ...
    @property
    def only_judging(self) -> bool: ...


def wanted(count: int) -> int:
    """How many of so many pictures are kept back where nobody names any."""
    return max(LEAST, round(count * SHARE)) if count >= FROM else 0


def held_out_ids(pictures: Sequence[PictureFacts]) -> frozenset[str]:
    """Of the pictures that take part, from the oldest to the newest: those that a person named with all that look like
    them, and as many more as ``wanted`` says.

    These are chosen by the hash of the oldest picture's bytes, near-twins together, so that the same stay apart from
    one training to the next even when others are added, and nothing in a picture decides.
    """
    families = _families(pictures)
    chosen = {one.id for family in families if any(one.only_judging for one in family) for one in family}
    left = wanted(len(pictures))
    others = [family for family in families if family[0].id not in chosen]
    others.sort(key=lambda family: family[0].sha256)
    for family in others:
        if len(chosen) < left and len(chosen) + len(family) <= MOST_OVER * left:
            chosen.update(one.id for one in family)
    # Where all families are larger than that: the smallest ones, while most pictures are still learned.
    for family in sorted(others, key=len):
        is_new = family[0].id not in chosen
        if is_new and len(chosen) < min(left, LEAST) and len(chosen) + len(family) <= len(pictures) / 2:
            chosen.update(one.id for one in family)
    return frozenset(chosen)


def _families(pictures: Sequence[PictureFacts]) -> list[list[PictureFacts]]:
    """Pictures that look alike, also by way of others; each family from the oldest to the newest."""
    above = list(range(len(pictures)))

    def first_of(place: int) -> int:
        while above[place] != place:
            place = above[place]
        return place

    for pair in find_look_alikes([one.dhash for one in pictures]):
        one, other = sorted((first_of(pair.first), first_of(pair.second)))
        above[other] = one
    found: dict[int, list[PictureFacts]] = {}
    for place, picture in enumerate(pictures):
        found.setdefault(first_of(place), []).append(picture)
    return list(found.values())
