"""The words of a prompt."""

import re
from collections.abc import Iterable

PLACEHOLDER = "[trigger]"
"""In a prompt this stands for the trigger word."""


def with_trigger_words(prompt: str, words: Iterable[str]) -> tuple[str, tuple[str, ...]]:
    """The prompt with every trigger word in it, and those that had to be added in front.

    ``[trigger]`` becomes the first word.
    """
    wanted = list(dict.fromkeys(word for word in words if word))
    prompt = prompt.strip()
    if wanted:
        prompt = prompt.replace(PLACEHOLDER, wanted[0])
    missing = tuple(word for word in wanted if not _whole(word).search(prompt))
    return ", ".join([*missing, prompt] if prompt else missing), missing


def without_trigger_words(prompt: str, words: Iterable[str]) -> str:
    """The prompt for people to read: made-up words that only call a style are taken out, with the comma behind them."""
    for word in words:
        if word:
            prompt = re.sub(rf"{_whole(word).pattern}\s*,?\s*", "", prompt, flags=re.IGNORECASE)
    return prompt.strip(" ,")


def as_written(prompt: str, words: Iterable[str]) -> str:
    """What somebody wrote to get this prompt with these trigger words: without them, where they come back by
    themselves."""
    wanted = list(words)
    bare = without_trigger_words(prompt, wanted)
    return bare if bare and with_trigger_words(bare, wanted)[0] == prompt else prompt


def _whole(word: str) -> re.Pattern[str]:
    """The word where it stands for itself: “ink” is not in “drinking”."""
    return re.compile(rf"(?<!\w){re.escape(word)}(?!\w)", re.IGNORECASE)


def folded(text: str) -> str:
    """What prompts are searched by: capitals and umlauts alike in every database."""
    return text.casefold()
