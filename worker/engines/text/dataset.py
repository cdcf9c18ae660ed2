"""From texts to what a training step is fed: tokens, which of them count, rows, batches. Holds no state."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

import torch

from worker.engines.contracts import EngineError
from worker.engines.text_contracts import VoiceText

PACKED = 512
"""Tokens up to which texts share a row, so that one long text does not make few steps of all the others."""
SHORTEST = 2
"""Tokens that an example needs: one to be told and one to be predicted."""
IGNORED = -100
"""Target of a position that does not count, as PyTorch's cross entropy has it."""
OF_NONE, OF_ALL = -1, -2
"""Owners of a place in a row beside the index of an example: padding, and the beginning that its examples share."""
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
    """Position of each token within its own text."""
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
    random numbers can change: a resumed training goes on with exactly the row that was next.
    """
    order = sorted(range(len(examples)), key=lambda index: _rank(seed, epoch, examples[index].key))
    return packed(examples, order, min(max_length, PACKED)) if packing else [(index,) for index in order]


def packed(examples: Sequence[Example], order: Sequence[int], max_length: int) -> list[tuple[int, ...]]:
    """The examples in this order, as many in a row as fit into ``max_length`` tokens; a longer one is alone in its."""
    rows: list[list[int]] = []
    for index in order:
        together = [examples[one] for one in (*rows[-1], index)] if rows else []
        if together and row_length(together) <= max_length:
            rows[-1].append(index)
        else:
            rows.append([index])
    return [tuple(row) for row in rows]


def batches_of_epoch(rows: Sequence[tuple[int, ...]], batch_size: int) -> list[list[tuple[int, ...]]]:
    return [list(rows[at : at + batch_size]) for at in range(0, len(rows), batch_size)]


def shared_beginning(examples: Sequence[Example]) -> int:
    """Number of tokens with which all of these begin, and which a row of them holds once.

    Orders of one brand begin with the same words, a third of a short text. What comes earlier in a text does not
    depend on what comes later, so nothing changes by computing it once. The token before the first that counts is
    never among them, as each text has its own to follow it.
    """
    most = min(next((at for at, counts in enumerate(one.counted) if counts), 0) for one in examples) - 1
    for at, tokens in enumerate(zip(*(one.tokens for one in examples), strict=False)):
        if at >= most or any(token != tokens[0] for token in tokens):
            return at
    return max(0, most)


def row_length(examples: Sequence[Example]) -> int:
    """Tokens of a row that holds these."""
    return sum(len(one.tokens) for one in examples) - (len(examples) - 1) * shared_beginning(examples)


def collate(examples: Sequence[Example], rows: Sequence[tuple[int, ...]], padding: int) -> Batch:
    """Rows of tokens in which every text sees its own earlier tokens alone, and what all in its row begin with."""
    length = max(row_length([examples[index] for index in row]) for row in rows)
    tokens = torch.full((len(rows), length), padding, dtype=torch.long)
    targets = torch.full((len(rows), length), IGNORED, dtype=torch.long)
    positions = torch.zeros((len(rows), length), dtype=torch.long)
    # Padding looks at itself, as a row of attention without any place is not a number.
    owner = torch.full((len(rows), length), OF_NONE, dtype=torch.long)
    for number, row in enumerate(rows):
        shared = at = shared_beginning([examples[index] for index in row])
        tokens[number, :at] = torch.tensor(examples[row[0]].tokens[:at])
        positions[number, :at] = torch.arange(at)
        owner[number, :at] = OF_ALL
        for index in row:
            one = torch.tensor(examples[index].tokens[shared:])
            counted = torch.tensor(examples[index].counted[shared + 1 :])
            end = at + len(one)
            tokens[number, at:end] = one
            targets[number, at : end - 1] = torch.where(counted, one[1:], IGNORED)
            positions[number, at:end] = torch.arange(shared, shared + len(one))
            owner[number, at:end] = index
            at = end
    earlier = torch.ones((length, length), dtype=torch.bool).tril()
    looks, seen = owner[:, :, None], owner[:, None, :]
    may_see = ((seen == looks) | (seen == OF_ALL)) & earlier & (looks != OF_NONE)
    may_see |= torch.eye(length, dtype=torch.bool)
    visible = torch.zeros(may_see.shape).masked_fill(~may_see, LOWEST)
    return Batch(tokens, targets, positions, visible[:, None])


def _rank(seed: int, epoch: int, key: str) -> bytes:
    return hashlib.sha256(f"{seed}/{epoch}/{key}".encode()).digest()
