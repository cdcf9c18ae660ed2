"""The pictures step: fetch, choose concepts, render, and write what the other steps read."""

import json
import logging
import re
from collections import Counter
from dataclasses import asdict
from pathlib import Path

import numpy as np

from worker.engines.image.builtin.making.pictures import (
    BRAND_SET,
    EXTRA_SETS,
    OUTLINED,
    TRAINING_SETS,
    Concept,
    Picture,
    PicturesError,
    catalogue,
    concepts,
    every_icon,
    fetch,
    licence,
    render_all,
    save,
    source,
)
from worker.engines.image.builtin.making.words.captions import STYLES
from worker.engines.image.builtin.making.words.left_out import LEFT_OUT

log = logging.getLogger(__name__)
VARIANTS = 4
_UNWANTED = re.compile("skin-tone|flag|dark|light-s|medium|clock|thirty|keycap")


def chosen_concepts(cache: Path, known: dict[str, Concept]) -> dict[str, Concept]:
    """Concepts that every trained style draws and at least six of the sets know, without those left out by hand."""
    drawn = {s: {p.concept for p in catalogue(cache, (s,), known)} for s in TRAINING_SETS}
    count = Counter(key for keys in drawn.values() for key in keys)
    return {
        k: c
        for k, c in known.items()
        if count[k] >= 6 and k not in LEFT_OUT and all(k in drawn[source(s)] for s in STYLES)
    }


def prepare(cache: Path, work: Path, processes: int = 2) -> None:
    """Write `ae`, `denoiser` and `brand` pictures, `concepts.json` and `licences.json` to `work`.

    Raises PicturesError where a package cannot be fetched or may not be used.
    """
    fetch(cache)
    work.mkdir(parents=True, exist_ok=True)
    licences = [licence(cache, s) for s in (*TRAINING_SETS, *EXTRA_SETS, BRAND_SET)]
    (work / "licences.json").write_text(json.dumps(licences, indent=1))
    known = concepts(cache)
    chosen = chosen_concepts(cache, known)
    pictures, pixels = render_all(cache, catalogue(cache, tuple(STYLES), chosen), VARIANTS, processes)
    save(work, "denoiser", pictures, pixels)
    styles = Counter(p.concept for p in pictures)
    complete = [asdict(c) for k, c in chosen.items() if styles[k] == len(STYLES)]
    (work / "concepts.json").write_text(json.dumps(complete, ensure_ascii=False, indent=0))
    log.info("denoiser: %d pictures of %d concepts", len(pictures), len(complete))
    pictures, pixels = render_all(cache, catalogue(cache, (BRAND_SET,), known), 1, processes)
    save(work, "brand", pictures, pixels)
    pictures, pixels = render_all(cache, _autoencoder_pictures(cache, known), 2, processes)
    save(work, "ae", pictures, pixels)
    log.info("autoencoder: %d pictures", len(pictures))


def _autoencoder_pictures(cache: Path, known: dict[str, Concept]) -> list:
    found = catalogue(cache, TRAINING_SETS, known)
    seen = {(p.style, p.icon) for p in found}
    rng = np.random.default_rng(1)
    for icon_set in EXTRA_SETS:
        found += every_icon(cache, icon_set)
    for icon_set in ("noto", "twemoji", "fluent-emoji-flat"):
        rest = [
            p for p in every_icon(cache, icon_set) if (icon_set, p.icon) not in seen and not _UNWANTED.search(p.icon)
        ]
        found += [rest[i] for i in rng.permutation(len(rest))[:500]]
    for icon_set in ("fluent-emoji-flat", "noto", "twemoji", "emojione", "fxemoji", "flat-color-icons"):
        rows = [p for p in found if p.style == icon_set]
        found += [Picture(OUTLINED + icon_set, p.icon, p.concept) for p in rows]
    return found


def read_concepts(work: Path) -> list[Concept]:
    """The chosen concepts, in the order that gives them their numbers. Raises PicturesError if there are none."""
    if not (work / "concepts.json").exists():
        raise PicturesError(f"no concepts in {work}; run the pictures command first")
    rows = json.loads((work / "concepts.json").read_text("utf-8"))
    return [Concept(r["key"], r["code"], tuple(r["english"]), tuple(r["german"]), r["group"]) for r in rows]
