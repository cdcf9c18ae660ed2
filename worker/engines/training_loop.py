"""The loop of every training, of pictures and of texts: all of it is in ``run``."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

import torch

from worker.engines.contracts import Cancelled, GiveBack
from worker.engines.training_state import Batch, StepProgress, TrainingState

Result = TypeVar("Result")


def nothing() -> None: ...


@dataclass(frozen=True)
class Task(Generic[Batch]):
    """What a training does in and around its steps, once its base is loaded and its inputs are read."""

    begin: Callable[[], None]
    """Put the adapter into the models and call ``TrainingState.begin``."""
    batches: Callable[[], Sequence[Batch]]
    """The batches of the next step."""
    loss: Callable[[Batch, slice], torch.Tensor]
    """The share of the step's loss that these samples of a batch contribute, a scalar."""
    is_due: Callable[[int], bool]
    """Whether this step is followed by an evaluation and a checkpoint."""
    evaluate: Callable[[], None]
    """Measure and hand over samples, with the adapter as it is now; of the base alone before ``begin``."""
    conclude: Callable[[], None] = nothing
    """After the last step."""


def run(
    state: TrainingState,
    progress: StepProgress,
    *,
    prepare: Callable[[], Task[Batch]],
    result: Callable[[bool], Result],
    release: Callable[[], None],
) -> Result:
    """Train to the last step. ``result`` writes the adapter, and takes whether the training is finished; ``release``
    leaves the base as it was found, whatever happened."""
    # Gradients hold numbers below 1e-38, each of which takes a processor a hundred times as long as a zero does.
    torch.set_flush_denormal(True)
    try:
        task = prepare()
        if state.is_new:
            task.evaluate()
        task.begin()
        if not state.is_new and not state.sampled and task.is_due(state.step):
            task.evaluate()  # given back between the step and its samples
        progress.phase("training")
        while not state.is_done:
            began = time.perf_counter()
            state.update(state.gradient(task.batches(), task.loss), began)
            if task.is_due(state.step):
                task.evaluate()
                progress.phase("saving")
                state.checkpoint()
                if not state.is_done:
                    progress.phase("training")
        task.conclude()
        return result(True)
    except Cancelled:
        if state.step == 0:
            raise
        return result(state.is_done)
    except GiveBack:
        if state.has_moved and state.has_begun:
            state.checkpoint()
        raise
    finally:
        state.release()
        release()
