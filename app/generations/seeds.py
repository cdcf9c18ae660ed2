"""Seeds of generations and writings, and which of their results are left to make."""

import secrets

HIGHEST_SEED = 2**32 - 1
HIGHEST_RANDOM_SEED = 10**9
"""Random seeds stay short enough to be read out."""


def random_seed() -> int:
    return secrets.randbelow(HIGHEST_RANDOM_SEED)


def positions_left(count: int, done: frozenset[int]) -> range:
    """From the first position that is not ``done`` to the last one; empty when nothing is left.

    The seed of a position is that of the one before plus 1, so what is done in between is made again; whoever keeps the
    results skips it by its position.
    """
    missing = [position for position in range(count) if position not in done]
    return range(missing[0], missing[-1] + 1) if missing else range(0)
