"""Runs a layout's program: Typst sets the type, and says where everything lies.

The program sees a folder that holds itself, the common file and this ad's pictures, and nothing else of the machine.
Words, colours and sizes reach it as data, never as a part of its text. Fonts come from the folders given, not from the
system.
"""

import io
import json
import shutil
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import typst
from PIL import Image

from app.layouts.designs import COMMON, Layout
from app.layouts.values import Rectangle

FONTS = Path(__file__).with_name("fonts")
DEFAULT_FAMILY = "Hanken Grotesk"
FALLBACK_FAMILIES = (DEFAULT_FAMILY, "Vazirmatn", "Noto Sans Hebrew")
"""Families of ``fonts/`` that stand in for letters which the brand's own family lacks."""


@dataclass(frozen=True)
class Element:
    """Something that the layout puts on a layer. ``box`` is what it covers, ``outer`` with the button around a text.

    ``size_px`` and ``least_px`` are sizes of type; ``aim`` is where in the box the picture's focus should lie.
    """

    layer: str
    slot: str
    box: Rectangle
    outer: Rectangle
    size_px: float
    least_px: float
    radius: float
    aim: tuple[float, float]
    colour: str


class Sheet:
    """One ad in its folder, ready to be set."""

    def __init__(self, root: Path, given: Mapping[str, Any], fonts: typst.Fonts, dpi: int) -> None:
        self._given, self._dpi = dict(given), dpi
        self._compiler = typst.Compiler(root / "layout.typ", root=root, font_paths=fonts, sys_inputs=self._inputs())

    def _inputs(self, layers: Sequence[str] = (), **changes: Any) -> dict[str, str]:
        return {"given": json.dumps({**self._given, **changes}), "layers": ",".join(layers)}

    def elements(self) -> list[Element]:
        """Everything that the layout puts down, from the bottom up within each layer."""
        told = json.loads(self._compiler.query("<told>", field="value", one=True))
        return [_element(one) for one in told]

    def pages(self, layers: Sequence[str]) -> list[Image.Image]:
        """One transparent RGBA page of the canvas' size for each of the layers."""
        if not layers:
            return []
        drawn = self._compiler.compile(format="png", ppi=self._dpi, sys_inputs=self._inputs(layers))
        files = drawn if isinstance(drawn, list) else [drawn]
        return [Image.open(io.BytesIO(one or b"")).convert("RGBA") for one in files]

    def pdf(self, **changes: Any) -> bytes:
        """The whole ad as a PDF, the same bytes each time."""
        made = self._compiler.compile(format="pdf", timestamp=0, sys_inputs=self._inputs(print=True, **changes))
        assert isinstance(made, bytes)
        return made


@contextmanager
def sheet(
    layout: Layout, given: Mapping[str, Any], files: Mapping[str, bytes], fonts_folder: Path, dpi: int
) -> Iterator[Sheet]:
    """A folder of its own for one ad, gone afterwards. ``files`` are the pictures that ``given`` names."""
    with tempfile.TemporaryDirectory(prefix="livery-ad-") as name:
        root = Path(name)
        shutil.copyfile(layout.program, root / "layout.typ")
        shutil.copyfile(COMMON, root / "common.typ")
        for file, content in files.items():
            (root / file).write_bytes(content)
        yield Sheet(root, given, fonts(fonts_folder), dpi)


def fonts(folder: Path) -> typst.Fonts:
    """The fonts of a folder, and those that stand in for missing letters."""
    stamp = tuple(sorted((path.name, path.stat().st_mtime_ns) for path in folder.iterdir()))
    return _fonts(folder, stamp)


@lru_cache(maxsize=16)
def _fonts(folder: Path, stamp: tuple[tuple[str, int], ...]) -> typst.Fonts:
    del stamp  # a key of the cache: a changed folder is read again
    folders = [folder] if folder == FONTS else [folder, FONTS]
    return typst.Fonts(include_system_fonts=False, include_embedded_fonts=False, font_paths=folders)


def families_of(folder: Path) -> dict[str, str]:
    """By file the family as Typst calls it, which is not always what the font says first."""
    return {
        Path(one.path).name: one.family for one in fonts(folder).fonts() if one.path and Path(one.path).parent == folder
    }


def _element(told: Mapping[str, Any]) -> Element:
    box = Rectangle(told["x"], told["y"], told["w"], told["h"])
    outer = told["outer"]
    return Element(
        layer=told["layer"],
        slot=told["slot"] or "",
        box=box,
        outer=Rectangle(outer["x"], outer["y"], outer["w"], outer["h"]) if outer else box,
        size_px=told["size"] or 0.0,
        least_px=told["least"] or 0.0,
        radius=told["radius"] or 0.0,
        aim=tuple(told["aim"] or (0.5, 0.5)),
        colour=told["fill"] or "",
    )
