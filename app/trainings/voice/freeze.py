"""A brand's samples as one training holds them: the training split, the validation split, what each answers. Pure.

Frozen at the start, so that later edits of the brand do not change it.
"""

import hashlib
from collections import Counter
from collections.abc import Sequence

from pydantic import BaseModel, ConfigDict

from app.trainings.voice.recipe import VoiceRecipe
from app.voice.analysis.families import families
from app.voice.analysis.pairs import VoiceSample, conversation
from app.voice.analysis.style_guide import style_guide

MOST_OVER = 1.5
"""The validation split may be so many times the share that is wanted, where texts that belong together are many."""


class FrozenText(BaseModel, defer_build=True):
    """One sample as it was when the training was started."""

    model_config = ConfigDict(frozen=True)

    sample_id: str
    order: tuple[tuple[str, str], ...]
    """Role and content of what it answers: system and user."""
    text: str
    language: str
    channel: str
    held_out: bool


class FrozenVoice(BaseModel, defer_build=True):
    """What a training reads, and what it is measured with."""

    model_config = ConfigDict(frozen=True)

    texts: tuple[FrozenText, ...]
    language: str
    """Of most texts."""
    style_guide: str
    """Made from the texts that are learned, never from the validation split."""

    @property
    def learned(self) -> tuple[FrozenText, ...]:
        return tuple(text for text in self.texts if not text.held_out)

    @property
    def held_out(self) -> tuple[FrozenText, ...]:
        return tuple(text for text in self.texts if text.held_out)

    @property
    def characters(self) -> int:
        """Of what is learned, the messages before each text included."""
        return sum(len(text.text) + sum(len(content) for _, content in text.order) for text in self.learned)


def held_out_ids(samples: Sequence[VoiceSample], share: float, seed: int) -> set[str]:
    """The validation split: about ``share`` of them, and never one without those that belong to it
    (``families``). Chosen by a hash of the oldest, so that the same stay apart from one training to the next even when
    others are added. Empty where all belong together.
    """
    if len(samples) < 2:
        return set()
    wanted = max(1, round(len(samples) * share))
    ordered = sorted(
        families(samples, largest=wanted),
        key=lambda family: hashlib.sha256(f"{seed}/held-out/{family[0]}".encode()).digest(),
    )
    chosen: set[str] = set()
    for family in ordered:
        if len(chosen) < wanted and len(chosen) + len(family) <= MOST_OVER * wanted:
            chosen.update(family)
    smallest = min(ordered, key=len)
    return chosen or (set(smallest) if len(smallest) <= len(samples) / 2 else set())


def freeze(samples: Sequence[VoiceSample], recipe: VoiceRecipe) -> FrozenVoice:
    """Split the samples and make the style guide from the part that is learned."""
    validation = held_out_ids(samples, recipe.held_out_share, recipe.seed)
    language = main_language(samples)
    learned = [one for one in samples if one.sample_id not in validation]
    return FrozenVoice(
        texts=tuple(
            FrozenText(
                sample_id=one.sample_id,
                order=tuple((turn["role"], turn["content"]) for turn in conversation(one)[:-1]),
                text=one.text,
                language=one.language,
                channel=one.channel,
                held_out=one.sample_id in validation,
            )
            for one in samples
        ),
        language=language,
        style_guide=style_guide(learned, language),
    )


def main_language(samples: Sequence[VoiceSample]) -> str:
    counted = Counter(one.language for one in samples)
    return min(counted, key=lambda language: (-counted[language], language)) if counted else "en"
