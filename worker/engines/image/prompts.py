"""From words to what the denoiser reads, with CLIP's tokenizer and text encoder."""

from collections.abc import Sequence
from typing import Any

import torch


@torch.no_grad()
def embed(pipeline: Any, prompt: str, chunks: int = 1) -> torch.Tensor:
    """Embedding of one prompt: (1, n · limit, width), n = the chunks it needs but at least ``chunks``.

    CLIP reads ``model_max_length`` tokens (77 in SD 1.5, with start and end). A longer prompt is cut into pieces, each
    encoded between its own start and end, and the pieces' embeddings are put one after the other; the cross-attention
    takes any length. That is the way of A1111 without its weighting syntax and without moving cuts to commas: a word at
    a cut may fall apart, and a piece does not know what the others say.
    """
    tokenizer = pipeline.tokenizer
    ids = tokenizer(prompt, add_special_tokens=False, truncation=False, verbose=False).input_ids
    room = tokenizer.model_max_length - 2
    pieces = [ids[at : at + room] for at in range(0, len(ids), room)] or [[]]
    pieces += [[]] * (chunks - len(pieces))
    return torch.cat([_encode(pipeline, piece) for piece in pieces], dim=1)


def embed_pair(pipeline: Any, prompt: str, negative_prompt: str) -> tuple[torch.Tensor, torch.Tensor]:
    """Embeddings of a prompt and of what to keep away from, of equal shape (1, length, width)."""
    positive, negative = embed(pipeline, prompt), embed(pipeline, negative_prompt)
    limit = pipeline.tokenizer.model_max_length
    chunks = max(positive.shape[1], negative.shape[1]) // limit
    if positive.shape[1] < chunks * limit:
        positive = embed(pipeline, prompt, chunks)
    if negative.shape[1] < chunks * limit:
        negative = embed(pipeline, negative_prompt, chunks)
    return positive, negative


@torch.no_grad()
def embed_captions(pipeline: Any, captions: Sequence[str]) -> dict[str, torch.Tensor]:
    """Embedding (1, limit, width) of each distinct caption, on the CPU.

    Captions are cut at the tokenizer's limit, so that any of them fit into one batch.
    """
    room = pipeline.tokenizer.model_max_length - 2
    embeddings = {}
    for caption in dict.fromkeys(captions):
        ids = pipeline.tokenizer(caption, add_special_tokens=False, truncation=False, verbose=False).input_ids
        embeddings[caption] = _encode(pipeline, ids[:room]).cpu()
    return embeddings


def _encode(pipeline: Any, ids: list[int]) -> torch.Tensor:
    tokenizer = pipeline.tokenizer
    filled = [tokenizer.bos_token_id, *ids, tokenizer.eos_token_id]
    filled += [tokenizer.pad_token_id] * (tokenizer.model_max_length - len(filled))
    encoder = pipeline.text_encoder
    return encoder(torch.tensor([filled], device=encoder.device))[0]
