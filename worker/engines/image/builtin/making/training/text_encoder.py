"""Trains tokenizer and text encoder to tell concept, style, background and coarse look from a caption.

The denoiser then starts from embeddings that already say what is wanted, in both languages. The heads used here are not
kept.
"""

import logging
import math
import shutil
import time
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn
from transformers import CLIPTextModel, CLIPTokenizer

from worker.engines.image.builtin.layout import text_encoder
from worker.engines.image.builtin.making.concepts import Concept
from worker.engines.image.builtin.making.pictures import INKS, VARIED, load
from worker.engines.image.builtin.making.prepare import read_concepts
from worker.engines.image.builtin.making.training import precision
from worker.engines.image.builtin.making.training.checkpoints import load_checkpoint, note, save_checkpoint
from worker.engines.image.builtin.making.training.optimizer import Pair
from worker.engines.image.builtin.making.words.captions import COLOURS, STYLES, WHITE, Choice, caption
from worker.engines.image.builtin.tokenizer import train_tokenizer

log = logging.getLogger(__name__)
VOCABULARY, WIDTH, LAYERS, HEADS = 3000, 160, 2, 5
THUMB = 8
STYLE_NAMES = tuple(STYLES)


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


def tokens(tokenizer: CLIPTokenizer, texts: list[str]) -> Tensor:
    """Token ids (n, max length), padded and cut as the pipeline does it."""
    made = tokenizer(
        texts, padding="max_length", truncation=True, max_length=tokenizer.model_max_length, return_tensors="pt"
    )
    return made.input_ids


def summary(hidden: Tensor, ids: Tensor, end: int) -> Tensor:
    """Mean of the hidden states (n, length, width) from the end token on, where all of the caption has been read."""
    after = (ids == end).to(hidden.dtype)[..., None]
    return (hidden * after).sum(1) / after.sum(1).clamp_min(1)


def sample_captions(
    rng: np.random.Generator, all_concepts: list[Concept], n: int, held_out: bool = False
) -> tuple[list[str], Tensor]:
    """Captions and their (concept, style or len(STYLES), colour or len(COLOURS), ink) as int64 (n, 4).

    Every concept comes equally often, in each of the styles that draw it.
    """
    texts, rows = [], []
    for _ in range(n):
        c = int(rng.integers(len(all_concepts)))
        styles = all_concepts[c].styles
        style = styles[int(rng.integers(len(styles)))] if styles and (held_out or rng.random() < 0.85) else None
        b = int(rng.integers(len(COLOURS))) if rng.random() < 0.5 else None
        ink = int(rng.integers(1, len(INKS))) if style in VARIED and not held_out and rng.random() < 0.4 else 0
        choice = Choice(all_concepts[c], style, b, INKS[ink] if ink else None)
        texts.append(caption(choice, rng, None, held_out))
        s = len(STYLES) if style is None else STYLE_NAMES.index(style)
        rows.append((c, s, len(COLOURS) if b is None else b, ink))
    return texts, torch.tensor(rows)


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


def may_go_unsaid(concept: Concept, style: str) -> bool:
    """Whether a picture in this style is what a caption without a style may mean: not one of lines or of one colour,
    where there are others of the concept.
    """
    return style not in VARIED or all(one in VARIED for one in concept.styles)


def _targets(thumbs: Tensor, labels: Tensor, palette: Tensor) -> Tensor:
    x = thumbs[labels[:, 0], labels[:, 1]]
    ground = palette[labels[:, 2]]
    return (x[:, :3] + (1 - x[:, 3:]) * ground[:, :, None, None]).flatten(1) * 2 - 1


def build_tokenizer(all_concepts: list[Concept], samples: int = 60_000) -> CLIPTokenizer:
    """A tokenizer for the captions of these concepts, the same every time."""
    rng = np.random.default_rng(3)
    words = [w for c in all_concepts for w in (*c.english, *c.german)]
    return train_tokenizer(words * 3 + sample_captions(rng, all_concepts, samples)[0], VOCABULARY)


def train(work: Path, minutes: float, batch: int = 256, lr: float = 4e-3, from_model: Path | None = None) -> None:
    """Train for `minutes` of wall time, going on from `work/text_encoder.pt`, else from `from_model`'s weights with its
    tokenizer; writes `work/tokenizer`, `work/text_encoder`.

    Raises PicturesError if there are no pictures.
    """
    all_concepts = read_concepts(work)
    if from_model and not (work / "tokenizer").exists():
        shutil.copytree(from_model / "tokenizer", work / "tokenizer")
    if not (work / "tokenizer").exists():
        build_tokenizer(all_concepts).save_pretrained(str(work / "tokenizer"))
    tokenizer = CLIPTokenizer.from_pretrained(str(work / "tokenizer"))
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    if from_model:
        model = CLIPTextModel.from_pretrained(str(from_model / "text_encoder"), dtype=torch.float32).to(device).train()
    else:
        model = text_encoder(tokenizer, WIDTH, LAYERS, HEADS).to(device)
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
        optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(both.parameters(), 1.0)
        optimizer.step()
        step += 1
        if time.monotonic() - told > 20:
            told = time.monotonic()
            log.info(
                "%4.1f min  step %d  loss %.3f  held-out templates: %s",
                (told - start) / 60,
                step,
                loss.item(),
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
