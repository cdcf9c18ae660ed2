"""The layouts on offer: each a folder in ``designs/``, with ``layout.toml`` (what it is) and ``layout.typ``."""

import tomllib
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from app.errors import N_, NotFound
from app.layouts.values import PROPORTION_CLASSES, SLOTS, ProportionClass

FOLDER = Path(__file__).with_name("designs")
COMMON = FOLDER / "common.typ"


class NoLayout(NotFound):
    sentence = N_("There is no layout of this name.")


@dataclass(frozen=True)
class Layout:
    """What a layout is called, by language, and what it shows.

    ``slots`` says what is shown in each proportion class; ``locked`` are the slots that only an owner may change.
    """

    key: str
    name: dict[str, str]
    about: dict[str, str]
    slots: dict[ProportionClass, tuple[str, ...]]
    locked: tuple[str, ...]

    @property
    def program(self) -> Path:
        return FOLDER / self.key / "layout.typ"


@cache
def layouts() -> tuple[Layout, ...]:
    """All layouts, in the order that their files give. Raises ``ValueError`` for a file that is wrong."""
    found = [(_read(path), path) for path in FOLDER.glob("*/layout.toml")]
    return tuple(layout for layout, _ in sorted(found, key=lambda one: (_order(one[1]), one[0].key)))


def layout(key: str) -> Layout:
    """The layout of this key. Raises ``NoLayout``."""
    for one in layouts():
        if one.key == key:
            return one
    raise NoLayout


def _order(path: Path) -> int:
    return int(tomllib.loads(path.read_text())["order"])


def _read(path: Path) -> Layout:
    told = tomllib.loads(path.read_text())
    unknown = set(told) - {"order", "name", "about", "slots", "locked"}
    slots = {name: tuple(told["slots"][name]) for name in PROPORTION_CLASSES}
    unknown |= set(told["slots"]) - set(PROPORTION_CLASSES)
    unknown |= {slot for shown in (*slots.values(), told["locked"]) for slot in shown} - set(SLOTS)
    if unknown or set(told["name"]) != set(told["about"]):
        raise ValueError(f"{path} says what no layout has: {sorted(unknown)}")
    return Layout(path.parent.name, told["name"], told["about"], slots, tuple(told["locked"]))
