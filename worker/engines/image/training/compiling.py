"""A denoiser's blocks compiled while it is trained, and left so only where that turns out faster.

How much a compiler gains depends on card, driver and libraries, so nothing is promised: the training's own steps are
the measurement. What cannot be compiled goes on as it was. It does not know how long compiling takes; whether there are
enough steps to repay it is the planner's to say.
"""

from statistics import fmean

import torch

from worker.engines.image.base.block_swap import BLOCK

WARM_STEPS, MEASURED_STEPS = 3, 5
"""Before the blocks are compiled, and again afterwards, where compiling happens in the warm ones."""
FASTER = 0.95
"""Share of a plain step's time that a compiled one may take to be kept."""


class Trial:
    """The trial of one model, told of every step."""

    def __init__(self, model: torch.nn.Module, backend: str = "inductor") -> None:
        self._blocks = [module for name, module in model.named_modules() if BLOCK.search(name)]
        self._backend = backend
        self._seconds: list[float] = []
        self._plain: float | None = None
        self._is_over = not self._blocks

    def step(self, seconds: float) -> None:
        """Note what a step took, and go over to the next part of the trial when there is enough."""
        if self._is_over:
            return
        self._seconds.append(seconds)
        if len(self._seconds) < WARM_STEPS + MEASURED_STEPS:
            return
        mean = fmean(self._seconds[WARM_STEPS:])
        self._seconds = []
        if self._plain is None:
            self._plain = mean
            self._compile()
        else:
            self._is_over = True
            if mean > FASTER * self._plain:
                self.end()

    def _compile(self) -> None:
        # A block that cannot be compiled, for want of a compiler above all, is computed as before.
        torch._dynamo.config.suppress_errors = True
        for block in self._blocks:
            block.compile(backend=self._backend)

    def end(self) -> None:
        """Leave the blocks as they were found."""
        for block in self._blocks:
            block._compiled_call_impl = None
