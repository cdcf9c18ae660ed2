"""What is said before a training starts, and with it what can be done."""

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from itertools import count as counting

from app.images.judging.findings import findings
from app.images.queries import judge
from app.trainings.advice import NOT_READY, Warning, warnings_of
from app.trainings.estimates import Estimate
from app.trainings.look import warnings as words
from app.trainings.look.warnings import warnings_for

SIDE = 384
START = datetime(2026, 1, 1, tzinfo=UTC)
numbers = counting(1)


@dataclass
class Picture:
    width: int = 1024
    height: int = 1024
    has_caption: bool = True
    dhash: str = "0123456789abcdef"
    sharpness: float = 200.0
    included: bool = True
    filename: str = "a.png"
    id: str = field(default_factory=lambda: f"{next(numbers):032x}")
    created_at: datetime = field(default_factory=lambda: START + timedelta(seconds=next(numbers)))


def different(count: int, **facts: object) -> list[Picture]:
    made = [f"{(next(numbers) * 0x9E3779B97F4A7C15) % 2**64:016x}" for _ in range(count)]
    return [Picture(dhash=dhash, **facts) for dhash in made]  # type: ignore[arg-type]


def told(pictures: list[Picture], ready: bool = True) -> list[Warning]:
    judged = judge(pictures, SIDE)
    return warnings_for(judged.included, findings(judged), ready=ready)


def said(pictures: list[Picture]) -> dict[str, str]:
    return {warning.key: warning.kind for warning in told(pictures)}


def acts_of(warning: Warning) -> list[tuple[str, tuple[str, str] | None]]:
    return [(act.path, act.field) for act in warning.acts]


def test_twelve_good_pictures_need_no_warning() -> None:
    assert said(different(12)) == {}


def test_the_number_of_pictures() -> None:
    assert said(different(4)) == {"too_few": "bad"}
    assert said([]) == {"too_few": "bad"}
    assert said(different(5)) == {"few_pictures": "caution"}
    assert said(different(51)) == {"many_pictures": "info"}


def test_captions() -> None:
    assert said(different(12, has_caption=False)) == {"no_captions": "caution"}
    assert said(different(12) + different(1, has_caption=False)) == {"some_without_caption": "info"}
    # Those that are left out are not learned from, so their captions do not matter.
    assert said(different(12) + different(1, has_caption=False, included=False)) == {}


def test_blurry_small_and_twin_pictures_are_told_with_what_can_be_done() -> None:
    (blurry,) = told(different(12) + different(2, sharpness=3.0))
    assert (blurry.key, blurry.kind, blurry.params["count"], blurry.params["all"]) == ("blurry", "caution", 2, 14)
    assert acts_of(blurry) == [
        (f"/images/leave-out?small_side={SIDE}", ("everything", "blurry")),
        ("/images?show=blurry", None),
    ]
    (small,) = told(different(12) + different(1, width=300))
    assert (small.key, small.kind, small.params["side"]) == ("small", "caution", SIDE)
    assert said(different(12) + different(1, width=SIDE)) == {}
    (twins,) = told([*different(12), Picture(), Picture()])
    assert (twins.key, twins.kind, twins.params["count"]) == ("twins", "info", 1)


def test_more_than_half_of_a_set_that_is_bad_is_grave() -> None:
    assert said(different(29) + different(29, sharpness=3.0))["blurry"] == "caution"
    assert said(different(1) + different(57, sharpness=3.0)) == {"many_pictures": "info", "blurry": "grave"}
    # Three kinds together: the one that most of them have.
    mixed = different(10) + different(6, sharpness=3.0) + different(5, width=300)
    assert said(mixed) == {"blurry": "grave", "small": "caution"}


def test_more_than_a_day_is_grave() -> None:
    def kinds(**given: object) -> list[str]:
        nothing = {"cost": None, "memory_bytes": 1, "file_bytes": 1, "memory_basis": "calculated"}
        made = {"seconds": None, "time_basis": "none", "measured_at": None, "device": None} | nothing | given
        return [f"{one.key} {one.kind}" for one in warnings_of(Estimate.model_validate(made))]

    assert kinds(seconds=23 * 3600.0) == []
    assert kinds(seconds=25 * 3600.0) == ["long grave"]
    assert kinds() == []
    assert kinds(seconds_range=(7 * 86400.0, 14 * 86400.0)) == ["long grave"]
    assert kinds(seconds_range=(20 * 3600.0, 40 * 3600.0)) == []


def test_a_base_that_must_be_fetched() -> None:
    assert [one.msgid for one in told(different(12), ready=False)] == [NOT_READY]


def test_a_base_made_for_few_steps_and_a_licence_to_accept_are_told() -> None:
    found = warnings_for(12, [], ready=False, gated=True, distilled=True)
    assert [(one.msgid, one.kind) for one in found] == [(words.DISTILLED, "caution"), (words.GATED, "caution")]


def test_words_of_captions_that_the_base_does_not_know() -> None:
    (found,) = warnings_for(12, [], ready=True, unknown_words=["gyroscope", "sextant"])
    assert (found.msgid, found.kind) == (words.UNKNOWN_WORDS, "info")
    assert found.params == {"count": 2, "all": 12, "word": "gyroscope"}
