"""The words of a prompt that its base does not know, as orders keep them and as pages and programs are told."""

from collections.abc import Iterable
from typing import Any

from pydantic import BaseModel, Field

from app.base_models import vocabulary
from app.base_models.catalogue import BaseModelEntry


class ThingName(BaseModel, defer_build=True):
    """A thing that the base model can draw, by its name in every language of the pages."""

    en: str
    de: str


class ToldWord(BaseModel, defer_build=True):
    """A word of the prompt that the base model does not know."""

    word: str = Field(description="As it was written.")
    drawn_as: ThingName | None = Field(
        description="The nearest thing that it knows, which it draws in its place; null where nothing is near, so that "
        "the picture may show something else."
    )


def told_words(base: BaseModelEntry, prompt: str, trigger_words: Iterable[str]) -> tuple[ToldWord, ...]:
    """What to tell of this prompt: nothing of a base of which nobody has written down what it knows."""
    known = vocabulary.of(base.source)
    if known is None:
        return ()
    return tuple(
        ToldWord(
            word=one.word,
            drawn_as=None if one.drawn_as is None else ThingName(en=one.drawn_as.en, de=one.drawn_as.de),
        )
        for one in vocabulary.read(known, prompt, trigger_words).words
    )


def kept(words: Iterable[ToldWord]) -> list[dict[str, Any]] | None:
    """As a row keeps them; None for none."""
    return [one.model_dump(mode="json") for one in words] or None


def read_kept(rows: list[dict[str, Any]] | None) -> tuple[ToldWord, ...]:
    return tuple(ToldWord.model_validate(row) for row in rows or ())
