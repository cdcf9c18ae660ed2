"""Does it sound like the brand? What was measured on the validation split, and what that means in a sentence. Pure."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from pydantic import BaseModel, ConfigDict

from app.errors import N_
from app.trainings.voice.freeze import FrozenText, FrozenVoice
from app.voice.analysis import stylometry

COPIED_WORDS = 12
"""A run of so many words that a new text shares with a learned one is hardly chance."""
NOTICEABLE = 1.03
"""A ratio of perplexities closer to 1 than this is no difference."""

Arm = Literal["base", "prompted", "adapter"]


class ArmMeasure(BaseModel, defer_build=True):
    """One way of writing: the base alone, the base with the style guide in its prompt, the adapter."""

    model_config = ConfigDict(frozen=True)

    loss: float
    """Mean negative log-likelihood of a held-out token, in nats."""
    style_distance: float | None
    """To the brand's held-out texts, by function words, lengths, punctuation, emoji, form of address."""
    embedding_distance: float | None
    """1 − cosine of the mean last hidden states of the base over its texts and over the held-out ones."""
    longest_overlap: int
    """Words in a row that one of its texts shares with a learned text."""
    texts: tuple[str, ...]

    @property
    def perplexity(self) -> float:
        """How many words, on average, it hesitates between: lower means that the text was less of a surprise."""
        return math.exp(min(self.loss, 50.0))


class HeldOut(BaseModel, defer_build=True):
    """The three beside each other."""

    model_config = ConfigDict(frozen=True)

    text_count: int
    tokens: int
    briefs: tuple[str, ...]
    originals: tuple[str, ...]
    """The brand's own texts for those briefs."""
    base: ArmMeasure
    prompted: ArmMeasure
    adapter: ArmMeasure


class Measures(BaseModel, defer_build=True):
    """What a finished training measured; ``held_out`` is None where a person stopped it."""

    model_config = ConfigDict(frozen=True)

    steps: int
    planned_steps: int
    best_step: int
    base_bytes: int
    tokens_per_step: float | None
    cut_texts: int | None = None
    """Texts of which the end was not read, because a row was too short; None where nobody has counted."""
    held_out: HeldOut | None


def distance_in_style(voice: FrozenVoice, asked: Sequence[FrozenText], written: Sequence[str]) -> float | None:
    """How far the answers to these held-out texts' briefs are in manner from all that was held out.

    Both in the language of most texts alone, as manners of two languages cannot be compared. Learned texts give the
    unit, because what was held out is too little to tell how much the brand varies; what they say is not looked at.
    None where no word is left to compare.
    """

    def told(texts: Sequence[FrozenText]) -> stylometry.StyleVector:
        return stylometry.style_vector([one.text for one in texts if one.language == voice.language], voice.language)

    brand, unit = told(voice.held_out), told(voice.learned)
    answers = [text for one, text in zip(asked, written, strict=True) if one.language == voice.language]
    own = stylometry.style_vector(answers, voice.language)
    return stylometry.style_distance(brand, own, unit=unit) if own.words and brand.words else None


@dataclass(frozen=True)
class Verdict:
    """A sentence to translate, what goes into it, and whether it is good news."""

    key: str
    """By which it is found, whatever it says."""
    kind: Literal["good", "caution"]
    msgid: str
    params: Mapping[str, str | int | float]

    @property
    def pair(self) -> tuple[str, Mapping[str, str | int | float]]:
        return self.msgid, self.params


BETTER = N_(
    "The voice sounds more like the brand: it predicts unseen brand texts better than the base model (%(base)s "
    "→ %(adapter)s; lower is better), and better than the base model with a style guide (%(prompted)s)."
)
ONLY_BETTER_THAN_BARE = N_(
    "The voice has learned something (%(base)s → %(adapter)s; lower is better), but the base model with a "
    "style guide does equally well (%(prompted)s). More texts, or a larger base model, would help."
)
NO_BETTER = N_(
    "The voice sounds no more like the brand than the base model (%(base)s → %(adapter)s). Check the texts, or "
    "add more."
)
COPIES = N_(
    "One of the voice's texts repeats %(count)s consecutive words from a text it learned. Check for copies "
    "before you publish; more texts, or more varied ones, help."
)


def verdict(measured: HeldOut) -> Verdict:
    """What the perplexities say together."""
    base, prompted, adapter = (arm.perplexity for arm in (measured.base, measured.prompted, measured.adapter))
    shown = {"base": _shown(base), "prompted": _shown(prompted), "adapter": _shown(adapter)}
    if base / adapter < NOTICEABLE:
        return Verdict("no_better", "caution", NO_BETTER, shown)
    if prompted / adapter < NOTICEABLE:
        return Verdict("only_better_than_bare", "caution", ONLY_BETTER_THAN_BARE, shown)
    return Verdict("better", "good", BETTER, shown)


def _shown(perplexity: float) -> int | float:
    return round(perplexity) if perplexity >= 10 else round(perplexity, 1)


def copies(measured: HeldOut) -> Verdict | None:
    """A warning, where a text of the adapter is largely a learned one."""
    count = measured.adapter.longest_overlap
    return Verdict("copies", "caution", COPIES, {"count": count}) if count >= COPIED_WORDS else None
