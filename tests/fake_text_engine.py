"""A language model without a model, for tests of pages and handlers. Put in with ``registry.text_engine_for``.

It keeps the contract's promises: texts grow word by word, variant i follows from ``seed + i`` alone, the same order
gives the same text, and on ``Cancelled`` the iterator ends after what it has yielded.
"""

import contextlib
import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from worker.engines.contracts import Cancelled, Progress
from worker.engines.text_contracts import WritingInputs, WritingRequest, Written

WORDS = ("leicht", "warm", "heute", "unsere", "neue", "Jacke", "hält", "Regen", "ab", "und", "bleibt", "lange", "schön")


@dataclass
class FakeTextEngine:
    """``before_word`` is called with the arm's recipe and the number of each word, so that a test can step in there.
    ``says`` may give a whole text instead of chance: called with the recipe, the inputs and the variant."""

    words: int = 8
    before_word: Callable[[WritingRequest, int], None] = lambda recipe, word: None
    says: Callable[[WritingRequest, WritingInputs, int], str | None] = lambda recipe, inputs, variant: None
    asked: list[tuple[WritingRequest, WritingInputs]] = field(default_factory=list)

    def write(self, recipe: WritingRequest, inputs: WritingInputs, progress: Progress) -> Iterator[Written]:
        self.asked.append((recipe, inputs))
        with contextlib.suppress(Cancelled):
            progress.phase("loading")
            progress.phase("writing")
            for variant in range(recipe.count):
                text = self.says(recipe, inputs, variant) or self._by_chance(recipe, inputs, variant)
                parts = text.split(" ")
                for number in range(1, len(parts) + 1):
                    self.before_word(recipe, number)
                    progress.drawn(variant * 100 + number, recipe.count * 100)
                    yield Written(variant, " ".join(parts[:number]), False, number, 0.01 * number)
                yield Written(variant, text, True, len(parts), 0.01 * len(parts))

    def _by_chance(self, recipe: WritingRequest, inputs: WritingInputs, variant: int) -> str:
        asked = "/".join(turn.content for turn in recipe.messages)
        voice = inputs.adapter.key if inputs.adapter else ""
        dice = random.Random(f"{asked}/{voice}/{recipe.seed + variant}")
        return " ".join(dice.choices(WORDS, k=self.words)).capitalize() + "."
