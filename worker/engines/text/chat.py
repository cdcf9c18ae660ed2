"""A conversation as tokens, in the model's own chat template."""

import re
from collections.abc import Sequence
from datetime import datetime

from jinja2 import TemplateError

from worker.engines.contracts import EngineError
from worker.engines.text.base import Loaded
from worker.engines.text_contracts import Turn

TEMPLATE_DAY = datetime(2025, 1, 1)
"""The day that a chat template is told when it asks."""
ASKS_FOR_THE_DAY = re.compile(r"""\bstrftime_now\(\s*(?P<quote>["'])(?P<format>[^"'\\]*)(?P=quote)\s*\)""")


def prompt_tokens(loaded: Loaded, messages: Sequence[Turn]) -> list[int]:
    """The conversation up to where the model's answer begins, in its own template.

    Raises ``EngineError`` (``no_chat_template``).
    """
    if not loaded.tokenizer.chat_template:
        raise EngineError(
            "no_chat_template",
            f"The language model {loaded.base.key} was not made for conversations. Choose an “instruct” model.",
        )
    turns = [{"role": turn.role, "content": turn.content} for turn in messages]
    try:
        text = _in_template(loaded, turns)
    except TemplateError:
        # Gemma's template, and Mistral's older ones, know no system turn: what it says goes before the user's words.
        try:
            text = _in_template(loaded, _without_system(turns))
        except TemplateError as error:
            raise EngineError(
                "no_chat_template",
                f"The chat template of {loaded.base.key} does not take an order. Choose an “instruct” model.",
            ) from error
    return list(loaded.tokenizer(text, add_special_tokens=False)["input_ids"])


def _in_template(loaded: Loaded, turns: list[dict[str, str]]) -> str:
    return loaded.tokenizer.apply_chat_template(
        turns,
        tokenize=False,
        add_generation_prompt=True,
        # Models that think aloud are asked not to; templates that do not know the word ignore it.
        enable_thinking=False,
        chat_template=_always_the_same_day(loaded.tokenizer.get_chat_template()),
    )


def _without_system(turns: list[dict[str, str]]) -> list[dict[str, str]]:
    above = [turn["content"] for turn in turns if turn["role"] == "system"]
    others = [turn for turn in turns if turn["role"] != "system"]
    first = {"role": "user", "content": "\n\n".join([*above, *(turn["content"] for turn in others[:1])])}
    return [first, *others[1:]]


def _always_the_same_day(template: str) -> str:
    """The template with a fixed day in place of today. The same order must not be another one tomorrow, nor a training
    that goes on after midnight."""
    return ASKS_FOR_THE_DAY.sub(lambda asked: repr(TEMPLATE_DAY.strftime(asked["format"])), template)
