"""The pictures step: fetch, choose concepts, render, and write what the other steps read."""

import json
import logging
import re
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import asdict, replace
from pathlib import Path

import numpy as np

from worker.engines.image.builtin.making.concepts import Concept, concepts
from worker.engines.image.builtin.making.icon_sets import (
    AUTOENCODER_SETS,
    EVERY_SET,
    OUTLINED,
    SAME_DRAWINGS,
    SOURCES,
    UNSEEN_SETS,
    PicturesError,
    fetch,
    licence,
)
from worker.engines.image.builtin.making.pictures import Picture, catalogue, every_icon, render_all, save
from worker.engines.image.builtin.making.words.left_out import LEFT_OUT

log = logging.getLogger(__name__)
VARIANTS = 4
FEWEST_DRAWINGS = 2
"""By different hands; of what has but one picture the model would learn that picture."""
COLOURED = ("fluent-emoji-flat", "noto", "twemoji", "emojione", "noto-v1", "fxemoji", "fluent-emoji")
ONE_COLOUR = ("silhouette", "line", "duotone", "stencil")
_UNWANTED = re.compile("skin-tone|flag|dark|light-s|medium|clock|thirty|keycap")


def chosen_concepts(cache: Path, known: Mapping[str, Concept]) -> dict[str, Concept]:
    """Concepts with enough drawings, without those left out by hand."""
    known = {key: concept for key, concept in known.items() if key not in LEFT_OUT}
    drawings: dict[str | None, set[str]] = defaultdict(set)
    for picture in catalogue(cache, SOURCES, known):
        drawings[picture.concept].add(SAME_DRAWINGS.get(picture.icon_set, picture.icon_set))
    return {key: concept for key, concept in known.items() if len(drawings[key]) >= FEWEST_DRAWINGS}


def prepare(cache: Path, work: Path, processes: int = 2) -> None:
    """Write `ae`, `denoiser` and `brand` pictures, `concepts.json` and `licences.json` to `work`.

    Raises PicturesError where a package cannot be fetched or may not be used.
    """
    fetch(cache)
    work.mkdir(parents=True, exist_ok=True)
    licences = [licence(cache, icon_set) for icon_set in EVERY_SET]
    (work / "licences.json").write_text(json.dumps(licences, indent=1))
    chosen = chosen_concepts(cache, concepts(cache))
    pictures = save(work, "denoiser", render_all(cache, catalogue(cache, SOURCES, chosen), VARIANTS, processes))
    drawn = with_styles(chosen, pictures)
    (work / "concepts.json").write_text(json.dumps([asdict(c) for c in drawn], ensure_ascii=False, indent=0))
    log.info("denoiser: %d pictures of %d concepts", len(pictures), len(drawn))
    pictures = save(work, "brand", render_all(cache, catalogue(cache, UNSEEN_SETS, chosen), 1, processes))
    log.info("unseen sets: %d pictures", len(pictures))
    pictures = save(work, "ae", render_all(cache, _autoencoder_pictures(cache, chosen), 2, processes))
    log.info("autoencoder: %d pictures", len(pictures))


def with_styles(chosen: Mapping[str, Concept], pictures: list[Picture]) -> list[Concept]:
    """The concepts that there are pictures of, with the styles of those."""
    styles: dict[str | None, list[str]] = defaultdict(list)
    for picture in pictures:
        styles[picture.concept].append(picture.style)
    return [
        replace(concept, styles=tuple(style for style in SOURCES if style in styles[key]))
        for key, concept in chosen.items()
        if styles[key]
    ]


def _autoencoder_pictures(cache: Path, chosen: dict[str, Concept]) -> list[Picture]:
    found = catalogue(cache, COLOURED, concepts(cache))
    seen = {(p.icon_set, p.icon) for p in found}
    for icon_set in ("noto", "twemoji", "fluent-emoji-flat"):
        rest = [
            p for p in every_icon(cache, icon_set) if (icon_set, p.icon) not in seen and not _UNWANTED.search(p.icon)
        ]
        found += _some(rest, 500)
    for icon_set in AUTOENCODER_SETS:
        found += _some(every_icon(cache, icon_set), 1000)
    found += _some(catalogue(cache, ONE_COLOUR, chosen), 2000)
    for icon_set in ("fluent-emoji-flat", "noto", "twemoji", "emojione", "fxemoji", "flat-color-icons"):
        found += [replace(p, style=OUTLINED + icon_set) for p in found if p.style == icon_set]
    return found


def _some(pictures: list[Picture], most: int) -> list[Picture]:
    """At most so many of them, the same every time."""
    return [pictures[i] for i in np.random.default_rng(1).permutation(len(pictures))[:most]]


def read_concepts(work: Path) -> list[Concept]:
    """The chosen concepts, in the order that gives them their numbers. Raises PicturesError if there are none."""
    if not (work / "concepts.json").exists():
        raise PicturesError(f"no concepts in {work}; run the pictures command first")
    rows = json.loads((work / "concepts.json").read_text("utf-8"))
    return [Concept(**{k: tuple(v) if isinstance(v, list) else v for k, v in row.items()}) for row in rows]
