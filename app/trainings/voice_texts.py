"""A brand's samples as one order holds them: which are learned, which are kept back, what each answers. Pure.

Frozen with the order, so that later edits of the brand do not change it.
"""

import hashlib
from collections import Counter
from collections.abc import Sequence

from pydantic import BaseModel, ConfigDict

from app.trainings.voice_recipe import VoiceRecipe
from app.voice.pairs import VoiceSample, conversation
from app.voice.style_guide import style_guide


class FrozenText(BaseModel):
    """One sample as it was when the training was ordered."""

    model_config = ConfigDict(frozen=True)

    sample_id: str
    order: tuple[tuple[str, str], ...]
    """Role and content of what it answers: system and user."""
    text: str
    language: str
    channel: str
    held_out: bool


class FrozenVoice(BaseModel):
    """What a training reads, and what it is measured with."""

    model_config = ConfigDict(frozen=True)

    texts: tuple[FrozenText, ...]
    language: str
    """Of most texts."""
    style_guide: str
    """Made from the texts that are learned, never from those kept back."""

    @property
    def learned(self) -> tuple[FrozenText, ...]:
        return tuple(text for text in self.texts if not text.held_out)

    @property
    def held_out(self) -> tuple[FrozenText, ...]:
        return tuple(text for text in self.texts if text.held_out)

    @property
    def characters(self) -> int:
        """Of what is learned, orders included."""
        return sum(len(text.text) + sum(len(content) for _, content in text.order) for text in self.learned)


def held_out_ids(sample_ids: Sequence[str], share: float, seed: int) -> set[str]:
    """Which samples are kept back: at least one where there are two, chosen by a hash, so that the same samples stay
    apart from one training to the next even when others are added."""
    count = 0 if len(sample_ids) < 2 else max(1, round(len(sample_ids) * share))
    ordered = sorted(sample_ids, key=lambda one: hashlib.sha256(f"{seed}/held-out/{one}".encode()).digest())
    return set(ordered[:count])


def freeze(samples: Sequence[VoiceSample], recipe: VoiceRecipe) -> FrozenVoice:
    """Split the samples and make the style guide from the part that is learned."""
    kept_back = held_out_ids([one.sample_id for one in samples], recipe.held_out_share, recipe.seed)
    language = main_language(samples)
    learned = [one for one in samples if one.sample_id not in kept_back]
    return FrozenVoice(
        texts=tuple(
            FrozenText(
                sample_id=one.sample_id,
                order=tuple((turn["role"], turn["content"]) for turn in conversation(one)[:-1]),
                text=one.text,
                language=one.language,
                channel=one.channel,
                held_out=one.sample_id in kept_back,
            )
            for one in samples
        ),
        language=language,
        style_guide=style_guide(learned, language),
    )


def main_language(samples: Sequence[VoiceSample]) -> str:
    counted = Counter(one.language for one in samples)
    return min(counted, key=lambda language: (-counted[language], language)) if counted else "en"
