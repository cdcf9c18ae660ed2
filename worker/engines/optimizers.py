"""The optimizers that a recipe may name, and how a learning rate reaches their groups."""

import contextlib
import io
from collections.abc import Sequence
from typing import Any, Literal

import torch

from worker.engines.contracts import EngineError

Optimizer = Literal["adamw", "adamw_8bit", "prodigy"]


def make(
    kind: Optimizer,
    groups: Sequence[Sequence[torch.nn.Parameter]],
    *,
    learning_rate: float,
    weight_decay: float,
    magnitudes: Sequence[torch.nn.Parameter] = (),
    fused: bool = True,
) -> torch.optim.Optimizer:
    """The optimizer of this kind over these groups of parameters; empty groups are left out.

    ``magnitudes`` are DoRA's, a group of their own without weight decay: it would pull every layer of the base to zero
    with them, where that of a LoRA's halves only keeps what is added small.

    ``adamw_8bit`` keeps its moments in blocks of 8 bits (Dettmers et al. 2022), but those of small tensors in full;
    ``prodigy`` estimates the step size from the gradients (Mishchenko & Defazio 2023). ``fused`` chooses the kernel of
    ``adamw``, which rounds otherwise than the plain one: a training keeps to the kernel that it began with. Raises
    ``EngineError`` (``optimizer_unavailable``) where this machine has no kernels for it.
    """
    filled: list[dict[str, Any]] = [{"params": list(group)} for group in groups if group]
    filled += [{"params": list(magnitudes), "weight_decay": 0.0}] if magnitudes else []
    if kind == "adamw":
        # An adapter is many small tensors: in one kernel for all of them a step takes a seventh of the time.
        return torch.optim.AdamW(filled, lr=learning_rate, weight_decay=weight_decay, fused=fused or None)
    if kind == "prodigy":
        return _prodigy(filled, learning_rate, weight_decay)
    try:
        # Imported here: it looks for a card when it is imported, and most trainings do not need it.
        from bitsandbytes.optim.adamw import AdamW8bit

        made: Any = AdamW8bit
        optimizer: torch.optim.Optimizer = made(filled, lr=learning_rate, weight_decay=weight_decay)
        return optimizer
    except (ImportError, RuntimeError, OSError) as error:
        raise EngineError(
            "optimizer_unavailable", "8-bit AdamW does not run on this machine. Choose AdamW, which gives the same."
        ) from error


def _prodigy(groups: list[dict[str, Any]], learning_rate: float, weight_decay: float) -> torch.optim.Optimizer:
    from prodigyopt import Prodigy

    with contextlib.redirect_stdout(io.StringIO()):  # it prints a remark about weight decay
        # As its authors advise for diffusion models: bias correction, and a guard while the rate rises.
        optimizer: torch.optim.Optimizer = Prodigy(
            groups, lr=learning_rate, weight_decay=weight_decay, use_bias_correction=True, safeguard_warmup=True
        )
    return optimizer


def restore(optimizer: torch.optim.Optimizer, state: dict[str, Any]) -> None:
    """Raises ``EngineError`` (``bad_checkpoint``) for the state of other groups, as DoRA had them before its magnitudes
    were one."""
    try:
        optimizer.load_state_dict(state)
    except ValueError as error:
        raise EngineError(
            "bad_checkpoint", "The checkpoint is of an earlier kind of this training. Start anew."
        ) from error


def set_rates(optimizer: torch.optim.Optimizer, rates: Sequence[float]) -> None:
    """Give the first groups these learning rates; groups beyond them keep their own."""
    for group, rate in zip(optimizer.param_groups, rates, strict=False):
        group["lr"] = rate


def rate_in_use(optimizer: torch.optim.Optimizer, rate: float) -> float:
    """The rate that steps really have: with Prodigy its own estimate times ``rate``."""
    return rate * float(optimizer.param_groups[0].get("d", 1.0))
