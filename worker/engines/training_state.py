"""The state of a training, of pictures or texts: the adapter, its moving average, the optimizer, the random numbers
and the losses.

All that a checkpoint holds is here, and nothing of pictures, texts or model families. The loop is ``training_loop``.
"""

import math
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol, TypeVar

import torch

from worker.engines import checkpoints, optimizers
from worker.engines.contracts import EngineError, Step
from worker.engines.loss_scaling import LossScaling, name_of
from worker.engines.memory import StepPeak

CHECKPOINTS_KEPT = 2


class Trainable(Protocol):
    """The models that are trained, with the adapter in them."""

    @property
    def parameters(self) -> Mapping[str, torch.nn.Parameter]:
        """The adapter's, by name, in a fixed order, float32."""

    def tensors(self) -> dict[str, torch.Tensor]:
        """The adapter as a file holds it, float32 copies on the CPU."""

    def restore(self, tensors: Mapping[str, torch.Tensor]) -> None:
        """Set the adapter to what ``tensors`` gave. Raises ``EngineError`` (``bad_checkpoint``)."""

    @property
    def recomputes_activations(self) -> bool: ...

    def recompute_activations(self) -> None:
        """From now on compute activations again on the way back instead of keeping them (gradient checkpointing)."""

    def note_step(self, seconds: float) -> None:
        """Called after each step with the time that it took."""

    def release(self) -> None:
        """Leave the models as they were found, but for the adapter."""


class Counted(Protocol):
    """Samples that may be computed together."""

    @property
    def count(self) -> int: ...


Batch = TypeVar("Batch", bound=Counted)


class StepProgress(Protocol):
    """The reports that ``Progress`` and ``VoiceProgress`` share."""

    def phase(self, name: str) -> None: ...

    def step(self, step: Step) -> None: ...

    def short_of_memory(self, *, micro_batch_size: int, gradient_checkpointing: bool) -> None: ...

    def checkpoint(self, folder: Path, step: int) -> None: ...


@dataclass(frozen=True)
class Settings:
    """Settings of the steps that every recipe has."""

    seed: int
    micro_batch_size: int
    """Samples in one pass."""
    max_grad_norm: float
    gradient_checkpointing: bool
    ema_decay: float = 0.0
    keeps_best: bool = False
    """Whether checkpoints hold the best adapter beside the last one."""
    norm: Callable[[list[torch.Tensor]], torch.Tensor] = torch.nn.utils.get_total_norm
    """Length of all gradients together; ways to add it up differ in the last bit."""


