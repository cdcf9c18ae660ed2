"""What the browser may send about a kit. Lists come as lines of a field."""

from itertools import zip_longest
from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, BeforeValidator, Field, StringConstraints

from app.brand_kits.snapshot import (
    LONGEST_ABOUT,
    LONGEST_FAMILY,
    LONGEST_LICENCE,
    LONGEST_NAME,
    MOST_LOCALES,
    MOST_PERSONAS,
    Colours,
    FontRoles,
    LegalLines,
    Locale,
    Persona,
)
from app.web.text import Line, Text, clean_line


def _tag(value: object) -> object:
    """A language tag in the usual spelling: ``pt-br`` is ``pt-BR``."""
    if not isinstance(value, str):
        return value
    first, *others = value.strip().replace("_", "-").split("-")
    return "-".join([first.lower(), *(one.title() if len(one) == 4 else one.upper() for one in others)])


def _empty_is_none(value: object) -> object:
    return None if value == "" else value


LanguageTag = Annotated[Locale, BeforeValidator(_tag)]
Colour = Annotated[
    Annotated[str, StringConstraints(pattern="^#[0-9a-fA-F]{6}$"), AfterValidator(str.lower)] | None,
    BeforeValidator(_empty_is_none),
]
Percent = Annotated[float, Field(ge=0, le=200)]
Share = Annotated[float, Field(ge=0, le=2)]
LeastWidth = Annotated[int, Field(ge=8, le=4000)]
Licence = Annotated[Line, Field(max_length=LONGEST_LICENCE)]
PersonaName = Annotated[Line, Field(max_length=LONGEST_NAME)]
About = Annotated[Line, Field(max_length=LONGEST_ABOUT)]
Family = Annotated[Line, Field(min_length=1, max_length=LONGEST_FAMILY)]
Number = Annotated[int, Field(ge=0, le=1_000_000)]
OptionalNumber = Annotated[Number | None, BeforeValidator(_empty_is_none)]
FileHash = Annotated[str, StringConstraints(pattern="^[0-9a-f]{16}([0-9a-f]{48})?$")]
"""Of a logo or font: whole, or its first 16 digits."""


class KitForm(BaseModel, defer_build=True):
    """``version`` is the kit that the form was opened with, ``over`` one that was seen since and is replaced on
    purpose. A form without either replaces whatever there is."""

    version: OptionalNumber = None
    over: OptionalNumber = None


class ColoursForm(KitForm):
    role_primary: Colour = None
    role_accent: Colour = None
    role_ground: Colour = None
    role_text: Colour = None

    def parts(self) -> dict[str, Any]:
        colours = Colours(
            primary=self.role_primary, accent=self.role_accent, ground=self.role_ground, text=self.role_text
        )
        return {"colours": colours}


class DoNotsForm(KitForm):
    do_nots: Text = ""

    def parts(self) -> dict[str, Any]:
        return {"do_nots": _lines_of(self.do_nots)}


class LegalForm(KitForm):
    """Three lists of equal length, a place in them for each language; one without a language is left out."""

    locale: Annotated[
        list[Annotated[LanguageTag | None, BeforeValidator(_empty_is_none)]], Field(max_length=MOST_LOCALES + 1)
    ] = Field(default_factory=list)
    legal: Annotated[list[Text], Field(max_length=MOST_LOCALES + 1)] = Field(default_factory=list)
    disclaimers: Annotated[list[Text], Field(max_length=MOST_LOCALES + 1)] = Field(default_factory=list)

    def parts(self) -> dict[str, Any]:
        rows = zip_longest(self.locale, self.legal, self.disclaimers, fillvalue="")
        lines = tuple(
            LegalLines(locale=locale, legal=_lines_of(legal or ""), disclaimers=_lines_of(disclaimers or ""))
            for locale, legal, disclaimers in rows
            if locale
        )
        return {"legal": lines}


class PersonasForm(KitForm):
    """Three lists of equal length; a persona without a name is left out."""

    persona: Annotated[list[PersonaName], Field(max_length=MOST_PERSONAS)] = Field(default_factory=list)
    who: Annotated[list[About], Field(max_length=MOST_PERSONAS)] = Field(default_factory=list)
    motive: Annotated[list[About], Field(max_length=MOST_PERSONAS)] = Field(default_factory=list)

    def parts(self) -> dict[str, Any]:
        rows = zip_longest(self.persona, self.who, self.motive, fillvalue="")
        return {"personas": tuple(Persona(name=name, who=who, motive=motive) for name, who, motive in rows if name)}


class PlaceLogoForm(KitForm):
    clear_percent: Percent = 25
    """Of the logo's height."""
    least_width: LeastWidth = 80


class FamilyForm(BaseModel, defer_build=True):
    family: Family


OptionalFamily = Annotated[Family | None, BeforeValidator(_empty_is_none)]


class FontRolesForm(KitForm):
    """Empty: the font that Livery ships."""

    headline_family: OptionalFamily = None
    body_family: OptionalFamily = None

    def parts(self) -> dict[str, Any]:
        return {"font_roles": FontRoles(headline=self.headline_family, body=self.body_family)}


class FontForm(KitForm):
    """``may_embed`` is a tick: a form without it says no."""

    licence: Licence = ""
    may_embed: bool = False


def _lines_of(text: str) -> tuple[str, ...]:
    return tuple(line for one in text.splitlines() if (line := clean_line(one)))
