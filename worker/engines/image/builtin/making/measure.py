"""The built-in model's figures, as its model card quotes them: quality of the parts, obedience, variety, latency."""

import itertools
import logging
import time
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from diffusers import StableDiffusionPipeline
from torch import Tensor

from worker.engines.image.builtin.making.concepts import Concept
from worker.engines.image.builtin.making.icon_sets import UNSEEN_SETS
from worker.engines.image.builtin.making.pictures import load
from worker.engines.image.builtin.making.prepare import read_concepts
from worker.engines.image.builtin.making.training.autoencoder import HELD_OUT, compose, psnr, reconstruct, sheet, split
from worker.engines.image.builtin.making.words.captions import STYLES, Choice, caption
from worker.engines.image.measuring.style_statistics import to_lab

log = logging.getLogger(__name__)
STEPS, GUIDANCE = 20, 4.0
CONCEPTS, TOP = 100, 5
MEASURED_STYLES = ("fluent-emoji-flat", "noto", "twemoji")


def features(x: Tensor) -> Tensor:
    """Pictures (n, 3, 128, 128) in -1..1 as unit vectors that compare colour layout and edge directions.

    Half of the weight: mean CIE L*a*b* on an 8x8 grid. Half: histograms of oriented gradients (Dalal and Triggs 2005)
    of
    L* with 9 unsigned directions on an 8x8 grid, normalised over the picture. Neither is used in training.
    """
    rgb = ((x.clamp(-1, 1) + 1) * 127.5).round().to(torch.uint8).permute(0, 2, 3, 1).cpu().numpy()
    lab = torch.from_numpy(to_lab(rgb)).float().permute(0, 3, 1, 2)
    layout = F.adaptive_avg_pool2d(lab, 8).flatten(1) - torch.tensor([100.0, 0, 0]).repeat_interleave(64)
    light = F.avg_pool2d(lab[:, :1], 3, 1, 1)
    dx, dy = light[:, 0, 1:-1, 2:] - light[:, 0, 1:-1, :-2], light[:, 0, 2:, 1:-1] - light[:, 0, :-2, 1:-1]
    angle = torch.atan2(dy, dx) % torch.pi
    bins = (angle / torch.pi * 9).long().clamp_max(8)
    strength = F.one_hot(bins, 9).permute(0, 3, 1, 2) * torch.hypot(dx, dy)[:, None]
    edges = F.adaptive_avg_pool2d(strength, 8).flatten(1).sqrt()
    return F.normalize(torch.cat([F.normalize(layout, dim=1), F.normalize(edges, dim=1)], 1), dim=1)


@torch.no_grad()
def draw(
    made: StableDiffusionPipeline, prompts: list[str], seeds: list[int], steps: int = STEPS, guidance: float = GUIDANCE
) -> Tensor:
    """Pictures (n, 3, 128, 128) in -1..1, drawn in batches of 50."""
    parts = []
    for i in range(0, len(prompts), 50):
        generators = [torch.Generator().manual_seed(s) for s in seeds[i : i + 50]]
        images = made(
            prompts[i : i + 50],
            num_inference_steps=steps,
            guidance_scale=guidance,
            generator=generators,
            output_type="pt",
        ).images
        parts.append(images.float().cpu() * 2 - 1)
    return torch.cat(parts)


def on_white(pixels: np.ndarray, rows: list[int], place: int = 0) -> Tensor:
    """Pictures of `load` on white, (n, 3, 128, 128) in -1..1."""
    rgba = torch.from_numpy(np.stack([pixels[r, place] for r in rows]))
    return compose(rgba, torch.ones(len(rows), 3)).contiguous()


def rank_of_right(drawn: Tensor, real: Tensor) -> Tensor:
    """For drawn pictures (n, ...) of the n real ones in the same order: the rank (0 is best) of the right one."""
    likeness = features(drawn) @ features(real).T
    return (likeness > likeness.diagonal()[:, None]).sum(1)


def _usual(concept: Concept, style: str, german: bool) -> str:
    word = STYLES[style][int(german)][0]
    return f"{concept.german[0]} im {word}en stil" if german else f"{word} style {concept.english[0]}"


def _in_every_measured_style(work: Path) -> list[Concept]:
    return [concept for concept in read_concepts(work) if set(MEASURED_STYLES) <= set(concept.styles)]


