"""How far an adapter carries the built-in model towards a style it has never seen, and what that costs in obedience.

The brand is one of the icon sets that were left out of all training (``UNSEEN_SETS``). Its pictures of known concepts
are divided by a seed: 24 to train on, 40 of other concepts to compare with. Distances are those of ``brand_effect``.
Obedience is measured with the words an adapter is used with ("nordlichtstyle, a rocket"), for base and adapter alike: a
picture is obeyed where the nearest real picture, of any trained style or of the brand, is of a concept among the first
five (``measure.features``).
"""

import json
import logging
import tempfile
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from app.generations.prompts import with_trigger_words
from app.generations.recipe import AdapterUse, GenerationRecipe
from app.trainings.look.recipe import TrainingRecipe
from worker.engines.contracts import AdapterFile, Base, GenerationInputs, TrainedAdapter
from worker.engines.image.builtin.making.concepts import Concept
from worker.engines.image.builtin.making.measure import TOP
from worker.engines.image.builtin.making.measure_wording import ranks
from worker.engines.image.builtin.making.pictures import load
from worker.engines.image.builtin.making.prepare import read_concepts
from worker.engines.image.families import stable_diffusion
from worker.engines.image.measuring.brand_effect import Effect, Printed, asked_for, measure

log = logging.getLogger(__name__)
TRAINED, COMPARED, ASKED = 24, 40, 100


@dataclass(frozen=True)
class Division:
    """What is trained on, what is compared with, and what is asked for; concepts do not overlap with the trained."""

    trained: list[int]
    compared: list[int]
    """Rows of the brand's pictures."""
    asked: list[Concept]


def divide(work: Path, icon_set: str, seed: int) -> Division:
    """Raises PicturesError without pictures."""
    rng = np.random.default_rng(100 + seed)
    known = {c.key: c for c in read_concepts(work)}
    brand = load(work, "brand")[0]
    rows = [
        int(i)
        for i in rng.permutation([i for i, p in enumerate(brand) if p.icon_set == icon_set and p.concept in known])
    ]
    trained, compared = rows[:TRAINED], rows[TRAINED : TRAINED + COMPARED]
    shown = {brand[i].concept for i in trained}
    others = [c for key, c in known.items() if key not in shown]
    return Division(trained, compared, [others[i] for i in rng.permutation(len(others))[:ASKED]])


def write_pictures(work: Path, rows: list[int], folder: Path) -> None:
    """The brand's pictures on white as PNG files named after what they show, as ``brand_effect`` reads them."""
    folder.mkdir(parents=True)
    names = {c.key: c.english[0] for c in read_concepts(work)}
    pictures, pixels = load(work, "brand")
    for i in rows:
        image = Image.fromarray(np.array(pixels[i, 0]))
        ground = Image.new("RGBA", image.size, "white")
        name = names[str(pictures[i].concept)].replace(" ", "-").replace("/", "-")
        Image.alpha_composite(ground, image).convert("RGB").save(folder / f"{name}.png")


def obeyed(drawn: Tensor, asked: list[Concept], work: Path, icon_set: str) -> float:
    """Share of pictures (n, 3, 128, 128) in -1..1 whose concept is among the first ``TOP`` of the ``asked`` ones."""
    return (ranks(drawn, asked, work, icon_set) < TOP).float().mean().item()


def draw(
    prompts: Sequence[str], trained: TrainedAdapter | None, recipe: TrainingRecipe, base: Base, out: Path
) -> Tensor:
    """One picture of each prompt, (n, 3, 128, 128) in -1..1; the adapter's, where there is one."""
    files = (AdapterFile("brand", trained.weights, 1.0),) if trained else ()
    drawn = []
    for number, prompt in enumerate(prompts):
        order = GenerationRecipe(
            base_model=base.key,
            prompt=prompt,
            adapters=tuple(AdapterUse(adapter_id=file.key, strength=file.strength) for file in files),
            width=recipe.resolution,
            height=recipe.resolution,
            count=1,
            seed=500 + number,
            steps=recipe.sample_steps,
            guidance_scale=recipe.sample_guidance_scale,
        )
        for picture in stable_diffusion.generate(order, GenerationInputs(base, files), out / str(number), Printed()):
            with Image.open(picture.path) as image:
                drawn.append(torch.from_numpy(np.array(image.convert("RGB"))).permute(2, 0, 1).float() / 127.5 - 1)
    return torch.stack(drawn)


def measure_brand(
    work: Path, icon_set: str, recipe: TrainingRecipe, base: Base, seeds: tuple[int, ...], keep: Path | None
) -> dict:
    """Figures by seed: distances of base and adapter, shares of the way, obedience of both. Writes them beside those of
    other sets to `brand_figures.json` in `work`; sheets of pictures under `keep`.
    """
    figures = {}
    for seed in seeds:
        division = divide(work, icon_set, seed)
        with tempfile.TemporaryDirectory() as scratch:
            out = keep / str(seed) if keep else Path(scratch) / "out"
            write_pictures(work, division.trained, Path(scratch) / "trained")
            write_pictures(work, division.compared, Path(scratch) / "compared")
            effect: Effect = measure(Path(scratch) / "trained", Path(scratch) / "compared", recipe, base, out)
            prompts = [with_trigger_words(asked_for(c.english[0]), [recipe.trigger_word])[0] for c in division.asked]
            drawn = draw(prompts, None, recipe, base, out / "asked_base")
            drawn_after = draw(prompts, effect.trained, recipe, base, out / "asked_adapter")
            before, after = (obeyed(some, division.asked, work, icon_set) for some in (drawn, drawn_after))
        figures[str(seed)] = {
            "base": asdict(effect.base),
            "adapter": asdict(effect.adapter),
            "share of the way": effect.share_of_the_way,
            "obedience of the base": before,
            "obedience with the adapter": after,
            "training seconds": effect.training_seconds,
        }
        log.info("%s, division %d: %s", icon_set, seed, json.dumps(figures[str(seed)]))
    path = work / "brand_figures.json"
    others = json.loads(path.read_text()) if path.exists() else {}
    path.write_text(json.dumps(others | {icon_set: figures}, indent=1))
    return figures
