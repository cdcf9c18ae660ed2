"""Language models that write one word after the other: learn a brand's voice, and write in it.

What this module does not know: whether what a model writes is true; whether a text is good. On a CPU the same request
gives the same text again, with the same libraries; on a card up to its own rounding, which may now and then choose
another word.
"""

import contextlib
import re
import time
from collections.abc import Iterator
from pathlib import Path

import torch

from app.trainings.voice.recipe import VoiceRecipe
from worker.engines import memory
from worker.engines.contracts import Cancelled, EngineError, Progress
from worker.engines.text import base as bases
from worker.engines.text import dataset, examples, training
from worker.engines.text.base import Loaded
from worker.engines.text.chat import prompt_tokens
from worker.engines.text.continuing import continue_text
from worker.engines.text.files import gguf_adapter as gguf_adapter
from worker.engines.text.merging import merged_folder as merged_folder
from worker.engines.text.merging import merged_gguf as merged_gguf
from worker.engines.text_contracts import (
    TrainedVoice,
    VoiceInputs,
    VoiceProgress,
    WritingInputs,
    WritingRequest,
    Written,
)

SENTENCE_END = re.compile(r"[.!?…][\"'”“’»)\]]*(?=\s|$)|\n")
WRITE_SMALLER = "Write with a smaller language model, or on a machine with more memory."


def train(recipe: VoiceRecipe, inputs: VoiceInputs, out: Path, progress: VoiceProgress) -> TrainedVoice:
    """Train one adapter; see ``contracts.TextEngine``."""
    return training.train(recipe, inputs, out, progress)


def write(recipe: WritingRequest, inputs: WritingInputs, progress: Progress) -> Iterator[Written]:
    """Write ``count`` variants one after the other; yields each after every word and once more when it is finished. A
    plain text comes with the beginning that was given. A finished one that reached ``max_new_tokens`` ends with its
    last whole sentence, where that leaves half of it.

    Variant i draws its words with ``seed + i``, whatever was written before it. On ``Cancelled`` the iterator ends
    after what has been yielded; ``GiveBack`` goes through. Raises ``EngineError``: ``model_unavailable``,
    ``no_chat_template``, ``too_long``, ``adapter_mismatch``, ``adapter_unreadable``, ``out_of_memory``.
    """
    device = bases.device_of_this_process()
    with memory.out_of_memory_in_words(device, WRITE_SMALLER), contextlib.suppress(Cancelled):
        progress.phase("loading")
        loaded = bases.load(inputs.base, recipe.quantization, inputs.cache)
        bases.use_adapter(loaded, inputs.adapter)
        prompt, begun = _asked(loaded, recipe)
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
            began, tokens = time.perf_counter(), 0
            text = loaded.tokenizer.decode(begun, skip_special_tokens=True)
            generator = torch.Generator("cpu").manual_seed(recipe.seed + variant)
            for tokens, text in continue_text(
                loaded, prompt, recipe.max_new_tokens, recipe.temperature, recipe.top_p, generator, begun
            ):
                progress.drawn(variant * recipe.max_new_tokens + tokens, total)
                yield Written(variant, text, False, tokens, time.perf_counter() - began)
            # Ended early: what it did not need counts as done.
            progress.drawn((variant + 1) * recipe.max_new_tokens, total)
            text = text if tokens < recipe.max_new_tokens else to_last_sentence(text)
            yield Written(variant, text.strip(), True, tokens, time.perf_counter() - began)


def to_last_sentence(text: str) -> str:
    """Without the sentence that was broken off, where at least half of the text is left then."""
    ends = [end.end() for end in SENTENCE_END.finditer(text)]
    whole = text[: ends[-1]] if ends else ""
    return whole if 2 * len(whole) >= len(text) else text


def _asked(loaded: Loaded, recipe: WritingRequest) -> tuple[list[int], list[int]]:
    """The tokens that a model goes on from, and those of them that belong to its text."""
    if recipe.kind == "instructions":
        return prompt_tokens(loaded, recipe.messages), []
    *above, beginning = recipe.messages
    begun = dataset.plain_beginning(loaded.tokenizer, beginning.content)
    return [*examples.guide_tokens(loaded, "\n\n".join(turn.content for turn in above)), *begun], begun


def _room(loaded: Loaded) -> int | None:
    room = getattr(loaded.model.config, "max_position_embeddings", None)
    return int(room) if room else None
