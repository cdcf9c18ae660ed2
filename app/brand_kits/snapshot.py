"""What a brand's kit says at one version. Pure data: what is exported names the version that it was made with."""

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

LogoKind = Literal["light", "dark", "mono"]
"""For light ground, for dark ground, in one colour."""
LOGO_KINDS: tuple[LogoKind, ...] = ("light", "dark", "mono")
Role = Literal["primary", "accent", "ground", "text"]
ROLES: tuple[Role, ...] = ("primary", "accent", "ground", "text")
MOST_FONTS = 24
MOST_AWAITED = 12
MOST_DO_NOTS = 20
MOST_LOCALES = 24
MOST_LINES = 12
"""Legal lines, or disclaimers, of one language."""
MOST_PERSONAS = 6
LONGEST_DO_NOT = 200
LONGEST_LINE = 1000
"""Characters of a legal line or disclaimer."""
LONGEST_ABOUT = 400
"""Characters of what is said of a persona."""
LONGEST_NAME = 80
LONGEST_LICENCE = 300
LONGEST_FAMILY = 100
CLEAR_SPACE = 0.25
"""Share of the logo's height where nobody has said another."""
LEAST_WIDTH = 80
"""Pixels, likewise."""
RESTRICTED = 2
"""The bit of ``fsType`` by which a font forbids embedding."""

Hash = Annotated[str, StringConstraints(pattern="^[0-9a-f]{64}$")]
Hex = Annotated[str, StringConstraints(pattern="^#[0-9a-f]{6}$")]
Locale = Annotated[str, StringConstraints(pattern=r"^[a-z]{2,3}(-[A-Z][a-z]{3})?(-([A-Z]{2}|[0-9]{3}))?$")]
"""A language tag such as ``de``, ``pt-BR`` or ``zh-Hant``."""


class Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, defer_build=True)


class Logo(Part):
    """A checked file in the storage, and how it is placed."""

    kind: LogoKind
    sha256: Hash
    key: str
    format: Literal["svg", "png"]
    filename: str
    byte_count: int
    width: int
    """Pixels of a PNG; an SVG's proportion at 1,000 on the longest side. ``height`` likewise."""
    height: int
    transparent: bool
    clear_space: Annotated[float, Field(ge=0, le=2)] = CLEAR_SPACE
    """Nothing else may come nearer: a share of the logo's height."""
    least_width: Annotated[int, Field(ge=8, le=4000)] = LEAST_WIDTH
    """Pixels below which it is not drawn."""


class Font(Part):
    """One cut of a family. ``sha256`` is of the stored file, which is TTF or OTF whatever was brought."""

    sha256: Hash
    key: str
    format: Literal["ttf", "otf"]
    filename: str
    byte_count: int
    family: str
    style: str
    weight: int
    """1 to 1,000; 400 is regular, 700 bold."""
    italic: bool
    variable: bool
    glyphs: int
    fs_type: int
    """What the font itself says about embedding, as its bits."""
    licence: Annotated[str, Field(max_length=LONGEST_LICENCE)] = ""
    may_embed: bool = False
    """What the team says, who have read the licence."""

    @property
    def forbids_embedding(self) -> bool:
        return bool(self.fs_type & RESTRICTED)


class Colours(Part):
    """What a finished ad paints with; None where nobody has chosen."""

    primary: Hex | None = None
    accent: Hex | None = None
    ground: Hex | None = None
    text: Hex | None = None


class FontRoles(Part):
    """Families that ads are set in; None is the font that Livery ships."""

    headline: str | None = None
    body: str | None = None
    """All words but the headline."""


class LegalLines(Part):
    """What must stand on ads in one language."""

    locale: Locale
    legal: tuple[str, ...] = ()
    disclaimers: tuple[str, ...] = ()


class Persona(Part):
    name: str
    who: str = ""
    motive: str = ""
    """What moves them."""


class KitSnapshot(Part):
    """Everything that finished ads need of a brand. Version 0 is the empty kit of a brand that has none yet."""

    version: int = 0
    logos: tuple[Logo, ...] = ()
    """At most one of each kind, in the order of ``LOGO_KINDS``."""
    fonts: tuple[Font, ...] = ()
    """By family, weight and slant."""
    font_roles: FontRoles = Field(default_factory=FontRoles)
    awaited: tuple[str, ...] = ()
    """Families that the guideline names and whose files somebody has yet to add."""
    colours: Colours = Field(default_factory=Colours)
    do_nots: tuple[str, ...] = ()
    legal: tuple[LegalLines, ...] = ()
    """One for each language that has any, by tag."""
    personas: tuple[Persona, ...] = ()

    def logo(self, kind: str) -> Logo | None:
        return next((logo for logo in self.logos if logo.kind == kind), None)

    def font(self, sha: str) -> Font | None:
        """By its hash or the first 16 digits of that."""
        return next((font for font in self.fonts if sha in (font.sha256, font.sha256[:16])), None)

    @property
    def families(self) -> tuple[str, ...]:
        """The families of its fonts, each once."""
        return tuple(dict.fromkeys(font.family for font in self.fonts))

    def legal_for(self, locale: str) -> LegalLines:
        """The lines for a language; those for ``de`` also serve ``de-AT``, which has none of its own."""
        for wanted in (locale, locale.split("-")[0]):
            for lines in self.legal:
                if lines.locale == wanted:
                    return lines
        return LegalLines(locale=locale)

    def same_as(self, other: "KitSnapshot") -> bool:
        """Whether both say the same, whatever their versions."""
        return self.model_copy(update={"version": other.version}) == other
