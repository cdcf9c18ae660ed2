"""What is measured on the texts kept back is measured against them, not against what was learned."""

import pytest

from app.trainings.voice.freeze import FrozenText, FrozenVoice
from app.trainings.voice.measures import distance_in_style

LOUD = "Wow! Your tea is here! Grab it now! It is hot!"
CALM = "In the evening, when the tide has gone out, the lamp is lit and the tea is poured slowly."
GERMAN = "Heute ist der Tee da, und die Lampe brennt."


def frozen(learned: list[str], held_out: list[str]) -> FrozenVoice:
    texts = [(text, False) for text in learned] + [(text, True) for text in held_out]
    return FrozenVoice(
        texts=tuple(
            FrozenText(
                sample_id=str(number),
                order=(("user", "Write."),),
                text=text,
                language="de" if text == GERMAN else "en",
                channel="post",
                held_out=held_out,
            )
            for number, (text, held_out) in enumerate(texts)
        ),
        language="en",
        style_guide="",
    )


def test_the_reference_is_what_was_kept_back() -> None:
    voice = frozen([LOUD] * 40, [CALM] * 4)
    asked = voice.held_out[:2]
    assert distance_in_style(voice, asked, [CALM, CALM]) == pytest.approx(0)
    assert (distance_in_style(voice, asked, [LOUD, LOUD]) or 0) > 1, "learned by heart is not like the brand"


def test_only_texts_of_the_main_language_are_compared() -> None:
    voice = frozen([CALM] * 8, [CALM, GERMAN, CALM])
    assert distance_in_style(voice, voice.held_out, [CALM, "Etwas ganz anderes! Los!", CALM]) == pytest.approx(0)
    assert distance_in_style(voice, voice.held_out[1:2], [GERMAN]) is None
    assert distance_in_style(voice, voice.held_out[:1], [""]) is None
