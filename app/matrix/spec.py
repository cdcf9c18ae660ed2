"""What decides the pixels of one ad, frozen with each of its versions. Pure data."""

from typing import Annotated, Literal

from pydantic import Field, StringConstraints

from app.layouts.channels import Channel
from app.layouts.values import Canvas, Insets, ProportionClass, Theme
from app.matrix.brief import Key, LocaleTag, Part

PictureClass = Literal["tall", "square", "wide"]
"""Proportions that pictures are drawn in; a strip is cut from the one that is nearest to it."""
PICTURE_CLASSES: tuple[PictureClass, ...] = ("tall", "square", "wide")
STUDIO_CHANNELS: dict[PictureClass, str] = {"tall": "portrait", "square": "square", "wide": "banner"}
"""The studio's proportion that a class is drawn in."""
SHORT_BELOW = 130_000
"""Pixels of an ad below which the short headline stands on it."""
HIDEABLE = ("body", "call_to_action", "badge", "legal", "ai_label", "logo")

Hash = Annotated[str, StringConstraints(pattern="^[0-9a-f]{64}$")]
Share = Annotated[float, Field(ge=0, le=1)]


class Words(Part):
    """What stands on an ad; an empty text leaves its place out."""

    headline: Annotated[str, StringConstraints(max_length=200)] = ""
    short_headline: Annotated[str, StringConstraints(max_length=80)] = ""
    """Stands on strips and small formats; empty: the headline does."""
    body: Annotated[str, StringConstraints(max_length=600)] = ""
    call_to_action: Annotated[str, StringConstraints(max_length=60)] = ""
    badge: Annotated[str, StringConstraints(max_length=40)] = ""
    """A price, or a word such as *New*."""
    alt: Annotated[str, StringConstraints(max_length=500)] = ""
    """For people who cannot see the ad; empty: what stands on it."""

    @property
    def alternative(self) -> str:
        """The alternative text: what was written for it, else the ad's own words."""
        return self.alt or " ".join(one for one in (self.headline, self.body, self.call_to_action) if one)


class Place(Part):
    """A channel as it was when the version was made: owners change theirs, and platforms change too."""

    key: Key
    width_px: int
    height_px: int
    proportion: ProportionClass
    safe: tuple[int, int, int, int] = (0, 0, 0, 0)
    """Top, right, bottom, left in pixels."""
    bleed_px: int = 0
    dpi: int = 72
    file_type: str
    max_bytes: int | None = None

    @classmethod
    def of(cls, channel: Channel) -> "Place":
        canvas = channel.canvas
        return cls(
            key=channel.key,
            width_px=canvas.width_px,
            height_px=canvas.height_px,
            proportion=channel.proportion,
            safe=(canvas.safe.top, canvas.safe.right, canvas.safe.bottom, canvas.safe.left),
            bleed_px=canvas.bleed_px,
            dpi=canvas.dpi,
            file_type=channel.file_type,
            max_bytes=channel.max_bytes,
        )

    @property
    def canvas(self) -> Canvas:
        return Canvas(self.width_px, self.height_px, Insets(*self.safe), self.bleed_px, self.dpi)

    @property
    def is_short(self) -> bool:
        """Whether the short headline stands here."""
        return self.proportion == "strip" or self.width_px * self.height_px < SHORT_BELOW


class CellSpec(Part):
    """The same specification gives the same pixels, on the same machine."""

    place: Place
    locale: LocaleTag
    output_id: str
    """The picture, by its id and by the hash of its file."""
    picture: Hash
    focus: tuple[Share, Share] = (0.5, 0.5)
    """The point of the picture that cropping keeps, from (0, 0) at its top left to (1, 1)."""
    words: Words = Field(default_factory=Words)
    legal: Annotated[str, StringConstraints(max_length=2000)] = ""
    ai_label: Annotated[str, StringConstraints(max_length=80)] = ""
    layout: Key
    theme: Theme = "light"
    hidden: tuple[str, ...] = ()
    """Slots that are left out, of ``HIDEABLE``."""
    kit_version: int

    @property
    def headline(self) -> str:
        """What stands there at this size."""
        return (self.words.short_headline if self.place.is_short else "") or self.words.headline


def picture_class(width_px: int, height_px: int, proportion: ProportionClass) -> PictureClass:
    """The class of picture that an ad is cut from."""
    if proportion == "strip":
        return "wide" if width_px > height_px else "tall"
    return proportion
