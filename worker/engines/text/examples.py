"""Texts of a brand as what a model learns from, is measured on, and is asked to write."""

from collections.abc import Sequence

from app.trainings.voice.recipe import VoiceRecipe
from worker.engines.text import dataset, evaluation
from worker.engines.text.base import Loaded
from worker.engines.text.chat import prompt_tokens
from worker.engines.text.dataset import Example
from worker.engines.text_contracts import VoiceInputs, VoiceText

PLAIN_BEGINNING = 8
"""Tokens of a held-out text that a voice of plain texts is given to go on from, when it writes a sample."""


def examples_of(loaded: Loaded, recipe: VoiceRecipe, texts: Sequence[VoiceText]) -> list[Example]:
    """Each text as what counts and what leads to it. Raises ``EngineError`` (``no_chat_template``, ``too_long``)."""
    if recipe.kind == "plain_text":
        return [
            dataset.example(f"{text.key}/{number}", [], piece)
            for text in texts
            for number, piece in enumerate(dataset.plain_pieces(loaded.tokenizer, text, recipe.max_length))
        ]
    examples = []
    for text in texts:
        prompt = prompt_tokens(loaded, text.order)
        told = dataset.answer(loaded.tokenizer, text, prompt, recipe.max_length)
        examples.append(dataset.example(text.key, prompt, told))
    return examples


def count_cut(loaded: Loaded, recipe: VoiceRecipe, examples: Sequence[Example]) -> int:
    """How many do not end as their text does; plain texts go on in the next row."""
    if recipe.kind == "plain_text":
        return 0
    return sum(one.tokens[-1] != loaded.tokenizer.eos_token_id for one in examples)


def guided(loaded: Loaded, recipe: VoiceRecipe, inputs: VoiceInputs) -> list[Example]:
    """The held-out texts with the style guide before them; what counts is the same as without."""
    if recipe.kind == "plain_text":
        guide = guide_tokens(loaded, inputs.style_guide)
        # The first token of a text is told nothing without a guide, so it must not count with one either.
        return [
            Example(one.key, (*guide, *one.tokens), (False,) * (len(guide) + 1) + one.counted[1:])
            for one in examples_of(loaded, recipe, inputs.held_out)
        ]
    found = []
    for text in inputs.held_out:
        bare = prompt_tokens(loaded, text.order)
        told = dataset.answer(loaded.tokenizer, text, bare, recipe.max_length)
        prompt = prompt_tokens(loaded, evaluation.with_guide(text.order, inputs.style_guide))
        found.append(dataset.example(text.key, prompt, told))
    return found


def prompt_for(loaded: Loaded, recipe: VoiceRecipe, text: VoiceText, guide: str = "") -> tuple[str, list[int]]:
    """The prompt for a text like this one: as people read it, and as tokens."""
    if recipe.kind == "plain_text":
        beginning = dataset.plain_pieces(loaded.tokenizer, text, recipe.max_length)[0][:PLAIN_BEGINNING]
        return loaded.tokenizer.decode(beginning, skip_special_tokens=True), [*guide_tokens(loaded, guide), *beginning]
    return text.order[-1].content, prompt_tokens(loaded, evaluation.with_guide(text.order, guide))


def sample_prompts(loaded: Loaded, recipe: VoiceRecipe, inputs: VoiceInputs) -> list[tuple[str, list[int]]]:
    """Prompts of held-out texts where there are some, as what was never learned shows most; else of trained ones."""
    chosen = (inputs.held_out or inputs.texts)[: recipe.sample_count]
    return [prompt_for(loaded, recipe, text) for text in chosen]


def guide_tokens(loaded: Loaded, guide: str) -> list[int]:
    """A style guide as it stands above a plain text."""
    return dataset.plain_beginning(loaded.tokenizer, guide + "\n\n") if guide else []
