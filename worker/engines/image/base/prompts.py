"""From words to what the denoiser reads, with one CLIP tokenizer and text encoder (SD 1.x) or two (SDXL).

CLIP reads ``model_max_length`` tokens (77, with start and end). A longer prompt is cut into pieces, each encoded
between its own start and end, and the pieces' embeddings are put one after the other; the cross-attention takes any
length. That is the way of A1111 and sd-scripts without their weighting syntax and without moving cuts to commas: a word
at a cut may fall apart, and a piece does not know what the others say. Captions are read in the same way while
training.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

import torch

from worker.engines.image.base.model_cache import Loaded

CACHED = 32
"""Prompts whose embeddings are kept beside the base model."""
Made = TypeVar("Made")


@dataclass(frozen=True)
class PromptEmbeds:
    """A prompt and what to keep away from, as a U-Net reads them."""

    prompt: torch.Tensor
    """(1, length, width), like ``negative``."""
    negative: torch.Tensor
    pooled: torch.Tensor | None = None
    """SDXL's pooled embedding (1, width), like ``negative_pooled``."""
    negative_pooled: torch.Tensor | None = None


def pieces(tokenizer: Any, prompt: str) -> torch.Tensor:
    """Token ids of the prompt, (n, limit), each row between start and end and filled up; n is at least 1."""
    ids = tokenizer(prompt, add_special_tokens=False, truncation=False, verbose=False).input_ids
    room = tokenizer.model_max_length - 2
    rows = []
    for at in range(0, max(len(ids), 1), room):
        filled = [tokenizer.bos_token_id, *ids[at : at + room], tokenizer.eos_token_id]
        rows.append(filled + [tokenizer.pad_token_id] * (tokenizer.model_max_length - len(filled)))
    return torch.tensor(rows)


def padded(parts: Sequence[torch.Tensor], empty: torch.Tensor, least: int = 1) -> torch.Tensor:
    """Pieces of several prompts (n_i, limit, …) as one tensor (batch, n, limit, …): short ones are filled up with
    ``empty`` (1, limit, …), the piece that says nothing."""
    longest = max(least, *(len(part) for part in parts))
    return torch.stack([torch.cat([part, *[empty] * (longest - len(part))]) for part in parts])


def padding_mask(parts: Sequence[torch.Tensor], limit: int) -> torch.Tensor | None:
    """Where pieces of several prompts, put together by ``padded``, are a prompt's own: (batch, n · limit), 1 or 0.

    None where all have as many: then nothing was filled up, and attention needs no mask. With it a short caption reads
    beside a long one what it reads alone.
    """
    counts = torch.tensor([len(part) for part in parts])
    if (counts == counts.max()).all():
        return None
    return (torch.arange(int(counts.max())) < counts[:, None]).float().repeat_interleave(limit, dim=1)


def encoded(encoder: Any, ids: torch.Tensor, clip_skip: int = 1) -> torch.Tensor:
    """Embedding (batch, n · limit, width) of pieces (batch, n, limit) as SD 1.x reads them: the last layer's, or with
    ``clip_skip`` 2 the one before it, brought to the last one's measure as A1111 and diffusers do it."""
    batch, n, limit = ids.shape
    ids = ids.flatten(0, 1).to(encoder.device)
    if clip_skip == 1:
        out = encoder(ids)[0]
    else:
        layer = encoder(ids, output_hidden_states=True).hidden_states[-clip_skip]
        out = getattr(encoder, "text_model", encoder).final_layer_norm(layer)
    return out.view(batch, n * limit, -1)


def encoded_by_two(encoders: Sequence[Any], ids: Sequence[torch.Tensor]) -> tuple[torch.Tensor, torch.Tensor]:
    """As SDXL reads pieces, one (batch, n, limit) for each encoder: both encoders' last layer but one, side by side
    (batch, n · limit, width), and the second one's pooled embedding of the first piece (batch, width)."""
    layers = []
    for encoder, own in zip(encoders, ids, strict=True):
        batch, n, limit = own.shape
        out = encoder(own.flatten(0, 1).to(encoder.device), output_hidden_states=True)
        layers.append(out.hidden_states[-2].view(batch, n * limit, -1))
        pooled = out[0]
    return torch.cat(layers, dim=-1), pooled.view(batch, n, -1)[:, 0]


@torch.no_grad()
def embed(pipeline: Any, prompt: str, chunks: int = 1, clip_skip: int = 1) -> torch.Tensor:
    """SD 1.x's embedding of one prompt: (1, n · limit, width), n = the pieces it needs but at least ``chunks``."""
    empty = pieces(pipeline.tokenizer, "")
    return encoded(pipeline.text_encoder, padded([pieces(pipeline.tokenizer, prompt)], empty, chunks), clip_skip)


def embed_pair(pipeline: Any, prompt: str, negative_prompt: str, clip_skip: int = 1) -> PromptEmbeds:
    """SD 1.x's embeddings, of equal length."""
    chunks = max(len(pieces(pipeline.tokenizer, text)) for text in (prompt, negative_prompt))
    return PromptEmbeds(embed(pipeline, prompt, chunks, clip_skip), embed(pipeline, negative_prompt, chunks, clip_skip))


@torch.no_grad()
def embed_pair_for_two(pipeline: Any, prompt: str, negative_prompt: str) -> PromptEmbeds:
    """SDXL's embeddings, of equal length. An empty negative prompt is all zero where the base says so, as it was
    trained."""
    tokenizers = (pipeline.tokenizer, pipeline.tokenizer_2)
    encoders = (pipeline.text_encoder, pipeline.text_encoder_2)
    ids = [[pieces(tokenizer, text) for tokenizer in tokenizers] for text in (prompt, negative_prompt)]
    chunks = max(len(one[0]) for one in ids)
    (positive, pooled), (negative, negative_pooled) = (
        encoded_by_two(
            encoders,
            [padded([own], pieces(tokenizer, ""), chunks) for own, tokenizer in zip(one, tokenizers, strict=True)],
        )
        for one in ids
    )
    if not negative_prompt and pipeline.config.force_zeros_for_empty_prompt:
        negative, negative_pooled = torch.zeros_like(positive), torch.zeros_like(pooled)
    return PromptEmbeds(positive, negative, pooled, negative_pooled)


def cached(loaded: Loaded, key: tuple[Any, ...], make: Callable[[], Made]) -> Made:
    """The embeddings that ``make`` gave for this key, from a cache of the prompts used last.

    The adapters that act on the text encoders are part of the key.
    """
    known: Made | None = loaded.prompt_embeds.pop((key, loaded.acting_on_text_encoder), None)
    if known is None:
        known = make()
    loaded.prompt_embeds[key, loaded.acting_on_text_encoder] = known
    while len(loaded.prompt_embeds) > CACHED:
        loaded.prompt_embeds.popitem(last=False)
    return known
