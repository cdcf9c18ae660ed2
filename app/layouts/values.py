"""What a finished ad is made of: the canvas, the words and pictures, the brand's colours, and what comes out.

Lengths are pixels of the canvas; an offset counts from its top left corner.
"""

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:  # the web process reads the table of channels, and has no decoder
    from PIL.Image import Image


Theme = Literal["light", "dark"]
THEMES: tuple[Theme, ...] = ("light", "dark")
Direction = Literal["ltr", "rtl"]
ProportionClass = Literal["tall", "square", "wide", "strip"]
PROPORTION_CLASSES: tuple[ProportionClass, ...] = ("tall", "square", "wide", "strip")
RIGHT_TO_LEFT = frozenset(("ar", "fa", "he", "ur", "yi"))
TALL_SCRIPTS = frozenset(("ar", "fa", "ur"))
"""Languages whose letters reach further above and below the line than Latin ones."""
TEXT_SLOTS = ("headline", "body", "call_to_action", "badge", "legal", "ai_label")
SLOTS = ("picture", *TEXT_SLOTS, "logo")


@dataclass(frozen=True)
class Insets:
    """Pixels from each edge that nothing but the picture may use, because an app's own buttons cover them."""

    top: int = 0
    right: int = 0
    bottom: int = 0
    left: int = 0


@dataclass(frozen=True)
class Canvas:
    """``bleed_px`` is drawn beyond each edge of a print PDF; ``dpi`` says how large the pixels are on paper."""

    width_px: int
    height_px: int
    safe: Insets = Insets()
    bleed_px: int = 0
    dpi: int = 72


@dataclass(frozen=True)
class Colours:
    """A brand's colours by their roles, each as ``#rrggbb``."""

    primary: str
    accent: str
    ground: str
    text: str


@dataclass(frozen=True)
class Slots:
    """What is put into a layout; an empty text leaves its slot out.

    ``picture`` is a PNG, JPEG or WebP file that has been checked before; ``focus`` is the point of it that cropping
    keeps, from (0, 0) at its top left to (1, 1). Logos are SVG or PNG files, one for light and one for dark ground;
    files from outside are checked before they come here.
    ``logo_clear_space`` is the room that nothing else may enter around it, as a share of the logo's height.
    """

    picture: bytes
    focus: tuple[float, float] = (0.5, 0.5)
    headline: str = ""
    body: str = ""
    call_to_action: str = ""
    badge: str = ""
    legal: str = ""
    ai_label: str = ""
    logo_on_light: bytes | None = None
    logo_on_dark: bytes | None = None
    logo_clear_space: float = 0.25


@dataclass(frozen=True)
class Locale:
    """A language by its tag, such as ``de`` or ``pt-BR``: it decides hyphenation and the direction of reading."""

    tag: str

    @property
    def language(self) -> str:
        return self.tag.split("-")[0].split("_")[0].lower()

    @property
    def direction(self) -> Direction:
        return "rtl" if self.language in RIGHT_TO_LEFT else "ltr"

    @property
    def has_tall_letters(self) -> bool:
        return self.language in TALL_SCRIPTS


@dataclass(frozen=True)
class Rectangle:
    """Offset and size in pixels of the canvas."""

    x: float
    y: float
    width: float
    height: float

    def overlaps(self, other: "Rectangle", *, by: float = 0.5) -> bool:
        """Whether both share more than ``by`` pixels across and down."""
        across = min(self.x + self.width, other.x + other.width) - max(self.x, other.x)
        down = min(self.y + self.height, other.y + other.height) - max(self.y, other.y)
        return across > by and down > by

    def lies_in(self, other: "Rectangle", *, slack: float = 0.5) -> bool:
        return (
            self.x >= other.x - slack
            and self.y >= other.y - slack
            and self.x + self.width <= other.x + other.width + slack
            and self.y + self.height <= other.y + other.height + slack
        )

    def grown(self, by: float) -> "Rectangle":
        return Rectangle(self.x - by, self.y - by, self.width + 2 * by, self.height + 2 * by)


@dataclass(frozen=True)
class Finding:
    """Something that a person must look at before the ad goes out.

    ``code`` is one of ``app.layouts.findings.SENTENCES`` and stays the same between versions.
    """

    code: str
    slot: str
    numbers: dict[str, float] = field(default_factory=dict)


@dataclass(frozen=True)
class Layer:
    """One layer of the ad on a transparent page of the canvas' size, as RGBA, from the bottom up."""

    name: Literal["ground", "picture", "scrim", "shapes", "text", "logo"]
    image: "Image"


@dataclass(frozen=True)
class Rendered:
    """A finished ad: its PNG, where each slot lies, and what to look at. ``layers`` compose to the PNG's pixels."""

    png: bytes
    boxes: dict[str, Rectangle]
    findings: tuple[Finding, ...]
    layers: tuple[Layer, ...]


@dataclass(frozen=True)
class RenderedPdf:
    """The same ad as a PDF with live text and embedded fonts."""

    pdf: bytes
    boxes: dict[str, Rectangle]
    findings: tuple[Finding, ...]
