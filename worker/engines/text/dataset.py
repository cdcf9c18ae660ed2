"""From texts to what a training step is fed: tokens, which of them count, rows, batches. Holds no state."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

import torch

from worker.engines.contracts import EngineError, VoiceText

SHORTEST = 2
"""Tokens that an example needs: one to be told and one to be predicted."""
IGNORED = -100
"""Target of a position that does not count, as PyTorch's cross entropy has it."""

LOWEST = -30000.0
"""Added to a score, it leaves nothing of it, and half precision can still hold it."""


@dataclass(frozen=True)
class Example:
    """One text as tokens. ``counted`` says of each whether the model is to learn to say it."""

    key: str
    tokens: tuple[int, ...]
    counted: tuple[bool, ...]


@dataclass(frozen=True)
class Batch:
    """Several rows: (rows, length) each, but for ``visible``, (rows, 1, length, length)."""

    tokens: torch.Tensor
    targets: torch.Tensor
    """The token that follows, or ``IGNORED``."""
    positions: torch.Tensor
    """Of each token within its own text."""
    visible: torch.Tensor
    """Added to the attention's scores: 0 where a token may look, the lowest number elsewhere."""

    @property
    def counted(self) -> int:
        return int((self.targets != IGNORED).sum())


def answer(tokenizer, text: VoiceText, prompt: list[int], max_length: int) -> list[int]:
    """The text's tokens and the sign that ends it, cut at what ``max_length`` leaves beside the order.

    Raises ``EngineError`` (``too_long``) when the order alone fills it.
    """
    if len(prompt) + SHORTEST > max_length:
        raise EngineError(
            "too_long",
            f"An order takes {len(prompt)} word pieces, which leaves no room for its text in {max_length}. Choose a "
            "larger length, or shorten the orders.",
        )
    tokens = [*tokenizer(text.text, add_special_tokens=False)["input_ids"], tokenizer.eos_token_id]
    return tokens[: max_length - len(prompt)]


def example(key: str, prompt: list[int], told: list[int]) -> Example:
    """``told`` counts, ``prompt`` does not.

    Both are made to tokens apart, exactly as when writing: there the order is all that the model is given.
    """
    return Example(key, (*prompt, *told), (False,) * len(prompt) + (True,) * len(told))


def plain_pieces(tokenizer, text: VoiceText, max_length: int) -> list[list[int]]:
    """The text as it is, as the model's own tokenizer begins one; a long one in pieces."""
    tokens = [*plain_beginning(tokenizer, text.text), tokenizer.eos_token_id]
    pieces = [tokens[at : at + max_length] for at in range(0, len(tokens), max_length)]
    return [piece for piece in pieces if len(piece) >= SHORTEST]


def plain_beginning(tokenizer, text: str) -> list[int]:
    """A text to go on from, as the model's own tokenizer begins one, without the sign that ends it."""
    tokens = [*tokenizer(text)["input_ids"]]
    return tokens[:-1] if tokens[-1:] == [tokenizer.eos_token_id] else tokens


def rows_of_epoch(
    examples: Sequence[Example], max_length: int, packing: bool, seed: int, epoch: int
) -> list[tuple[int, ...]]:
    """Indexes of the examples in each row, in the order of the epoch.

    The order is a pure function of ``seed``, ``epoch`` and the examples' keys, sorted by a hash that no library's
    random numbers can change: a resumed training goes on with exactly the row that was next. Packing takes the
    examples in that order and opens a new row where the next does not fit.
    """
    order = sorted(range(len(examples)), key=lambda index: _rank(seed, epoch, examples[index].key))
    if not packing:
        return [(index,) for index in order]
    rows: list[list[int]] = []
    room = 0
    for index in order:
        if len(examples[index].tokens) > room:
            rows.append([])
            room = max_length
        rows[-1].append(index)
        room -= len(examples[index].tokens)
    return [tuple(row) for row in rows]


def batches_of_epoch(rows: Sequence[tuple[int, ...]], batch_size: int) -> list[list[tuple[int, ...]]]:
    return [list(rows[at : at + batch_size]) for at in range(0, len(rows), batch_size)]


def collate(examples: Sequence[Example], rows: Sequence[tuple[int, ...]], padding: int) -> Batch:
    """Rows of tokens in which every text sees its own earlier tokens alone."""
    length = max(sum(len(examples[index].tokens) for index in row) for row in rows)
    tokens = torch.full((len(rows), length), padding, dtype=torch.long)
    targets = torch.full((len(rows), length), IGNORED, dtype=torch.long)
    positions = torch.zeros((len(rows), length), dtype=torch.long)
    # Padding belongs to no text (-1) and looks at itself, as a row of attention without any place is not a number.
    owner = torch.full((len(rows), length), -1, dtype=torch.long)
    for number, row in enumerate(rows):
        at = 0
        for index in row:
            one = examples[index]
            end = at + len(one.tokens)
            tokens[number, at:end] = torch.tensor(one.tokens)
            counted = torch.tensor(one.counted[1:])
            targets[number, at : end - 1] = torch.where(counted, tokens[number, at + 1 : end], IGNORED)
            positions[number, at:end] = torch.arange(len(one.tokens))
            owner[number, at:end] = index
            at = end
    earlier = torch.ones((length, length), dtype=torch.bool).tril()
    seen = (owner[:, None, :] == owner[:, :, None]) & earlier & (owner[:, :, None] >= 0)
    seen |= torch.eye(length, dtype=torch.bool)
    visible = torch.zeros(seen.shape).masked_fill(~seen, LOWEST)
    return Batch(tokens, targets, positions, visible[:, None])


def _rank(seed: int, epoch: int, key: str) -> bytes:
    return hashlib.sha256(f"{seed}/{epoch}/{key}".encode()).digest()
