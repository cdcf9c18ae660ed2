"""A contact sheet of 120 prompts in the words of the studio: what the model draws, chosen by no eye.

80 things that it knows (each so many places apart in their list, half of them in one of its styles by name), 20 words
that it does not know and draws something near for, 10 pairs of things and 10 grounds. The same prompts are drawn with
adapters of sets that were left out of training, to show that the look changes and the thing stays.
"""

import json
import logging
import tempfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from PIL import Image, ImageDraw, ImageFont
from torch import Tensor

from app.base_models.vocabulary import load as vocabulary_at
from app.trainings.look.recipe import TrainingRecipe
from worker.engines.contracts import Base
from worker.engines.image.builtin.making import brand, measure_wording
from worker.engines.image.builtin.making.prepare import read_concepts
from worker.engines.image.builtin.making.words.captions import COLOURS, STYLES
from worker.engines.image.measuring import brand_effect

log = logging.getLogger(__name__)
KNOWN, UNKNOWN, PAIRS, GROUNDS = 80, 20, 10, 10
COLUMNS, SIDE, LINE = 12, 128, 14


def prompts(work: Path, words: Path) -> list[str]:
    """The 120, the same every time for the same concepts and table of words.

    Raises PicturesError, OSError without them.
    """
    concepts = sorted(read_concepts(work), key=lambda concept: concept.key)
    rng = np.random.default_rng(17)
    names = [concepts[n * len(concepts) // KNOWN].english[0] for n in range(KNOWN)]
    styles = [names_of[0][0] for names_of in STYLES.values()]
    asked = [
        brand_effect.asked_for(name) if n % 2 else f"{styles[n // 2 % len(styles)]} style {name}"
        for n, name in enumerate(names)
    ]
    things = json.loads(words.read_text("utf-8"))["things"].values()
    near = sorted({word for thing in things for word in thing["en"].get("near", ())})
    asked += [brand_effect.asked_for(str(word)) for word in rng.choice(near, UNKNOWN, replace=False)]
    others = [str(name) for name in rng.permutation([concept.english[0] for concept in concepts])]
    asked += [
        f"{brand_effect.asked_for(others[2 * n])} and {brand_effect.asked_for(others[2 * n + 1])}" for n in range(PAIRS)
    ]
    asked += [
        f"{brand_effect.asked_for(others[2 * PAIRS + n])} on a {COLOURS[1 + n % (len(COLOURS) - 1)][0]} background"
        for n in range(GROUNDS)
    ]
    return asked


def write(work: Path, model: Path, folder: Path, recipe: TrainingRecipe, brands: Sequence[str]) -> None:
    """Draw the prompts with the model alone, as ``base.webp``, and with an adapter of each of these unseen sets.

    Raises PicturesError without pictures.
    """
    asked = prompts(work, model / "words.json")
    folder.mkdir(parents=True, exist_ok=True)
    base = Base("model", "stable_diffusion", str(model.resolve()))
    known = vocabulary_at(model / "words.json")
    alone = [measure_wording.as_drawn(known, one, None) for one in asked]
    with tempfile.TemporaryDirectory() as scratch:
        _save(brand.draw(alone, None, recipe, base, Path(scratch)), asked, folder, "base")
    behind = [measure_wording.as_drawn(known, one, recipe.trigger_word) for one in asked]
    for icon_set in brands:
        with tempfile.TemporaryDirectory() as scratch:
            pictures = Path(scratch) / "pictures"
            brand.write_pictures(work, brand.divide(work, icon_set, 1).trained, pictures)
            trained = brand_effect.train(pictures, recipe, base, Path(scratch) / "adapter")
            drawn = brand.draw(behind, trained, recipe, base, Path(scratch) / "drawn")
            _save(drawn, asked, folder, icon_set)
        log.info("drew %s.webp", icon_set)


def _save(drawn: Tensor, asked: list[str], folder: Path, name: str) -> None:
    pictures = ((drawn + 1) * 127.5).round().to(torch.uint8).permute(0, 2, 3, 1)
    rows = -(-len(asked) // COLUMNS)
    sheet = Image.new("RGB", (COLUMNS * SIDE, rows * (SIDE + LINE)), "white")
    pen, font = ImageDraw.Draw(sheet), ImageFont.load_default(9)
    for number, (picture, prompt) in enumerate(zip(pictures, asked, strict=True)):
        left, top = number % COLUMNS * SIDE, number // COLUMNS * (SIDE + LINE)
        sheet.paste(Image.fromarray(picture.numpy()), (left, top))
        text = prompt
        while pen.textlength(text, font) > SIDE - 4:
            text = text[:-2] + "…"
        pen.text((left + 2, top + SIDE + 1), text, "black", font)
    sheet.save(folder / f"{name}.webp", quality=82, method=6)
