"""Captions as the text encoder and the denoiser are trained with: which there are, and how they are read."""

import numpy as np
import torch
from torch import Tensor
from transformers import CLIPTokenizer

from worker.engines.image.builtin.making.concepts import Concept
from worker.engines.image.builtin.making.pictures import INKS, VARIED
from worker.engines.image.builtin.making.words.captions import COLOURS, STYLES, Choice, caption

STYLE_NAMES = tuple(STYLES)
MERE_LINES = ("line", "stencil")


def tokens(tokenizer: CLIPTokenizer, texts: list[str]) -> Tensor:
    """Token ids (n, max length), padded and cut as the pipeline does it."""
    made = tokenizer(
        texts, padding="max_length", truncation=True, max_length=tokenizer.model_max_length, return_tensors="pt"
    )
    return made.input_ids


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


def may_go_unsaid(concept: Concept, style: str) -> bool:
    """Whether a picture in this style is what a caption without a style may mean: not one of lines or of one colour,
    where there are others of the concept, and not one of mere lines where there are filled shapes.
    """
    if style not in VARIED:
        return True
    if any(one not in VARIED for one in concept.styles):
        return False
    return style not in MERE_LINES or all(one in MERE_LINES for one in concept.styles)
