"""What the browser and programs may send about a guideline's proposals, by their places in the lists."""

from typing import Annotated

from pydantic import BaseModel, BeforeValidator, Field

from app.brand_kits.guidelines.proposals import Ticked
from app.brand_kits.snapshot import LogoKind, Role
from app.web.api.json_body import JsonBody

MOST_PLACES = 60


def _empty_is_none(value: object) -> object:
    return None if value == "" else value


Place = Annotated[int, Field(ge=0, lt=MOST_PLACES)]
Places = Annotated[list[Place], Field(max_length=MOST_PLACES)]


class TakeOverForm(BaseModel, defer_build=True):
    """Ticks, and what is chosen for every colour and logo, ticked or not."""

    colour: Places = Field(default_factory=list)
    role: Annotated[list[Annotated[Role | None, BeforeValidator(_empty_is_none)]], Field(max_length=MOST_PLACES)] = (
        Field(default_factory=list)
    )
    rule: Places = Field(default_factory=list)
    family: Places = Field(default_factory=list)
    logo: Places = Field(default_factory=list)
    use: Annotated[list[LogoKind], Field(max_length=MOST_PLACES)] = Field(default_factory=list)

    def ticked(self) -> Ticked:
        return Ticked(
            colours={place: self.role[place] if place < len(self.role) else None for place in self.colour},
            rules=self.rule,
            families=self.family,
            logos={place: self.use[place] if place < len(self.use) else "light" for place in self.logo},
        )


class ColourChoice(JsonBody):
    """A colour for the palette, and the role that it gets, if any."""

    place: Place
    role: Role | None = None


class LogoChoice(JsonBody):
    """A logo and its use."""

    place: Place
    kind: LogoKind


class TakeOver(JsonBody):
    """What the kit gets, by the places in the lists of the proposals, from 0."""

    colours: Annotated[list[ColourChoice], Field(max_length=MOST_PLACES)] = Field(default_factory=list)
    rules: Places = Field(default_factory=list)
    families: Places = Field(default_factory=list)
    logos: Annotated[list[LogoChoice], Field(max_length=MOST_PLACES)] = Field(default_factory=list)

    def ticked(self) -> Ticked:
        return Ticked(
            colours={one.place: one.role for one in self.colours},
            rules=self.rules,
            families=self.families,
            logos={one.place: one.kind for one in self.logos},
        )
