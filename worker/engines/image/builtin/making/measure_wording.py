"""Whether the model draws what is asked for in the words that people use: behind a trigger word, in both languages.

The words are put together by the function that the studio uses. A picture counts as right where the nearest real
picture, of any trained style, is of the concept that was asked for (``measure.features``).
"""

import itertools
import logging
from pathlib import Path

import numpy as np
import torch
from diffusers import StableDiffusionPipeline
from torch import Tensor

from app.generations.prompts import with_trigger_words
from worker.engines.image.builtin.making.concepts import Concept
from worker.engines.image.builtin.making.measure import CONCEPTS, TOP, draw, features, on_white
from worker.engines.image.builtin.making.pictures import load
from worker.engines.image.builtin.making.prepare import read_concepts
from worker.engines.image.builtin.making.training.autoencoder import sheet
from worker.engines.image.builtin.making.words import triggers
from worker.engines.image.builtin.making.words.captions import COLOURS
from worker.engines.image.measuring import brand_effect

log = logging.getLogger(__name__)


def asked_for(concept: Concept, german: bool) -> str:
    """As people write it: "a rocket", "Rakete"."""
    return concept.german[0].capitalize() if german else brand_effect.asked_for(concept.english[0])


def ranks(drawn: Tensor, asked: list[Concept], work: Path, brand: str | None = None) -> Tensor:
    """Of pictures (n, 3, 128, 128) in -1..1 of the n concepts asked for: the rank (0 is best) of the right one, among
    the pictures trained on and those of the unseen set `brand`.
    """
    best = torch.full((len(asked), len(asked)), -1.0)
    place = {c.key: n for n, c in enumerate(asked)}
    wanted = features(drawn)
    for name in ("denoiser", "brand") if brand else ("denoiser",):
        pictures, pixels = load(work, name)
        rows = [i for i, p in enumerate(pictures) if p.concept in place and (name != "brand" or p.icon_set == brand)]
        likeness = wanted @ features(on_white(pixels, rows)).T
        for column, i in enumerate(rows):
            n = place[str(pictures[i].concept)]
            best[:, n] = torch.maximum(best[:, n], likeness[:, column])
    return (best > best.diagonal()[:, None]).sum(1)


def colour_of_ground(drawn: Tensor) -> list[int]:
    """Of pictures (n, 3, 128, 128) in -1..1: the place in ``COLOURS`` nearest to the middle of their corners."""
    edge = drawn.shape[-1] // 10
    corners = [drawn[:, :, rows, columns] for rows in _ends(edge) for columns in _ends(edge)]
    middle = torch.cat([corner.flatten(2) for corner in corners], 2).median(2).values
    palette = torch.tensor([rgb for _, _, rgb in COLOURS]) / 127.5 - 1
    return torch.cdist(middle, palette).argmin(1).tolist()


def _ends(edge: int) -> tuple[slice, slice]:
    return slice(None, edge), slice(-edge, None)


def grounds_obeyed(made: StableDiffusionPipeline, asked: list[Concept]) -> float:
    """Share of pictures behind a trigger word that have the ground they are asked for ("…, a rocket on a navy
    background"); each trigger with each colour once."""
    pairs = list(itertools.product(triggers.MEASURED, range(len(COLOURS))))
    prompts = [
        with_trigger_words(f"{asked_for(asked[n % len(asked)], False)} on a {COLOURS[colour][0]} background", [word])[0]
        for n, (word, colour) in enumerate(pairs)
    ]
    found = colour_of_ground(draw(made, prompts, list(range(len(prompts)))))
    return sum(one == colour for one, (_, colour) in zip(found, pairs, strict=True)) / len(pairs)


def in_peoples_words(made: StableDiffusionPipeline, work: Path) -> dict[str, float]:
    """Share of ``CONCEPTS`` prompts obeyed (first, and among the first ``TOP``), in each language, without a trigger
    word and behind one of ``triggers.MEASURED``; each of them is used equally often. Then grounds."""
    known = read_concepts(work)
    asked = [known[int(i)] for i in np.random.default_rng(11).permutation(len(known))[:CONCEPTS]]
    figures, sheets = {}, []
    for german in (False, True):
        for behind in (False, True):
            words = [[triggers.MEASURED[n % len(triggers.MEASURED)]] if behind else [] for n in range(CONCEPTS)]
            prompts = [
                with_trigger_words(asked_for(concept, german), word)[0]
                for concept, word in zip(asked, words, strict=True)
            ]
            drawn = draw(made, prompts, list(range(CONCEPTS)))
            sheets.append(drawn[:24])
            rank = ranks(drawn, asked, work)
            title = f"{'german' if german else 'english'}, {'behind a trigger word' if behind else 'without one'}"
            figures[f"{title}, top 1"] = (rank < 1).float().mean().item()
            figures[f"{title}, top {TOP}"] = (rank < TOP).float().mean().item()
            log.info("%s: %.3f, %.3f", title, *list(figures.values())[-2:])
    figures["english, behind a trigger word, ground"] = grounds_obeyed(made, asked)
    sheet(work / "wording.png", torch.cat(sheets))
    return figures
