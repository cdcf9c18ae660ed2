"""Who wins a blind vote, and when nothing can be said."""

import pytest

from app.writings.recipe import ARMS, Arm
from app.writings.vote.statistics import Cast, duels, interval


@pytest.mark.parametrize(
    ("successes", "trials", "low", "high"),
    [
        # Tables of Clopper and Pearson, 95 %
        (0, 10, 0.0, 0.3085),
        (5, 10, 0.1871, 0.8129),
        (10, 10, 0.6915, 1.0),
        (8, 10, 0.4439, 0.9748),
        (60, 100, 0.4972, 0.6967),
        (61, 100, 0.5074, 0.7060),
        (0, 0, 0.0, 1.0),
    ],
)
def test_the_exact_interval(successes: int, trials: int, low: float, high: float) -> None:
    assert interval(successes, trials) == pytest.approx((low, high), abs=1e-4)


def test_the_interval_mirrors_and_bears_many_votes() -> None:
    low, high = interval(3, 20)
    assert interval(17, 20) == pytest.approx((1 - high, 1 - low), abs=1e-9)
    low, high = interval(5_100, 10_000)
    assert 0.5 < low < 0.51 < high < 0.52


def votes(first: Arm, second: Arm, wins: int, losses: int, same: int = 0) -> list[Cast]:
    """Half of them with the sides swapped, as they come."""
    given = [first] * wins + [second] * losses + [None] * same
    return [Cast(*((first, second) if number % 2 else (second, first)), better) for number, better in enumerate(given)]


def test_nine_to_nothing_is_too_early_and_ten_to_nothing_is_not() -> None:
    (early,) = duels(votes("adapter", "base", 9, 0), ARMS)
    assert early.is_early and early.winner is None
    (clear,) = duels(votes("adapter", "base", 10, 0), ARMS)
    assert not clear.is_early and clear.winner == "adapter"


def test_a_lead_that_a_coin_could_give_is_no_win() -> None:
    (duel,) = duels(votes("adapter", "prompted_base", 8, 4), ARMS)
    assert (duel.first_wins, duel.second_wins, duel.winner) == (8, 4, None)


def test_the_second_can_win_and_no_difference_counts_for_neither() -> None:
    (duel,) = duels(votes("adapter", "base", 1, 14, same=30), ARMS)
    assert (duel.first, duel.winner, duel.same, duel.decided) == ("adapter", "base", 30, 15)


def test_every_two_arms_are_a_duel_of_their_own() -> None:
    found = duels(
        [*votes("base", "prompted_base", 1, 0), *votes("base", "adapter", 0, 2), Cast("adapter", "base", "base", True)],
        ARMS,
    )
    assert [(duel.first, duel.second, duel.first_wins, duel.second_wins, duel.own) for duel in found] == [
        ("adapter", "base", 2, 1, 1),
        ("prompted_base", "base", 0, 1, 0),
    ]
    assert duels([], ARMS) == []
