"""Whether the model draws what is asked for in the words that people use: behind a trigger word, in both languages.

The words are put together by the function that the studio uses. A picture counts as right where the nearest real
picture, of any trained style, is of the concept that was asked for (``measure.features``).
"""

import itertools
import logging
import tomllib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from diffusers import StableDiffusionPipeline
from torch import Tensor

from app.base_models.vocabulary import Vocabulary, read
from app.base_models.vocabulary import load as vocabulary_at
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
NOUNS = Path(__file__).parent / "words" / "everyday_nouns.toml"


@dataclass(frozen=True)
class Noun:
    """An everyday noun that pictures are measured with, and the keys of the concepts that it may be drawn as."""

    english: str
    german: str
    means: tuple[str, ...]


def nouns(concepts: Sequence[Concept], path: Path = NOUNS) -> tuple[list[Noun], list[Noun]]:
    """Nouns that are names of concepts, and nouns that are none. Those that mean none of these concepts are left out of
    the first, and stay in the second."""
    data = tomllib.loads(path.read_text("utf-8"))
    by_key = {concept.key: concept for concept in concepts}
    known = [
        Noun(concept.english[0], concept.german[0], (key,)) for key in data["known"] if (concept := by_key.get(key))
    ]
    return known, [Noun(row["en"], row["de"], tuple(row["means"])) for row in data["other"]]


def asked_for(concept: Concept, german: bool) -> str:
    """As people write it: "a rocket", "Rakete"."""
    return _with_article(concept.english[0], concept.german[0], german)


def _with_article(english: str, german_name: str, german: bool) -> str:
    return german_name[0].upper() + german_name[1:] if german else brand_effect.asked_for(english)


def as_drawn(known: Vocabulary | None, asked: str, trigger: str | None) -> str:
    """What the engine draws when the studio is asked for this: behind the trigger word, and with the names that the
    model knows (``stable_diffusion.as_taught``)."""
    prompt = with_trigger_words(asked, [trigger] if trigger else [])[0]
    return read(known, prompt, [trigger] if trigger else []).drawn if known else prompt


def ranks(drawn: Tensor, asked: list[Concept], work: Path, brand: str | None = None) -> Tensor:
    """Of pictures (n, 3, 128, 128) in -1..1 of the n concepts asked for: the rank (0 is best) of the right one, among
    the pictures trained on and those of the unseen set `brand`.
    """
    best = likeness(drawn, asked, work, brand)
    return (best > best.diagonal()[:, None]).sum(1)


def likeness(drawn: Tensor, concepts: Sequence[Concept], work: Path, brand: str | None = None) -> Tensor:
    """Of n pictures (n, 3, 128, 128) in -1..1 and m concepts: (n, m), how like the concept's likest real picture each
    is, among those trained on and those of the unseen set `brand`.
    """
    best = torch.full((len(drawn), len(concepts)), -1.0)
    place = {c.key: n for n, c in enumerate(concepts)}
    wanted = features(drawn)
    for name in ("denoiser", "brand") if brand else ("denoiser",):
        pictures, pixels = load(work, name)
        rows = [i for i, p in enumerate(pictures) if p.concept in place and (name != "brand" or p.icon_set == brand)]
        alike = wanted @ features(on_white(pixels, rows)).T
        for column, i in enumerate(rows):
            n = place[str(pictures[i].concept)]
            best[:, n] = torch.maximum(best[:, n], alike[:, column])
    return best


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


def everyday_nouns(made: StableDiffusionPipeline, work: Path, words: Path) -> dict[str, float]:
    """Share of everyday nouns behind a trigger word of which the ``TOP`` likest concepts hold one that is meant, among
    all that any of the nouns means; for names of things and for other nouns, in each language. ``words`` is the model's
    table of words.
    """
    concepts = {concept.key: concept for concept in read_concepts(work)}
    figures = {}
    groups = dict(zip(("names of things", "other nouns"), nouns(list(concepts.values())), strict=True))
    pool = [
        concepts[key]
        for key in dict.fromkeys(key for group in groups.values() for noun in group for key in noun.means)
        if key in concepts
    ]
    place = {concept.key: n for n, concept in enumerate(pool)}
    known = vocabulary_at(words)
    for (title, group), german in itertools.product(groups.items(), (False, True)):
        prompts = [
            as_drawn(
                known,
                _with_article(noun.english, noun.german, german),
                triggers.MEASURED[n % len(triggers.MEASURED)],
            )
            for n, noun in enumerate(group)
        ]
        likest = likeness(draw(made, prompts, list(range(len(prompts)))), pool, work).topk(TOP).indices
        right = [
            bool(set(row.tolist()) & {place[key] for key in noun.means if key in place})
            for row, noun in zip(likest, group, strict=True)
        ]
        figures[f"{title}, {'german' if german else 'english'}, top {TOP}"] = sum(right) / len(right)
        wrong = [
            noun.german if german else noun.english for noun, is_right in zip(group, right, strict=True) if not is_right
        ]
        log.info("%s: %.3f; not: %s", list(figures)[-1], list(figures.values())[-1], ", ".join(wrong))
    return figures


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
