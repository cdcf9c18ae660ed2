"""Which arm wins the blind vote, in numbers that say how sure they are. Pure."""

import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from app.writings.recipe import Arm

ENOUGH_VOTES = 10
"""No winner is named with fewer decided votes."""
CONFIDENCE = 0.95


@dataclass(frozen=True)
class Cast:
    """One vote: the arms of its pair, and the one that was found better; None for no difference."""

    first: Arm
    second: Arm
    better: Arm | None
    own: bool = False
    """Cast by the person who made the request and may have seen who wrote what."""


@dataclass(frozen=True)
class Duel:
    """Two arms against each other. Votes for no difference are told, and not counted for either."""

    first: Arm
    second: Arm
    first_wins: int
    second_wins: int
    same: int
    own: int
    low: float
    """The share of decided votes for ``first`` lies between ``low`` and ``high``, at 95 % (Clopper and Pearson)."""
    high: float

    @property
    def decided(self) -> int:
        return self.first_wins + self.second_wins

    @property
    def is_early(self) -> bool:
        return self.decided < ENOUGH_VOTES

    @property
    def winner(self) -> Arm | None:
        """None while it is too early, or while an even coin could have given the same."""
        if self.is_early or self.low <= 0.5 <= self.high:
            return None
        return self.first if self.low > 0.5 else self.second


def duels(votes: Iterable[Cast], order: tuple[Arm, ...]) -> list[Duel]:
    """Every two arms that were voted on, the first of each pair as in ``order``."""
    found: dict[tuple[Arm, Arm], list[Cast]] = {}
    for vote in votes:
        first, second = sorted((vote.first, vote.second), key=order.index)
        found.setdefault((first, second), []).append(vote)
    return [
        _duel(first, second, found[first, second])
        for place, first in enumerate(order)
        for second in order[place + 1 :]
        if (first, second) in found
    ]


def _duel(first: Arm, second: Arm, cast: list[Cast]) -> Duel:
    wins, losses = (sum(vote.better == arm for vote in cast) for arm in (first, second))
    low, high = interval(wins, wins + losses)
    same = len(cast) - wins - losses
    return Duel(first, second, wins, losses, same, sum(vote.own for vote in cast), low, high)


def interval(successes: int, trials: int, confidence: float = CONFIDENCE) -> tuple[float, float]:
    """The exact binomial interval of Clopper and Pearson (Biometrika 26, 1934); (0, 1) without a trial."""
    if trials == 0:
        return 0.0, 1.0
    tail = (1 - confidence) / 2
    low = 0.0 if successes == 0 else _root(lambda share: _at_least(successes, trials, share) < tail)
    high = 1.0 if successes == trials else _root(lambda share: 1 - _at_least(successes + 1, trials, share) > tail)
    return low, high


def _at_least(successes: int, trials: int, share: float) -> float:
    """The chance of so many successes or more."""
    if share <= 0 or share >= 1:
        return float(share >= 1 or successes == 0)
    logs = (
        math.lgamma(trials + 1)
        - math.lgamma(count + 1)
        - math.lgamma(trials - count + 1)
        + count * math.log(share)
        + (trials - count) * math.log1p(-share)
        for count in range(successes, trials + 1)
    )
    return min(1.0, math.fsum(map(math.exp, logs)))


def _root(is_below: Callable[[float], bool]) -> float:
    """The point between 0 and 1 at which ``is_below`` changes from true to false, found by bisection."""
    low, high = 0.0, 1.0
    for _ in range(50):
        middle = (low + high) / 2
        low, high = (middle, high) if is_below(middle) else (low, middle)
    return (low + high) / 2