def obedience(
    made: StableDiffusionPipeline, work: Path, guidance: float = GUIDANCE, count: int = CONCEPTS
) -> dict[str, float]:
    """Share of prompts whose picture is nearest (top 1, top TOP) to the real one among `count` concepts of that style,
    all of which the measured styles draw.

    Prompts of unseen wording are of templates that training never saw, those of usual wording are "flat style
    rocket" and
    "Rakete im flachen Stil". "real" is the same test with real pictures of another style in
    place
    of drawn ones: what these features can tell at best.
    """
    all_concepts = _in_every_measured_style(work)
    rng = np.random.default_rng(11)
    chosen = [all_concepts[i] for i in rng.permutation(len(all_concepts))[:count]]
    pictures, pixels = load(work, "denoiser")
    row = {(p.concept, p.style): i for i, p in enumerate(pictures)}
    results: dict[str, float] = {}
    sheets = []
    for language, wording in itertools.product(("english", "german"), ("unseen", "usual")):
        ranks = []
        for n, style in enumerate(MEASURED_STYLES):
            if wording == "unseen":
                prompts = [caption(Choice(c, style, None), rng, language == "german", held_out=True) for c in chosen]
            else:
                prompts = [_usual(c, style, language == "german") for c in chosen]
            drawn = draw(made, prompts, [1000 * n + i for i in range(count)], guidance=guidance)
            real = on_white(pixels, [row[c.key, style] for c in chosen])
            ranks.append(rank_of_right(drawn, real))
            sheets.append(torch.stack([real[:12], drawn[:12]]).flatten(0, 1))
        rank = torch.cat(ranks)
        results[f"{language}, {wording} wording, top 1"] = (rank < 1).float().mean().item()
        results[f"{language}, {wording} wording, top {TOP}"] = (rank < TOP).float().mean().item()
    across = []
    for style, other in zip(MEASURED_STYLES, (*MEASURED_STYLES[1:], MEASURED_STYLES[0]), strict=True):
        one, two = (on_white(pixels, [row[c.key, s] for c in chosen]) for s in (other, style))
        across.append(rank_of_right(one, two))
    results[f"real top {TOP}"] = (torch.cat(across) < TOP).float().mean().item()
    sheet(work / "obedience.png", torch.cat(sheets))
    return results


def variety(made: StableDiffusionPipeline, work: Path, prompts: int = 20, seeds: int = 4) -> dict[str, float]:
    """Difference between seeds, and distance to the nearest training picture, as root mean square over 0..1 colours.

    A drawn picture counts as a copy where it is nearer than 0.03 (30 dB) to a training picture on white.
    """
    all_concepts = _in_every_measured_style(work)
    rng = np.random.default_rng(13)
    chosen = [all_concepts[i] for i in rng.permutation(len(all_concepts))[:prompts]]
    texts = [
        caption(Choice(c, MEASURED_STYLES[i % 3], None), rng, i % 2 == 0, held_out=True) for i, c in enumerate(chosen)
    ]
    drawn = draw(made, [t for t in texts for _ in range(seeds)], list(range(prompts * seeds)))
    per_prompt = drawn.unflatten(0, (prompts, seeds)) / 2
    between = [
        (per_prompt[:, i] - per_prompt[:, j]).pow(2).mean(dim=(1, 2, 3)).sqrt() for i in range(seeds) for j in range(i)
    ]
    _, pixels = load(work, "denoiser")
    nearest = torch.full((len(drawn),), torch.inf)
    for start in range(0, len(pixels), 200):
        rows = list(range(start, min(start + 200, len(pixels))))
        for place in range(pixels.shape[1]):
            real = on_white(pixels, rows, place)
            nearest = torch.minimum(
                nearest, (torch.cdist(drawn.flatten(1), real.flatten(1)) / 2 / real[0].numel() ** 0.5).amin(1)
            )
    return {
        "between seeds (mean)": torch.cat(between).mean().item(),
        "nearest training picture (median)": nearest.median().item(),
        "nearest training picture (least)": nearest.min().item(),
        "share of copies": (nearest < 0.03).float().mean().item(),
    }


def autoencoder_quality(made: StableDiffusionPipeline, work: Path) -> dict[str, float]:
    """Mean PSNR in dB on held-out pictures and on those of the unseen sets, none ever trained on, on white."""
    pictures, pixels = load(work, "ae")
    held = on_white(pixels, list(split(pictures)[1]))
    pictures, pixels = load(work, "brand")
    unseen = {name: [i for i, p in enumerate(pictures) if p.icon_set == name] for name in UNSEEN_SETS}
    figures, rows = {}, []
    for name, real in {
        f"{HELD_OUT} held-out pictures": held,
        **{name: on_white(pixels, of_it) for name, of_it in unseen.items()},
    }.items():
        with torch.no_grad():
            again = reconstruct(made.vae, real)
        rows += [real[:12], again[:12]]
        figures[name] = psnr(again, real).mean().item()
    sheet(work / "autoencoder_measured.png", torch.cat(rows))
    return figures


def latency(made: StableDiffusionPipeline) -> dict[str, float]:
    """Seconds for one 20-step picture and for a batch of eight, with guidance, the best of three after one to warm
    up.
    """
    results = {}
    for n in (1, 8):
        times = []
        for _ in range(4):
            start = time.perf_counter()
            draw(made, ["flat style rocket"] * n, list(range(n)))
            times.append(time.perf_counter() - start)
        results[f"{n} picture{'s' if n > 1 else ''}"] = min(times[1:])
    return results
