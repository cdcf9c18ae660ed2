"""The optimizers that a recipe may name, and how a learning rate reaches their groups."""

import contextlib
import io
from collections.abc import Sequence
from typing import Any

import torch

from app.trainings.look.recipe import TrainingRecipe
from worker.engines.contracts import EngineError


def make(
    recipe: TrainingRecipe, groups: Sequence[Sequence[torch.nn.Parameter]], lengths: Sequence[torch.nn.Parameter] = ()
) -> torch.optim.Optimizer:
    """The recipe's optimizer over these groups of parameters, empty ones left out.

    ``lengths`` are DoRA's, a group of their own without weight decay: it would pull every layer of the base to zero
    with them, where that of a LoRA's halves only keeps what is added small.

    ``adamw_8bit`` keeps its moments in blocks of 8 bits (Dettmers et al. 2022), but those of small tensors in full;
    ``prodigy`` estimates the step size from the gradients (Mishchenko & Defazio 2023). Raises ``EngineError``
    (``optimizer_unavailable``) where this machine has no kernels for it.
    """
    filled: list[dict[str, Any]] = [{"params": list(group)} for group in groups if group]
    filled += [{"params": list(lengths), "weight_decay": 0.0}] if lengths else []
    if recipe.optimizer == "adamw":
        # An adapter is many small tensors: in one kernel for all of them a step takes a seventh of the time.
        return torch.optim.AdamW(filled, lr=recipe.learning_rate, weight_decay=recipe.weight_decay, fused=True)
    if recipe.optimizer == "prodigy":
        return _prodigy(recipe, filled)
    try:
        # Imported here: it looks for a card when it is imported, and most trainings do not need it.
        from bitsandbytes.optim import AdamW8bit

        return AdamW8bit(filled, lr=recipe.learning_rate, weight_decay=recipe.weight_decay)
    except (ImportError, RuntimeError, OSError) as error:
        raise EngineError(
            "optimizer_unavailable", "8-bit AdamW does not run on this machine. Choose AdamW, which gives the same."
        ) from error


def _prodigy(recipe: TrainingRecipe, groups: list[dict[str, Any]]) -> torch.optim.Optimizer:
    from prodigyopt import Prodigy

    with contextlib.redirect_stdout(io.StringIO()):  # it prints a remark about weight decay
        # As its authors advise for diffusion models: bias correction, and a guard while the rate rises.
        optimizer: torch.optim.Optimizer = Prodigy(
            groups,
            lr=recipe.learning_rate,
            weight_decay=recipe.weight_decay,
            use_bias_correction=True,
            safeguard_warmup=True,
        )
    return optimizer


def restore(optimizer: torch.optim.Optimizer, state: dict[str, Any]) -> None:
    """Raises ``EngineError`` (``bad_checkpoint``) for the state of other groups, as DoRA had them before its lengths
    were one."""
    try:
        optimizer.load_state_dict(state)
    except ValueError as error:
        raise EngineError(
            "bad_checkpoint", "The checkpoint is of an earlier kind of this training. Start anew."
        ) from error


def set_rates(optimizer: torch.optim.Optimizer, recipe: TrainingRecipe, rate: float) -> None:
    """Give the denoiser's group ``rate``, and that of the text encoders, if there is one, its own share of it. DoRA
    has none of them; its second group is that of its lengths."""
    has_own = recipe.train_text_encoder and recipe.optimizer != "prodigy"
    shares = [1.0, recipe.text_encoder_lr / recipe.learning_rate if has_own else 1.0]
    for group, share in zip(optimizer.param_groups, shares, strict=False):
        group["lr"] = rate * share


def rate_in_use(optimizer: torch.optim.Optimizer, rate: float) -> float:
    """The rate that steps really have: with Prodigy its own estimate times ``rate``."""
    return rate * float(optimizer.param_groups[0].get("d", 1.0))
