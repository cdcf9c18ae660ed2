"""Trains tokenizer and text encoder to tell concept, style, background and coarse look from a caption, and to read all
words behind a trigger word as they are read without one.

The denoiser then starts from embeddings that already say what is wanted, in both languages. The heads used here are not
kept. Where a model is there already, what it knows keeps the states that it has there, so that its denoiser can go on.
"""

import json
import logging
import math
import shutil
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn
from transformers import CLIPTextModel, CLIPTokenizer

from worker.engines.image.builtin.layout import text_encoder
from worker.engines.image.builtin.making.concepts import Concept
from worker.engines.image.builtin.making.pictures import INKS, load
from worker.engines.image.builtin.making.prepare import read_concepts
from worker.engines.image.builtin.making.training import precision
from worker.engines.image.builtin.making.training.checkpoints import load_checkpoint, note, save_checkpoint
from worker.engines.image.builtin.making.training.optimizer import Pair
from worker.engines.image.builtin.making.training.samples import STYLE_NAMES, may_go_unsaid, sample_captions, tokens
from worker.engines.image.builtin.making.training.wording import Wording, unexplained
from worker.engines.image.builtin.making.words.captions import COLOURS, STYLES, WHITE
from worker.engines.image.builtin.making.words.synonyms import other_words
from worker.engines.image.builtin.tokenizer import train_tokenizer

log = logging.getLogger(__name__)
VOCABULARY, WIDTH, LAYERS, HEADS = 3000, 160, 2, 5
THUMB = 8
ATTENTION = "eager"
"""For 32 words at a time; a processor takes half as long again for the backward pass of the fused one."""
STATES = 3.0
"""Weight of the states behind trigger words, and of those that a model before had."""


class Heads(nn.Module):
    """Linear read-outs of a caption's embedding (n, width): concept, style (last: none), colour (last: none), ink
    (0: the style's own), thumbnail.
    """

    def __init__(self, width: int, concepts: int) -> None:
        super().__init__()
        self.concept = nn.Linear(width, concepts)
        self.style = nn.Linear(width, len(STYLES) + 1)
        self.colour = nn.Linear(width, len(COLOURS) + 1)
        self.ink = nn.Linear(width, len(INKS))
        self.thumb = nn.Linear(width, 3 * THUMB * THUMB)


def summary(hidden: Tensor, ids: Tensor, end: int) -> Tensor:
    """Mean of the hidden states (n, length, width) from the end token on, where all of the caption has been read."""
    after = (ids == end).to(hidden.dtype)[..., None]
    return (hidden * after).sum(1) / after.sum(1).clamp_min(1)


def _thumbnails(work: Path, all_concepts: list[Concept]) -> Tensor:
    """Premultiplied colour and alpha (concept, style + none, 4, THUMB, THUMB) in 0..1: the mean of a style's pictures,
    zero where there are none. Without a style it is the mean of those that captions may leave unsaid.
    """
    pictures, pixels = load(work, "denoiser")
    place = {concept.key: c for c, concept in enumerate(all_concepts)}
    made = torch.zeros(len(all_concepts), len(STYLES) + 1, 4, THUMB, THUMB)
    count = torch.zeros(len(all_concepts), len(STYLES) + 1)
    for i, picture in enumerate(pictures):
        c = place[str(picture.concept)]
        x = torch.from_numpy(np.array(pixels[i, 0])).permute(2, 0, 1).float() / 255
        x[:3] *= x[3:]
        unsaid = [len(STYLES)] if may_go_unsaid(all_concepts[c], picture.style) else []
        for s in (STYLE_NAMES.index(picture.style), *unsaid):
            made[c, s] += F.adaptive_avg_pool2d(x, THUMB)
            count[c, s] += 1
    return made / count.clamp_min(1)[:, :, None, None, None]


def _targets(thumbs: Tensor, labels: Tensor, palette: Tensor) -> Tensor:
    x = thumbs[labels[:, 0], labels[:, 1]]
    ground = palette[labels[:, 2]]
    return (x[:, :3] + (1 - x[:, 3:]) * ground[:, :, None, None]).flatten(1) * 2 - 1


def build_tokenizer(all_concepts: list[Concept], samples: int = 60_000) -> CLIPTokenizer:
    """A tokenizer for the captions of these concepts, the same every time."""
    rng = np.random.default_rng(3)
    words = [w for c in all_concepts for w in (*c.english, *c.german)]
    return train_tokenizer(words * 3 + sample_captions(rng, all_concepts, samples)[0], VOCABULARY)


def known_to(model: Path, all_concepts: list[Concept]) -> tuple[list[Concept], list[Concept]]:
    """Those of the concepts that a packed model knows, and the same under the names and in the styles it knows them by.

    Raises OSError without the model's table of words.
    """
    words = json.loads((model / "words.json").read_text("utf-8"))
    styles = {style for style, names in STYLES.items() if set(names[0][0].split()) <= set(words["about"]["en"])}
    ours = [concept for concept in all_concepts if concept.key in words["things"]]
    names = [[words["things"][concept.key][language]["name"].lower() for language in ("en", "de")] for concept in ours]
    theirs = [
        replace(
            concept,
            english=(english, *concept.english[1:]),
            german=(german, *concept.german[1:]),
            styles=tuple(style for style in concept.styles if style in styles),
        )
        for concept, (english, german) in zip(ours, names, strict=True)
    ]
    return ours, theirs


