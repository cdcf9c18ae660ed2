"""Which step the jury advises, and why."""

import pytest

from app.base_models import catalogue
from app.trainings.look import jury
from app.trainings.look.jury import Copy, Reading, advise, drawings_for, unseen
from app.trainings.look.presets import recipe_for


def reading(away: float | None, *copies: str) -> Reading:
    """So far from the brand, where the base is at 10."""
    return Reading(
        palette=away,
        edges=None if away is None else away / 100,
        texture=None if away is None else away / 100,
        diversity=0.5,
        obedience=0.8,
        likeness=0.95 if copies else 0.4,
        copies=tuple(Copy(position=0, image_id=one, likeness=0.95) for one in copies),
    )


@pytest.mark.parametrize(
    ("course", "step", "why", "params"),
    [
        ({0: 10.0, 100: 8.0, 200: 5.0, 300: 6.0}, 200, jury.THEN_AWAY, {}),
        ({0: 10.0, 100: 8.0, 200: 5.0}, 200, jury.NEAREST_AND_LAST, {}),
        ({0: 10.0, 100: 8.0}, 100, jury.NEAREST, {}),
        ({0: 10.0, 100: 12.0, 200: 11.0}, 200, jury.NOT_NEARER, {}),
        ({0: 10.0, 100: 5.0, 200: 5.0}, 100, jury.THEN_AWAY, {}),
    ],
)
def test_the_nearest_step_is_advised_with_a_reason(
    course: dict[int, float], step: int, why: str, params: dict[str, int]
) -> None:
    advice = advise({at: reading(away) for at, away in course.items()})
    assert advice is not None
    assert (advice.step, advice.msgid, advice.params) == (step, why, {"step": step} | params)


def test_a_step_that_repeats_pictures_is_not_advised_while_another_does_not() -> None:
    advice = advise({0: reading(10), 600: reading(6), 800: reading(4, "a", "b"), 1000: reading(3, "b")})
    assert advice is not None
    assert advice.pair == (jury.THEN_COPIES, {"step": 600, "from_step": 800, "count": 2})
    advice = advise({0: reading(10), 100: reading(6, "a"), 200: reading(4, "a")})
    assert advice is not None
    assert advice.pair == (jury.ALL_COPY, {"step": 200, "count": 1})


def test_nothing_is_advised_without_the_base_or_pictures_kept_back() -> None:
    assert advise({}) is None
    assert advise({0: reading(10)}) is None
    assert advise({100: reading(10)}) is None
    assert advise({0: reading(None), 100: reading(None, "a")}) is None


def test_its_drawings_keep_to_their_time_and_to_prompts_that_nobody_learned() -> None:
    order = recipe_for(
        "style",
        catalogue.get("livery-builtin"),
        trigger_word="nrdlcht",
        captions=["a red apple"],
        changes={
            "steps": 400,
            "batch_size": 4,
            "checkpoint_every": 100,
            "sample_steps": 20,
            "sample_prompts": ("[trigger], a red apple", "[trigger], a kite"),
        },
    )
    asked = drawings_for(order, ["[trigger], A red  apple."], ["a lemon", "a red apple", ""])
    seed = order.sample_seed
    assert asked == (("[trigger], a kite", seed + 1), ("[trigger], a lemon", seed))
    sittings = 5
    passes = sittings * len(asked) * jury.DRAWN * order.sample_steps
    assert passes <= jury.MOST_TIME * jury.TRAINED * order.batch_size * order.steps
    assert drawings_for(order.model_copy(update={"checkpoint_every": 5}), [], ["a lemon"]) == ()
    assert unseen(["[trigger], a Kite "], ["a kite"]) == []
