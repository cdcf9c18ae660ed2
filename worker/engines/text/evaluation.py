"""Measures on texts that were never trained on: how likely they are, how others' answers compare with them.

What this module does not know: which text people like better. The loss of a text depends on the tokenizer, so losses
of different base models cannot be compared.
"""

from collections.abc import Callable, Sequence

import torch

from worker.engines.text import dataset
from worker.engines.text.dataset import Batch, Example
from worker.engines.text_contracts import Said, VariantMeasures

ROW_TOKENS = 512
"""Longer rows hold more texts, and attention, which looks at every pair of places, costs more."""


def token_losses(loaded, batch: Batch) -> tuple[torch.Tensor, int]:
    """Sum of the counted tokens' cross entropy in nats (a float32 scalar), and how many they are."""
    device = loaded.device
    # Orders are the larger part of most rows, and a vocabulary is large: words are weighed only where one counts.
    places = (batch.targets != dataset.IGNORED).any(0).nonzero()[:, 0]
    logits = loaded.model(
        input_ids=batch.tokens.to(device),
        attention_mask=batch.visible.to(device, loaded.dtype),
        position_ids=batch.positions.to(device),
        use_cache=False,
        logits_to_keep=places.to(device),
    ).logits
    targets = batch.targets[:, places].to(device)
    counted = targets != dataset.IGNORED
    losses = torch.nn.functional.cross_entropy(logits[counted].float(), targets[counted], reduction="sum")
    return losses, int(counted.sum())


@torch.no_grad()
def mean_loss(loaded, examples: Sequence[Example], told: Callable[[], None]) -> float:
    """Mean over all counted tokens, with the model as it is now. ``told`` is called after every batch and may raise."""
    total, count = 0.0, 0
    for batch in batches_by_length(loaded, examples):
        losses, counted = token_losses(loaded, batch)
        total, count = total + losses.item(), count + counted
        told()
    return total / max(1, count)


def batches_by_length(loaded, examples: Sequence[Example]) -> list[Batch]:
    """Packed as for training, so that a style guide, which all orders begin with, is read once a row."""
    order = sorted(range(len(examples)), key=lambda index: (len(examples[index].tokens), examples[index].key))
    rows = dataset.packed(examples, order, ROW_TOKENS)
    padding = loaded.tokenizer.pad_token_id
    # One row at a time: several would need more memory than learning does, and take no less time.
    return [dataset.collate(examples, [row], padding) for row in rows]


def spread(count: int, most: int) -> tuple[int, ...]:
    """Places of at most ``most`` of ``count`` texts, evenly over all of them: texts that came together are alike."""
    chosen = min(count, most)
    return tuple((2 * number + 1) * count // (2 * chosen) for number in range(chosen))


def with_guide(order: tuple[Said, ...], guide: str) -> tuple[Said, ...]:
    """The order with the style guide in its system message."""
    if not guide:
        return order
    if order and order[0].role == "system":
        return (Said("system", f"{order[0].content}\n\n{guide}"), *order[1:])
    return (Said("system", guide), *order)


@torch.no_grad()
def mean_state(loaded, texts: Sequence[str]) -> torch.Tensor | None:
    """Mean over the texts of each text's mean last hidden state, (width,), float32; None without any word."""
    states = []
    for text in texts:
        tokens = loaded.tokenizer(text, add_special_tokens=False)["input_ids"][:512]
        if tokens:
            hidden = loaded.model.base_model(input_ids=torch.tensor([tokens], device=loaded.device), use_cache=False)
            states.append(hidden.last_hidden_state[0].float().mean(0).cpu())
    return torch.stack(states).mean(0) if states else None


def distance(one: torch.Tensor | None, other: torch.Tensor | None) -> float | None:
    """1 − cosine."""
    if one is None or other is None:
        return None
    return 1 - torch.nn.functional.cosine_similarity(one, other, dim=0).item()


def variant_measures(loss: float, texts: Sequence[str], loaded, brand: torch.Tensor | None) -> VariantMeasures:
    """Call while the base alone is active: its hidden states measure the texts of every variant."""
    return VariantMeasures(loss, tuple(texts), distance(mean_state(loaded, texts), brand))
