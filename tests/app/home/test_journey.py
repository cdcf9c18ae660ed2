"""Where a brand stands on its way."""

import pytest

from app.home.journey import Holdings, Journey, journey


@pytest.mark.parametrize(
    ("holdings", "stand"),
    [
        (Holdings(), Journey("collect", ())),
        (Holdings(images=9), Journey("collect", ())),
        (Holdings(images=10), Journey("train", ("collect",))),
        (Holdings(images=24, training_now=True), Journey("train", ("collect",))),
        (Holdings(images=24, adapters=1), Journey("create", ("collect", "train"))),
        (Holdings(images=24, adapters=1, visuals=4, to_review=4), Journey("review", ("collect", "train", "create"))),
        (
            Holdings(images=24, adapters=1, visuals=4, to_review=1, approved=3),
            Journey("review", ("collect", "train", "create", "review"), is_over=True),
        ),
        (
            Holdings(images=24, adapters=1, visuals=4, approved=3),
            Journey("create", ("collect", "train", "create", "review"), is_over=True),
        ),
        (Holdings(images=24, adapters=1, visuals=4), Journey("create", ("collect", "train", "create"))),
        (Holdings(images=24, adapters=1, visuals=4, training_now=True), Journey("train", ("collect", "create"))),
        (Holdings(images=24, visuals=4), Journey("train", ("collect", "create"))),
        (Holdings(visuals=4), Journey("collect", ("create",))),
        (Holdings(images=4, adapters=1), Journey("create", ("train",))),
    ],
)
def test_the_next_step_follows_from_what_is_there(holdings: Holdings, stand: Journey) -> None:
    assert journey(holdings) == stand
