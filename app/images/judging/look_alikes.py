"""Pictures that look alike, and what to tell people about one picture in a word.

A difference hash sees composition, not meaning: it finds the same photo in another size, format or slight edit. It
does not find the same object from another side, and it can mistake two sparse logos for one another, so a twin is a
hint and never a reason to refuse.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from app.errors import N_
from app.images.reading.notes import Note

MAX_DISTANCE = 6  # of 64 bits; re-saving and resizing change 0 to 4, different photos about 32
LEAST_STRUCTURE = 4  # bits set; a hash with fewer is a nearly flat picture and says nothing about likeness


@dataclass(frozen=True)
class LookAlikes:
    """Two positions in the list that was given, `first < second`, and how many of 64 bits differ."""

    first: int
    second: int
    distance: int


class PictureStatus(StrEnum):
    """One word per picture, for its badge. The value is the English word and is stored nowhere."""

    GOOD = "good"
    SMALL = "small"
    BLURRY = "blurry"
    TWIN = "twin"


STATUS_WORDS = {
    PictureStatus.GOOD: N_("good"),
    PictureStatus.SMALL: N_("small"),
    PictureStatus.BLURRY: N_("blurry"),
    PictureStatus.TWIN: N_("twin"),
}
STATUS_ADVICE = {
    PictureStatus.GOOD: N_("Sharp and large enough for training."),
    PictureStatus.SMALL: N_(
        "Only %(side)s pixels on the shorter side. Training enlarges the picture, and the model learns the "
        "softness. Please use a version with %(small_side)s pixels or more."
    ),
    PictureStatus.BLURRY: N_(
        "Looks out of focus at training size. The model may learn the blur, so it is better to exclude this picture."
    ),
    PictureStatus.TWIN: N_(
        "Almost identical to another picture here. Keep the better one, or the model learns it too strongly."
    ),
}


@dataclass(frozen=True)
class StatusThresholds:
    """The bounds beyond which a picture is not good."""

    # Pixels of the shorter side. Training at 1,024 pixels enlarges a picture of 768 by a third, which is still hard to
    # see; below that the softness shows. For a base model with a lower resolution, pass three quarters of it.
    small_side: int = 768
    # Variance of the Laplacian at 512 pixels. Photos in focus have hundreds, flat logos about a hundred by their edges
    # alone; a blur one can see at that size brings both under 30.
    blurry_sharpness: float = 30.0


def find_look_alikes(hashes: Sequence[str], max_distance: int = MAX_DISTANCE) -> list[LookAlikes]:
    """All pairs of 16-hex-digit hashes that differ in at most `max_distance` bits, nearest first.

    Row by row over the whole list: two million comparisons for 2,000 pictures, and memory for one row.
    Raises: ValueError for something that is not hexadecimal.
    """
    import numpy as np  # here: few requests compare pictures

    values = np.array([int(text, 16) for text in hashes], dtype=np.uint64)
    has_structure = np.bitwise_count(values) >= LEAST_STRUCTURE
    pairs: list[LookAlikes] = []
    for first in np.flatnonzero(has_structure):
        distances = np.bitwise_count(values[first + 1 :] ^ values[first])
        near = np.flatnonzero((distances <= max_distance) & has_structure[first + 1 :])
        pairs.extend(LookAlikes(int(first), int(first + 1 + n), int(distances[n])) for n in near)
    return sorted(pairs, key=lambda pair: (pair.distance, pair.first, pair.second))


def status_of(
    width: int, height: int, sharpness: float, *, is_twin: bool, thresholds: StatusThresholds | None = None
) -> PictureStatus:
    """The most useful thing to say about a picture (`width` and `height` of the original in pixels).

    A twin can simply be left out, so it comes first. A small picture is blurry once enlarged, so small comes before.
    """
    limits = thresholds or StatusThresholds()
    if is_twin:
        return PictureStatus.TWIN
    if min(width, height) < limits.small_side:
        return PictureStatus.SMALL
    return PictureStatus.BLURRY if sharpness < limits.blurry_sharpness else PictureStatus.GOOD


def advice_for(status: PictureStatus, width: int, height: int, thresholds: StatusThresholds | None = None) -> Note:
    """One sentence for people that belongs to the badge."""
    limits = thresholds or StatusThresholds()
    params = {"side": min(width, height), "small_side": limits.small_side} if status is PictureStatus.SMALL else {}
    return Note(STATUS_ADVICE[status], params)
