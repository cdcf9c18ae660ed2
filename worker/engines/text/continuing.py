"""One word after the other: a text goes on from its tokens, alone or side by side with others.

Does not know what a text is for, nor whether it is good.
"""

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import torch

from worker.engines.contracts import EngineError
from worker.engines.text.base import Loaded

AT_ONCE = 8
"""Texts written side by side when many are measured."""
UNFINISHED = "\N{REPLACEMENT CHARACTER}"


@torch.no_grad()
def continue_text(
    loaded: Loaded,
    prompt: list[int],
    most: int,
    temperature: float,
    top_p: float,
    generator: torch.Generator,
    begun: Sequence[int] = (),
) -> Iterator[tuple[int, str]]:
    """Number of tokens so far and the text so far, after every token, until the model ends it or ``most`` is reached.
    ``begun`` are the prompt's last tokens, where the text begins with them.

    Draws from the smallest set of words that holds ``top_p`` of the probability (Holtzman et al. 2020); temperature 0
    takes the likeliest.
    """
    ends = end_tokens(loaded)
    tokens = torch.tensor([prompt], device=loaded.device)
    written: list[int] = []
    cache: Any = None
    while len(written) < most:
        out = loaded.model(input_ids=tokens, cache=cache, use_cache=True, logits_to_keep=1)
        cache = out.cache
        token = draw(out.logits[0, -1].float().cpu(), temperature, top_p, generator)
        if token in ends:
            return
        written.append(token)
        tokens = torch.tensor([[token]], device=loaded.device)
        text = loaded.tokenizer.decode([*begun, *written], skip_special_tokens=True)
        # A letter or an emoji of several tokens is half there now and then.
        yield len(written), text.rstrip(UNFINISHED)


@torch.no_grad()
def continue_texts(
    loaded: Loaded,
    prompts: Sequence[list[int]],
    most: int,
    temperature: float,
    top_p: float,
    seeds: Sequence[int],
    told: Callable[[], None],
) -> list[str]:
    """Continue several prompts side by side, each from its own seed; ``told`` is called for every token and may raise.

    On a processor several texts take little longer than one, as reading the weights is what takes the time.
    """
    texts: list[str] = []
    for at in range(0, len(prompts), AT_ONCE):
        texts += _side_by_side(
            loaded, prompts[at : at + AT_ONCE], most, temperature, top_p, seeds[at : at + AT_ONCE], told
        )
    return texts


def _side_by_side(
    loaded: Loaded,
    prompts: Sequence[list[int]],
    most: int,
    temperature: float,
    top_p: float,
    seeds: Sequence[int],
    told: Callable[[], None],
) -> list[str]:
    ends, device = end_tokens(loaded), loaded.device
    longest = max(len(prompt) for prompt in prompts)
    padding = loaded.tokenizer.pad_token_id
    # Padded on the left, so that all go on at the same place.
    tokens = torch.tensor([[padding] * (longest - len(prompt)) + prompt for prompt in prompts], device=device)
    mask = torch.tensor([[0] * (longest - len(prompt)) + [1] * len(prompt) for prompt in prompts], device=device)
    positions = (mask.cumsum(-1) - 1).clamp(min=0)
    generators = [torch.Generator("cpu").manual_seed(seed) for seed in seeds]
    written: list[list[int]] = [[] for _ in prompts]
    ended = [False] * len(prompts)
    cache: Any = None
    for _ in range(most):
        out = loaded.model(
            input_ids=tokens,
            attention_mask=mask,
            position_ids=positions,
            cache=cache,
            use_cache=True,
            logits_to_keep=1,
        )
        cache = out.cache
        chosen = []
        for number, generator in enumerate(generators):
            token = padding
            if not ended[number]:
                token = draw(out.logits[number, -1].float().cpu(), temperature, top_p, generator)
                ended[number] = token in ends
            if not ended[number]:
                written[number].append(token)
            chosen.append([token])
        told()
        if all(ended):
            break
        tokens = torch.tensor(chosen, device=device)
        mask = torch.cat([mask, mask.new_ones((len(prompts), 1))], dim=-1)
        positions = positions[:, -1:] + 1
    return [loaded.tokenizer.decode(one, skip_special_tokens=True).rstrip(UNFINISHED) for one in written]


def end_tokens(loaded: Loaded) -> set[int]:
    """Tokens after which a model has said what it had to say."""
    named = loaded.model.generation_config.eos_token_id
    listed = named if isinstance(named, list) else [named]
    return {token for token in (*listed, loaded.tokenizer.eos_token_id) if token is not None}


def draw(logits: torch.Tensor, temperature: float, top_p: float, generator: torch.Generator) -> int:
    """One token from ``logits``, (vocabulary,), float32. Raises ``EngineError`` (``diverged``)."""
    if logits.isnan().any():
        raise EngineError(
            "diverged", "The adapter has run into values that are not numbers. Train it with a lower learning rate."
        )
    if temperature == 0:
        return int(logits.argmax())
    chances, tokens = (logits / temperature).softmax(-1).sort(descending=True, stable=True)
    beyond = chances.cumsum(-1) - chances >= top_p
    chances = chances.masked_fill(beyond, 0.0)
    return int(tokens[torch.multinomial(chances, 1, generator=generator)])
