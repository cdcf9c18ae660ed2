"""How long a row must be for a brand's texts to fit whole. Pure; no tokenizer at hand, so a bound from above.

Of 284 texts in English and German, SmolLM2's tokenizer made one token of 2.1 bytes at least, and of 2.5 to 4.3 on
average; larger models know more words. Emoji and scripts that a model hardly knows may take more.
"""

import math
from collections.abc import Iterable, Sequence

BYTES_OF_A_TOKEN = 2
TEMPLATE_TOKENS = 96
"""Room for what a chat template writes around the turns."""
LENGTHS = (512, 768, 1024, 1536, 2048, 3072, 4096, 6144, 8192)
"""Few steps, so that measurements of one training speak for the next."""


def tokens_at_most(contents: Iterable[str]) -> int:
    """Of one conversation's turns, the text itself included."""
    return TEMPLATE_TOKENS + math.ceil(sum(len(content.encode()) for content in contents) / BYTES_OF_A_TOKEN)


def length_for(longest: int, context: int) -> int:
    """Tokens of a row that holds ``longest`` of them, within what the base can look back on (``context``)."""
    return min(next((length for length in LENGTHS if length >= longest), LENGTHS[-1]), context)


def count_cut(conversations: Sequence[Iterable[str]], max_length: int) -> int:
    """How many of them may not fit."""
    return sum(tokens_at_most(contents) > max_length for contents in conversations)
