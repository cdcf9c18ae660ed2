"""The places where a visual is shown, each with its proportion, as data."""

import math
from dataclasses import dataclass

from app.errors import N_
from app.layouts import channels as finished

SMALLEST, LARGEST = 64, 2048
"""What ``GenerationRecipe`` accepts for a side."""


@dataclass(frozen=True)
class Channel:
    """``across`` to ``down`` is the proportion."""

    key: str
    name: str
    across: int
    down: int


CHANNELS = (
    Channel("square", N_("Square post"), *finished.channel("instagram_square").ratio),
    Channel("portrait", N_("Portrait post"), *finished.channel("instagram_portrait").ratio),
    Channel("story", N_("Story"), *finished.channel("instagram_story").ratio),
    Channel("banner", N_("Banner"), *finished.channel("x_post").ratio),
)
"""The proportions of finished ads; their pixels are chosen for each base."""
LIKE_START = "start"
"""In place of a channel's key: the proportion of the picture that the order starts from."""
CHANNEL_KEYS = tuple(channel.key for channel in CHANNELS)


def channel(key: str) -> Channel | None:
    return next((one for one in CHANNELS if one.key == key), None)


def like(width: int, height: int) -> Channel:
    """The proportion of a picture of these pixels."""
    return Channel(LIKE_START, N_("Same as the picture"), width, height)


def size_for(channel: Channel, *, native: int, multiple: int) -> tuple[int, int]:
    """Width and height in pixels for a base that learned at ``native`` × ``native``.

    Both sides are multiples of ``multiple``; among those near the wished size the one counts whose proportion is
    closest, then whose area is closest to what the base knows.
    """
    ideal_width = native * math.sqrt(channel.across / channel.down)
    ideal_height = native * math.sqrt(channel.down / channel.across)

    def near(ideal: float) -> set[int]:
        down, up = math.floor(ideal / multiple) * multiple, math.ceil(ideal / multiple) * multiple
        least = math.ceil(SMALLEST / multiple) * multiple
        most = LARGEST // multiple * multiple
        return {min(max(side, least), most) for side in (down, up)}

    def distance(size: tuple[int, int]) -> float:
        width, height = size
        proportion = abs(math.log(width / height * channel.down / channel.across))
        area = abs(math.log(width * height / native**2))
        return 2 * proportion + area

    sizes = [(width, height) for width in sorted(near(ideal_width)) for height in sorted(near(ideal_height))]
    return min(sizes, key=distance)
