"""What is said before a training starts."""

from dataclasses import dataclass

from app.base_models import catalogue
from app.trainings.advice import NOT_READY
from app.trainings.look import warnings as words
from app.trainings.look.presets import recipe_for
from app.trainings.look.warnings import warnings_for

RECIPE = recipe_for("style", catalogue.get("stable-diffusion-1-5"), trigger_word="x", captions=["a"])


@dataclass
class Picture:
    width: int = 1024
    height: int = 1024
    caption: str = "ein Brötchen"
    dhash: str = "0123456789abcdef"


def different(count: int) -> list[Picture]:
    return [Picture(dhash=f"{(n + 1) * 0x9E3779B97F4A7C15 % 2**64:016x}") for n in range(count)]


def said(pictures: list[Picture], ready: bool = True) -> dict[str, str]:
    return {warning.msgid: warning.kind for warning in warnings_for(pictures, RECIPE, ready=ready)}


def test_twelve_good_pictures_need_no_warning() -> None:
    assert said(different(12)) == {}


def test_the_number_of_pictures() -> None:
    assert said(different(4)) == {words.TOO_FEW: "bad"}
    assert said([]) == {words.TOO_FEW: "bad"}
    assert said(different(5)) == {words.FEW_PICTURES: "caution"}
    assert said(different(51)) == {words.MANY_PICTURES: "info"}


def test_captions() -> None:
    assert said([Picture(caption="", dhash=one.dhash) for one in different(12)]) == {words.NO_CAPTIONS: "caution"}
    assert said([*different(12), Picture(caption=" ", dhash="ff00ff00ff00aa55")]) == {
        words.SOME_WITHOUT_CAPTION: "info"
    }


def test_twins_small_pictures_and_a_base_that_must_be_fetched() -> None:
    assert said([Picture() for _ in range(12)]) == {words.TWINS: "caution"}
    assert said([*different(12), Picture(width=300, dhash="ff00ff00ff00aa55")]) == {words.SMALL: "caution"}
    assert said(different(12), ready=False) == {NOT_READY: "info"}


def test_a_base_made_for_few_steps_and_a_licence_to_accept_are_told() -> None:
    told = warnings_for(different(12), RECIPE, ready=False, gated=True, distilled=True)
    assert [(one.msgid, one.kind) for one in told] == [(words.DISTILLED, "caution"), (words.GATED, "caution")]


def test_words_of_captions_that_the_base_does_not_know() -> None:
    told = warnings_for(different(12), RECIPE, ready=True, unknown_words=["gyroscope", "sextant"])
    assert [(one.msgid, one.kind) for one in told] == [(words.UNKNOWN_WORDS, "info")]
    assert told[0].params == {"count": 2, "all": 12, "word": "gyroscope"}