class TrainingState:
    """One training from its first step, or from ``resumed``, to its last.

    ``total_steps`` may be set until the first step; ``order`` is what the checkpoints are made for.
    """

    def __init__(
        self,
        settings: Settings,
        order: str,
        resumed: checkpoints.Checkpoint | None,
        out: Path,
        progress: StepProgress,
        device: torch.device,
        dtype: torch.dtype,
        total_steps: int = 0,
        peak: StepPeak | None = None,
    ) -> None:
        out.mkdir(parents=True, exist_ok=True)
        self.settings, self.total_steps, self.peak, self.device = settings, total_steps, peak, device
        self._order, self._resumed, self._out, self._progress = order, resumed, out, progress
        self.step = resumed.step if resumed else 0
        self.sampled = resumed.sampled if resumed else False
        """Whether the samples of this step have been handed over."""
        self.caches: dict[str, torch.Tensor] = resumed.caches if resumed else {}
        self.notes: dict[str, Any] = dict(resumed.notes) if resumed else {}
        self.best: dict[str, torch.Tensor] = resumed.optimizer["best"] if resumed and settings.keeps_best else {}
        """The adapter that measured best so far."""
        self.losses = list(resumed.losses) if resumed else []
        self.seconds: list[float] = []
        """Duration of each step since this run began."""
        self._trainable: Trainable | None = None
        self._average: dict[str, torch.Tensor] = {}
        self._micro_batch_size = settings.micro_batch_size  # fewer after the memory ran out
        # The only source of random numbers of a training. On the CPU whatever the device, so that its state is small
        # and the draws do not depend on the card.
        self.generator = torch.Generator("cpu").manual_seed(settings.seed)
        self._computes_in(dtype)

    def _computes_in(self, dtype: torch.dtype) -> None:
        self.precision = name_of(dtype)
        self._scaling = LossScaling(dtype, self.device, self._resumed.loss_scale if self._resumed else None)

    @property
    def is_new(self) -> bool:
        """Whether it does not go on from a checkpoint."""
        return self._resumed is None

    @property
    def has_begun(self) -> bool:
        """Whether the adapter is in the models."""
        return self._trainable is not None

    @property
    def has_moved(self) -> bool:
        """Whether there is anything that the checkpoint it went on from does not have."""
        return self.step > (self._resumed.step if self._resumed else 0)

    @property
    def is_done(self) -> bool:
        """Whether no step is left, or an early end was noted."""
        return self.step >= self.total_steps or bool(self.notes.get("ended"))

    @property
    def skipped_steps(self) -> int:
        return self._scaling.skipped

    def begin(
        self,
        trainable: Trainable,
        optimizer: torch.optim.Optimizer,
        rates_at: Callable[[int], Sequence[float]],
        dtype: torch.dtype,
    ) -> None:
        """Take over the models, which compute in ``dtype``. ``rates_at`` gives the learning rates of the optimizer's
        groups in the step with this index, the one that is reported first."""
        self._computes_in(dtype)
        self._trainable, self._optimizer, self._rates_at = trainable, optimizer, rates_at
        if self.settings.gradient_checkpointing:
            trainable.recompute_activations()
        if self._resumed is not None:
            held = self._resumed.optimizer
            if self.settings.ema_decay:
                trainable.restore(self._resumed.average)
                self._average = self._copies()
            trainable.restore(self._resumed.adapter)
            optimizers.restore(optimizer, held["adamw"] if self.settings.keeps_best else held)
            self.generator.set_state(self._resumed.random_state)
        elif self.settings.ema_decay:
            self._average = self._copies()

    def release(self) -> None:
        """Leave the models as they were found, but for the adapter."""
        if self._trainable is not None:
            self._trainable.release()

    # One step --------------------------------------------------------------------------------------------------

    def gradient(self, batches: Sequence[Batch], loss: Callable[[Batch, slice], torch.Tensor]) -> torch.Tensor:
        """Add up the gradient of all batches; returns the step's loss, a scalar on the device.

        ``loss`` gives what these samples of a batch add to the step's loss. When the memory runs out, the batches are
        computed in smaller parts, then with activations computed again, to the same sum, and ``progress`` is told;
        raises ``torch.OutOfMemoryError`` only if that does not help either. What changes the result, a base in fewer
        bits, is decided by the planner.
        """
        assert self._trainable is not None
        if self.peak is not None:
            self.peak.begin_step()
        while True:
            try:
                total = torch.zeros((), device=self.device)
                for batch in batches:
                    for first in range(0, batch.count, self._micro_batch_size):
                        part = loss(batch, slice(first, min(first + self._micro_batch_size, batch.count)))
                        self._scaling.scaled(part).backward()
                        total = total + part.detach()
                return total
            except torch.OutOfMemoryError:
                if self._micro_batch_size == 1 and self._trainable.recomputes_activations:
                    raise
            part = None
            self._optimizer.zero_grad(set_to_none=True)
            # Smaller parts cost a little time, gradient checkpointing a third of it; neither changes the sum.
            if self._micro_batch_size > 1:
                self._micro_batch_size = -(-self._micro_batch_size // 2)
            else:
                self._trainable.recompute_activations()
            if self.peak is not None:
                self.peak.restart()  # it is to be that of the way it goes on
            self._progress.short_of_memory(
                micro_batch_size=self._micro_batch_size, gradient_checkpointing=self._trainable.recomputes_activations
            )

    def update(self, total_loss: torch.Tensor, began: float) -> None:
        """Take the step that the gradient asks for, and report it. ``total_loss`` is what ``gradient`` returned,
        ``began`` ``time.perf_counter`` at the step's start.

        Raises ``EngineError`` (``diverged``), ``Cancelled``, ``GiveBack``.
        """
        assert self._trainable is not None
        rates = self._rates_at(self.step)
        optimizers.set_rates(self._optimizer, rates)
        self._scaling.unscale(self._optimizer)
        trained = [parameter for parameter in self._trainable.parameters.values() if parameter.grad is not None]
        norm = self.settings.norm([parameter.grad for parameter in trained])
        # The one place in a step that waits for a card: until here it is given work without a pause.
        loss, length = torch.stack([total_loss, norm]).tolist()
        if self._scaling.is_lost(loss, length):
            raise diverged(self.step + 1, rates[0])
        if length > self.settings.max_grad_norm:
            torch.nn.utils.clip_grads_with_norm_(trained, self.settings.max_grad_norm, norm, foreach=True)
        self._scaling.step(self._optimizer)
        self._optimizer.zero_grad(set_to_none=True)
        self.step += 1
        self.sampled = False
        self._follow()
        measured = loss if math.isfinite(loss) else None
        self.losses += [] if measured is None else [measured]
        self.seconds.append(time.perf_counter() - began)
        self._trainable.note_step(self.seconds[-1])
        memory_bytes = None if self.peak is None else self.peak.note()
        in_use = optimizers.rate_in_use(self._optimizer, rates[0])
        self._progress.step(Step(self.step, self.total_steps, measured, in_use, self.seconds[-1], memory_bytes))

    def _follow(self) -> None:
        # Early on the average follows faster, else it would long be that of the untrained start (as in TensorFlow's).
        decay = min(self.settings.ema_decay, (1 + self.step) / (10 + self.step))
        parameters = self._parameters()
        with torch.no_grad():
            for name, average in self._average.items():
                average.lerp_(parameters[name].data, 1 - decay)

    # The adapter -----------------------------------------------------------------------------------------------

    @contextmanager
    def averaged(self) -> Iterator[None]:
        """Let the models draw or write with the moving average meanwhile, where one is kept."""
        if self.peak is not None:
            self.peak.interrupt()
        trained = self._copies() if self._average else {}
        self._put(self._average)
        try:
            yield
        finally:
            self._put(trained)

    def adapter(self) -> dict[str, torch.Tensor]:
        """The tensors that a file of the adapter holds now: the moving average where one is kept."""
        if self._trainable is not None:
            with self.averaged():
                return self._trainable.tensors()
        assert self._resumed is not None
        return self._resumed.average or self._resumed.adapter

    def _parameters(self) -> Mapping[str, torch.nn.Parameter]:
        return {} if self._trainable is None else self._trainable.parameters

    def _copies(self) -> dict[str, torch.Tensor]:
        return {name: parameter.data.clone() for name, parameter in self._parameters().items()}

    def _put(self, tensors: Mapping[str, torch.Tensor]) -> None:
        parameters = self._parameters()
        with torch.no_grad():
            for name, tensor in tensors.items():
                parameters[name].data.copy_(tensor)

    # Files -----------------------------------------------------------------------------------------------------

    def checkpoint(self) -> None:
        """Write everything and hand it over. Raises ``EngineError`` (``disk_full``)."""
        assert self._trainable is not None
        folder = checkpoints.folder_of(self._out / "checkpoints", self.step)
        optimizer = self._optimizer.state_dict()
        checkpoints.write(
            folder,
            checkpoints.Checkpoint(
                step=self.step,
                order=self._order,
                losses=self.losses,
                sampled=self.sampled,
                adapter=self._trainable.tensors(),
                optimizer={"adamw": optimizer, "best": self.best} if self.settings.keeps_best else optimizer,
                random_state=self.generator.get_state(),
                average=self.adapter() if self._average else {},
                caches=self.caches,
                notes=self.notes,
                loss_scale=self._scaling.state(),
            ),
        )
        self._progress.checkpoint(folder, self.step)
        checkpoints.keep_latest(self._out / "checkpoints", CHECKPOINTS_KEPT)

    @property
    def final_loss(self) -> float | None:
        """Mean over the last tenth of the steps; None without any."""
        last = self.losses[-math.ceil(len(self.losses) / 10) :] if self.losses else []
        return sum(last) / len(last) if last else None

    @property
    def seconds_per_step(self) -> float | None:
        return sum(self.seconds) / len(self.seconds) if self.seconds else None


def diverged(step: int, learning_rate: float) -> EngineError:
    return EngineError(
        "diverged",
        f"The training diverged at step {step}: its loss is no longer a number. The last checkpoint is kept. "
        f"Start again with a lower learning rate than {learning_rate:g}.",
    )


def checkpoint_for(order: str, folder: Path | None, material: str) -> checkpoints.Checkpoint | None:
    """The checkpoint in ``folder``, None for no folder. Raises ``EngineError`` (``bad_checkpoint``) for one that was
    made for another order; ``material`` names what it may have been made with."""
    if folder is None:
        return None
    checkpoint = checkpoints.read(folder)
    if checkpoint.order != order:
        raise EngineError(
            "bad_checkpoint",
            f"The checkpoint was made with other {material}, another base model or another recipe. Start anew.",
        )
    return checkpoint


def learning_rate_at(base_rate: float, step: int, warmup_steps: int, total_steps: int, scheduler: str) -> float:
    """Learning rate of the step with index ``step`` (from 0): a linear rise over ``warmup_steps``, then constant, or
    with ``scheduler`` ``cosine`` half a cosine down to zero at the last step."""
    if step < warmup_steps:
        return base_rate * (step + 1) / warmup_steps
    if scheduler == "constant":
        return base_rate
    share = (step - warmup_steps) / max(1, total_steps - warmup_steps)
    return base_rate * 0.5 * (1 + math.cos(math.pi * min(share, 1.0)))
