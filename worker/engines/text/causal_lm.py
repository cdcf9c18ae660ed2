"""Language models that write one word after the other: learn a brand's voice, and write in it.

What this module does not know: whether what a model writes is true; whether a text is good. On a CPU the same order
gives the same text again, with the same libraries; on a card up to its own rounding, which may now and then choose
another word.
"""

import contextlib
import time
from collections.abc import Iterator, Sequence
from typing import Any

import torch

from worker.engines import memory
from worker.engines.contracts import Cancelled, EngineError, Progress, Turn, WritingInputs, WritingOrder, Written
from worker.engines.text import base as bases
from worker.engines.text.base import Loaded

SMALLER = "Choose a smaller language model, 4 bits, or a machine with more memory."
UNFINISHED = "\N{REPLACEMENT CHARACTER}"


# Writing ----------------------------------------------------------------------------------------------------------


def write(recipe: WritingOrder, inputs: WritingInputs, progress: Progress) -> Iterator[Written]:
    """Write ``count`` variants one after the other; yields each after every word and once more when it is finished.

    Variant i draws its words with ``seed + i``, whatever was written before it. On ``Cancelled`` the iterator ends
    after what has been yielded; ``GiveBack`` goes through. Raises ``EngineError``: ``model_unavailable``,
    ``no_chat_template``, ``too_long``, ``adapter_mismatch``, ``adapter_unreadable``, ``out_of_memory``.
    """
    device = bases.device_of_this_process()
    with memory.out_of_memory_in_words(device, SMALLER), contextlib.suppress(Cancelled):
        progress.phase("loading")
        loaded = bases.load(inputs.base, cache=inputs.cache)
        bases.use_adapter(loaded, inputs.adapter)
        prompt = prompt_tokens(loaded, recipe.messages)
        room = _room(loaded)
        if room is not None and len(prompt) + recipe.max_new_tokens > room:
            raise EngineError(
                "too_long",
                f"The brief is too long for this language model: it can look back on {room} word pieces, the brief "
                f"takes {len(prompt)}. Shorten it.",
            )
        progress.phase("writing")
        total = recipe.count * recipe.max_new_tokens
        for variant in range(recipe.count):
            began, tokens, text = time.perf_counter(), 0, ""
            generator = torch.Generator("cpu").manual_seed(recipe.seed + variant)
            for tokens, text in continue_text(
                loaded, prompt, recipe.max_new_tokens, recipe.temperature, recipe.top_p, generator
            ):
                progress.drawn(variant * recipe.max_new_tokens + tokens, total)
                yield Written(variant, text, False, tokens, time.perf_counter() - began)
            # Ended early: what it did not need counts as done.
            progress.drawn((variant + 1) * recipe.max_new_tokens, total)
            yield Written(variant, text.strip(), True, tokens, time.perf_counter() - began)


def prompt_tokens(loaded: Loaded, messages: Sequence[Turn]) -> list[int]:
    """The conversation up to where the model's answer begins, in its own template.

    Raises ``EngineError`` (``no_chat_template``).
    """
    if not loaded.tokenizer.chat_template:
        raise EngineError(
            "no_chat_template",
            f"The language model {loaded.base.key} was not made for conversations. Choose an “instruct” model.",
        )
    text = loaded.tokenizer.apply_chat_template(
        [{"role": turn.role, "content": turn.content} for turn in messages],
        tokenize=False,
        add_generation_prompt=True,
        # Models that think aloud are asked not to; templates that do not know the word ignore it.
        enable_thinking=False,
    )
    return list(loaded.tokenizer(text, add_special_tokens=False)["input_ids"])


@torch.no_grad()
def continue_text(
    loaded: Loaded, prompt: list[int], most: int, temperature: float, top_p: float, generator: torch.Generator
) -> Iterator[tuple[int, str]]:
    """Number of tokens so far and the text so far, after every token, until the model ends it or ``most`` is reached.

    Draws from the smallest set of words that holds ``top_p`` of the probability (Holtzman et al. 2020); temperature 0
    takes the likeliest.
    """
    ends = end_tokens(loaded)
    tokens = torch.tensor([prompt], device=loaded.device)
    written: list[int] = []
    cache: Any = None
    while len(written) < most:
        out = loaded.model(input_ids=tokens, cache=cache, use_cache=True)
        cache = out.cache
        token = _draw(out.logits[0, -1].float().cpu(), temperature, top_p, generator)
        if token in ends:
            return
        written.append(token)
        tokens = torch.tensor([[token]], device=loaded.device)
        text = loaded.tokenizer.decode(written, skip_special_tokens=True)
        # A letter or an emoji of several tokens is half there now and then.
        yield len(written), text.rstrip(UNFINISHED)


def end_tokens(loaded: Loaded) -> set[int]:
    """Tokens after which a model has said what it had to say."""
    named = loaded.model.generation_config.eos_token_id
    listed = named if isinstance(named, list) else [named]
    return {token for token in (*listed, loaded.tokenizer.eos_token_id) if token is not None}


def _draw(logits: torch.Tensor, temperature: float, top_p: float, generator: torch.Generator) -> int:
    """One token from ``logits``, (vocabulary,), float32."""
    if temperature == 0:
        return int(logits.argmax())
    chances, tokens = (logits / temperature).softmax(-1).sort(descending=True, stable=True)
    beyond = chances.cumsum(-1) - chances >= top_p
    chances = chances.masked_fill(beyond, 0.0)
    return int(tokens[torch.multinomial(chances, 1, generator=generator)])


def _room(loaded: Loaded) -> int | None:
    room = getattr(loaded.model.config, "max_position_embeddings", None)
    return int(room) if room else None
