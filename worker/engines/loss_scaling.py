"""Steps in float16: the loss is scaled up before the way back, so that small gradients do not round to zero, and the
gradient down again before anything looks at it (Micikevicius et al. 2018, section 3.2).

The arithmetic is torch's own ``GradScaler``, on a card and on the processor alike. Of a base in another precision
nothing is scaled, and every step is what it was without this module. It does not know why a gradient is no number.
"""

import math
from collections.abc import Mapping
from typing import Any

import torch

LEAST = 1.0
"""Where even a loss that is not scaled up leaves no number, the training has diverged."""
SKIPPED = "skipped"


class LossScaling:
    """The loss scale of one training. ``told`` is what ``state`` gave for a checkpoint; empty at the start."""

    def __init__(self, dtype: torch.dtype, device: torch.device, told: Mapping[str, Any] | None = None) -> None:
        self._scaler = torch.amp.GradScaler(device.type, enabled=dtype == torch.float16)
        known = dict(told or {})
        self.skipped = int(known.pop(SKIPPED, 0))
        """Steps left out because their gradient was no number."""
        if known and self._scaler.is_enabled():
            self._scaler.load_state_dict(known)

    def scaled(self, loss: torch.Tensor) -> torch.Tensor:
        """The scaled loss, from which the backward pass begins."""
        return self._scaler.scale(loss)

    def unscale(self, optimizer: torch.optim.Optimizer) -> None:
        """Bring the gradients of a step back to their true size; once a step, before they are measured or clipped."""
        self._scaler.unscale_(optimizer)

    def is_lost(self, loss: float, length: float) -> bool:
        """Whether a step of this loss, whose gradient has this length, says that the training has diverged.

        A gradient that is no number may be the scale's fault, until that is so small that it cannot be.
        """
        if math.isfinite(length):
            return not math.isfinite(loss)
        return not self._scaler.is_enabled() or self._scaler.get_scale() <= LEAST

    def step(self, optimizer: torch.optim.Optimizer) -> bool:
        """Take the step, and choose the scale of the next; False where it was left out for a gradient that is no
        number, as every other trainer does it, and counted in ``skipped``."""
        before = self._scaler.get_scale()
        self._scaler.step(optimizer)
        self._scaler.update()
        is_taken: bool = self._scaler.get_scale() >= before
        self.skipped += not is_taken
        return is_taken

    def state(self) -> dict[str, Any]:
        """As JSON, to go on from with the very same steps."""
        return {**self._scaler.state_dict(), SKIPPED: self.skipped}


def name_of(dtype: torch.dtype) -> str:
    """``bfloat16``, ``float16`` or ``float32``."""
    return str(dtype).removeprefix("torch.")