def _read(folder: Path, device: torch.device) -> CLIPTextModel:
    read = CLIPTextModel.from_pretrained(
        str(folder / "text_encoder"), dtype=torch.float32, attn_implementation=ATTENTION
    )
    return read.to(device)


def train(
    work: Path, cache: Path, minutes: float, batch: int = 256, lr: float = 4e-3, from_model: Path | None = None
) -> None:
    """Train for `minutes` of wall time, going on from `work/text_encoder.pt`, else from `from_model`'s weights with its
    tokenizer; writes `work/tokenizer`, `work/text_encoder`.

    Raises PicturesError if there are no pictures, OSError without WordNet in `cache`.
    """
    all_concepts = read_concepts(work)
    if from_model and not (work / "tokenizer").exists():
        shutil.copytree(from_model / "tokenizer", work / "tokenizer")
    if not (work / "tokenizer").exists():
        build_tokenizer(all_concepts).save_pretrained(str(work / "tokenizer"))
    tokenizer = CLIPTokenizer.from_pretrained(str(work / "tokenizer"))
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    model = (
        _read(from_model, device).train() if from_model else text_encoder(tokenizer, WIDTH, LAYERS, HEADS).to(device)
    )
    heads = Heads(WIDTH, len(all_concepts)).to(device)
    both = nn.ModuleDict({"model": model, "heads": heads})
    optimizer = Pair(both, lr)
    checkpoint = load_checkpoint(work / "text_encoder.pt")
    if checkpoint:
        both.load_state_dict(checkpoint["model"])
        optimizer.load_state_dict(checkpoint["optimizer"])
    log.info(
        "text encoder: %.2f M parameters, %d words", sum(p.numel() for p in model.parameters()) / 1e6, len(tokenizer)
    )
    others = other_words(cache, all_concepts)
    lessons = [(model, Wording(all_concepts, others, tokenizer))]
    if from_model:
        ours, theirs = known_to(from_model, all_concepts)
        lessons.append((_read(from_model, device).eval(), Wording(ours, others, tokenizer, theirs)))
    thumbs = _thumbnails(work, all_concepts).to(device)
    palette = torch.tensor([c[2] for c in (*COLOURS, COLOURS[WHITE])], device=device) / 255
    rng, start, told, step = np.random.default_rng(), time.monotonic(), time.monotonic(), 0
    while (passed := (time.monotonic() - start) / 60 / minutes) < 1:
        optimizer.set_lr(lr * min(1.0, (step + 1) / 50) * (0.5 + 0.5 * math.cos(math.pi * passed)))
        texts, labels = sample_captions(rng, all_concepts, batch)
        ids, labels = tokens(tokenizer, texts).to(device), labels.to(device)
        with precision.autocast(device):
            hidden = model(ids).last_hidden_state.float()
        x = summary(hidden, ids, model.config.eos_token_id)
        loss = (
            F.cross_entropy(heads.concept(x), labels[:, 0], label_smoothing=0.05)
            + 0.5 * F.cross_entropy(heads.style(x), labels[:, 1])
            + 0.5 * F.cross_entropy(heads.colour(x), labels[:, 2])
            + 0.5 * F.cross_entropy(heads.ink(x), labels[:, 3])
            + 3 * ((heads.thumb(x) - _targets(thumbs, labels, palette)).pow(2).mean(1) * (labels[:, 3] == 0)).mean()
        )
        shares = [
            unexplained(model, teacher, *(x.to(device) for x in lesson.batch(lesson.draw_many(rng, batch // 2))))
            for teacher, lesson in lessons
        ]
        loss = loss + STATES * torch.stack(shares).sum()
        optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(both.parameters(), 1.0)
        optimizer.step()
        step += 1
        if time.monotonic() - told > 20:
            told = time.monotonic()
            log.info(
                "%4.1f min  step %d  loss %.3f  unexplained %s  held-out templates: %s",
                (told - start) / 60,
                step,
                loss.item(),
                " ".join(f"{share.item():.3f}" for share in shares),
                accuracy(model, heads, tokenizer, all_concepts, 256),
            )
            save_checkpoint(work / "text_encoder.pt", {"model": both.state_dict(), "optimizer": optimizer.state_dict()})
    log.info("finished: %s", accuracy(model, heads, tokenizer, all_concepts, 2000))
    save_checkpoint(work / "text_encoder.pt", {"model": both.state_dict(), "optimizer": optimizer.state_dict()})
    note(work, "text encoder", minutes, step * batch)
    model.save_pretrained(str(work / "text_encoder"))


@torch.no_grad()
def accuracy(model: CLIPTextModel, heads: Heads, tokenizer: CLIPTokenizer, all_concepts: list[Concept], n: int) -> str:
    """Share of concepts, styles and colours read rightly from captions of templates that are not trained on."""
    texts, labels = sample_captions(np.random.default_rng(5), all_concepts, n, held_out=True)
    ids, labels = tokens(tokenizer, texts).to(model.device), labels.to(model.device)
    x = summary(model(ids).last_hidden_state.float(), ids, model.config.eos_token_id)
    right = [
        (getattr(heads, k)(x).argmax(1) == labels[:, i]).float().mean().item()
        for i, k in enumerate(("concept", "style", "colour"))
    ]
    return "concept {:.1%}, style {:.1%}, colour {:.1%}".format(*right)
