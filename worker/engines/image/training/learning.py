"""What a training has learned so far: the adapter, its moving average, the optimizer and the random numbers.

All that a checkpoint holds is here, and nothing of any model family; the loop itself is in the family's module.
"""

import math
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Protocol, TypeVar

import torch

from app.trainings.look.recipe import TrainingRecipe
from worker.engines import checkpoints, memory
from worker.engines.contracts import Progress, Step, TrainedAdapter, TrainingInputs
from worker.engines.image.base import lora, model_cache
from worker.engines.image.training import compiling, optimizers
from worker.engines.image.training import schedule as orders
from worker.engines.loss_scaling import LossScaling, name_of


class Weighed(Protocol):
    """Samples that are computed together, and how much they count in the step's loss."""

    @property
    def count(self) -> int: ...

    @property
    def share(self) -> float: ...


Batch = TypeVar("Batch", bound=Weighed)


class Learning:
    """One training from its first step, or from a checkpoint, to its adapter's file.

    Raises ``EngineError`` when it is made: ``no_pictures``, ``bad_picture``, ``bad_checkpoint``.
    """

    def __init__(self, recipe: TrainingRecipe, inputs: TrainingInputs, out: Path, progress: Progress) -> None:
        out.mkdir(parents=True, exist_ok=True)
        self.recipe, self._out, self._progress = recipe, out, progress
        self._order = orders.identity(recipe, inputs)
        resumed = self._resumed = orders.resumed(inputs, self._order)
        self.step = resumed.step if resumed else 0
        self.sampled = resumed.sampled if resumed else False
        """Whether the sample pictures of this step have been handed over."""
        self.caches: dict[str, torch.Tensor] = resumed.caches if resumed else {}
        self._losses = list(resumed.losses) if resumed else []
        self._seconds: list[float] = []
        self._models: dict[str, torch.nn.Module] = {}
        self._parameters: dict[str, torch.nn.Parameter] = {}
        self._average: dict[str, torch.Tensor] = {}
        self._at_once = recipe.batch_size  # samples in one pass; fewer after the memory ran out
        self._device = model_cache.device()
        self._computes_in(model_cache.best_dtype(self._device))
        self._trial: compiling.Trial | None = None
        self._peak = 0
        self._is_interrupted = True  # by loading and drawing, whose memory is not that of a step
        # The only source of random numbers of a training. On the CPU whatever the device, so that its state is small
        # and the draws do not depend on the card.
        self.generator = torch.Generator("cpu").manual_seed(recipe.seed)

    def _computes_in(self, dtype: torch.dtype) -> None:
        self._precision = name_of(dtype)
        self._scaling = LossScaling(dtype, self._device, self._resumed.loss_scale if self._resumed else None)

    @property
    def is_new(self) -> bool:
        """Whether it does not go on from a checkpoint."""
        return self._resumed is None

    @property
    def has_begun(self) -> bool:
        """Whether the adapter is in the models."""
        return bool(self._models)

    @property
    def has_moved(self) -> bool:
        """Whether there is anything that the checkpoint it went on from does not have."""
        return self.step > (self._resumed.step if self._resumed else 0)

    def begin(
        self, models: Mapping[str, torch.nn.Module], targets: Mapping[str, Sequence[str]], dtype: torch.dtype
    ) -> None:
        """Put the adapter into these models, by their names in the file, and there into the layers whose names end as
        ``targets`` says: the denoiser first, then text encoders. They compute in ``dtype``."""
        self._computes_in(dtype)
        self._models = dict(models)
        self._denoiser: Any = next(iter(self._models.values()))
        recipe = self.recipe
        groups, lengths = [], []
        for name, model in self._models.items():
            added = lora.inject(model, recipe.rank, recipe.alpha, targets[name], self.generator, recipe.network)
            self._parameters |= {f"{name}.{key}": parameter for key, parameter in added.items()}
            groups.append([one for key, one in added.items() if not lora.is_length(key)])
            lengths += [one for key, one in added.items() if lora.is_length(key)]
            for parameter in added.values():  # PEFT puts them beside the base, whose blocks may wait elsewhere
                parameter.data = parameter.data.to(self._device)
        if self.recipe.gradient_checkpointing:
            self._denoiser.enable_gradient_checkpointing()
        if recipe.compile:
            self._trial = compiling.Trial(self._denoiser)
        on_words = [one for group in groups[1:] for one in group]
        self._optimizer = optimizers.make(self.recipe, [groups[0], on_words], lengths)
        if self._resumed is not None:
            if self.recipe.ema_decay:
                self._set_adapter(self._resumed.average)
                self._average = self._copies()
            self._set_adapter(self._resumed.adapter)
            optimizers.restore(self._optimizer, self._resumed.optimizer)
            self.generator.set_state(self._resumed.random_state)
        elif self.recipe.ema_decay:
            self._average = self._copies()

    def end(self) -> None:
        """Leave the denoiser as it was found; the adapters are taken out by ``hot_swap.forget``."""
        if self._trial is not None:
            self._trial.end()
        if self._models:
            self._denoiser.disable_gradient_checkpointing()

    # One step --------------------------------------------------------------------------------------------------

    def gradient(self, batches: Sequence[Batch], loss_of: Callable[[Batch, slice], torch.Tensor]) -> torch.Tensor:
        """Add up the gradient of all batches, each by its share; returns the loss, a scalar on the device.

        ``loss_of`` gives the mean loss of these samples of a batch. When the memory runs out, the batches are computed
        in smaller parts, then with gradient checkpointing, to the same sum, and ``progress`` is told; raises
        ``torch.OutOfMemoryError`` only if that does not help either. What changes the result, a coarser base, is not
        decided here: ``app.trainings.plans.fallback_from``.
        """
        if self._is_interrupted:
            memory.reset_peak_memory(self._device)
            self._is_interrupted = False
        while True:
            try:
                loss = torch.zeros((), device=self._device)
                for batch in batches:
                    for first in range(0, batch.count, self._at_once):
                        part = slice(first, min(first + self._at_once, batch.count))
                        # Each part counts with its share, so that the gradient is that of the whole batch.
                        part_loss = loss_of(batch, part) * (batch.share * (part.stop - part.start) / batch.count)
                        self._scaling.scaled(part_loss).backward()
                        loss += part_loss.detach()
                return loss
            except torch.OutOfMemoryError:
                if self._at_once == 1 and self._denoiser.is_gradient_checkpointing:
                    raise
            part_loss = None
            self._optimizer.zero_grad(set_to_none=True)
            # Smaller parts cost a little time, gradient checkpointing a third of it; neither changes the sum.
            if self._at_once > 1:
                self._at_once = -(-self._at_once // 2)
            else:
                self._denoiser.enable_gradient_checkpointing()
            memory.reset_peak_memory(self._device)  # the peak is to be that of the way it goes on
            self._peak = 0
            self._progress.short_of_memory(
                micro_batch_size=self._at_once, gradient_checkpointing=self._denoiser.is_gradient_checkpointing
            )

    def update(self, total_loss: torch.Tensor, began: float) -> None:
        """Take the step that the gradient asks for, and report it. ``total_loss`` is what ``gradient`` returned,
        ``began`` ``time.perf_counter`` at the step's start.

        Raises ``EngineError`` (``diverged``), ``Cancelled``, ``GiveBack``.
        """
        rate = orders.learning_rate_at(self.recipe, self.step)
        optimizers.set_rates(self._optimizer, self.recipe, rate)
        self._scaling.unscale(self._optimizer)
        trained = [parameter for parameter in self._parameters.values() if parameter.grad is not None]
        norm = torch.cat([parameter.grad.flatten() for parameter in trained]).norm()
        # The one place in a step that waits for a card: until here it is given work without a pause.
        loss, length = torch.stack([total_loss, norm]).tolist()
        if self._scaling.is_lost(loss, length):
            raise orders.diverged(self.step + 1, rate)
        if length > self.recipe.max_grad_norm:
            torch.nn.utils.clip_grads_with_norm_(trained, self.recipe.max_grad_norm, norm, foreach=True)
        self._scaling.step(self._optimizer)
        self._optimizer.zero_grad(set_to_none=True)
        self.step += 1
        self.sampled = False
        self._follow()
        measured = loss if math.isfinite(loss) else None
        self._losses += [] if measured is None else [measured]
        self._seconds.append(time.perf_counter() - began)
        if self._trial is not None:
            self._trial.step(self._seconds[-1])
        self._peak = max(self._peak, memory.peak_memory_bytes(self._device))
        in_use = optimizers.rate_in_use(self._optimizer, rate)
        self._progress.step(Step(self.step, self.recipe.steps, measured, in_use, self._seconds[-1], self._peak))

    @torch.no_grad()
    def _follow(self) -> None:
        # Early on the average follows faster, else it would long be that of the untrained start (as in TensorFlow's).
        decay = min(self.recipe.ema_decay, (1 + self.step) / (10 + self.step))
        for name, average in self._average.items():
            average.lerp_(self._parameters[name].data, 1 - decay)

    # The adapter -----------------------------------------------------------------------------------------------

    @contextmanager
    def averaged(self) -> Iterator[None]:
        """Let the models draw with the moving average meanwhile, where one is kept."""
        self._is_interrupted = True
        trained = self._copies() if self._average else {}
        self._put(self._average)
        try:
            yield
        finally:
            self._put(trained)

    def adapter(self) -> dict[str, torch.Tensor]:
        """What a file of it holds now, by names with their model's in front."""
        if self._parameters:
            with self.averaged():
                return self._state()
        assert self._resumed is not None
        return self._resumed.average or self._resumed.adapter

    def _state(self) -> dict[str, torch.Tensor]:
        return {
            f"{part}.{key}": value for part, model in self._models.items() for key, value in lora.state(model).items()
        }

    def _set_adapter(self, tensors: Mapping[str, torch.Tensor]) -> None:
        for part, model in self._models.items():
            own = {key.removeprefix(f"{part}."): value for key, value in tensors.items() if key.startswith(f"{part}.")}
            lora.restore(model, own)

    def _copies(self) -> dict[str, torch.Tensor]:
        return {name: parameter.data.clone() for name, parameter in self._parameters.items()}

    @torch.no_grad()
    def _put(self, tensors: Mapping[str, torch.Tensor]) -> None:
        for name, tensor in tensors.items():
            self._parameters[name].data.copy_(tensor)

    def checkpoint(self) -> None:
        """Write everything and hand it over. Raises ``EngineError`` (``disk_full``)."""
        folder = checkpoints.folder_of(self._out / "checkpoints", self.step)
        checkpoints.write(
            folder,
            checkpoints.Checkpoint(
                step=self.step,
                order=self._order,
                losses=self._losses,
                sampled=self.sampled,
                adapter=self._state(),
                optimizer=self._optimizer.state_dict(),
                random_state=self.generator.get_state(),
                average=self.adapter() if self._average else {},
                caches=self.caches,
                loss_scale=self._scaling.state(),
            ),
        )
        self._progress.checkpoint(folder, self.step)
        checkpoints.keep_latest(self._out / "checkpoints", orders.CHECKPOINTS_KEPT)

    def result(
        self, *, finished: bool, targets: Mapping[str, Sequence[str]], save_weights: Callable[..., None]
    ) -> TrainedAdapter:
        """Write ``adapter.safetensors``; ``targets`` as for ``begin``, ``save_weights`` as for ``lora.save``."""
        path = self._out / "adapter.safetensors"
        recipe, tensors = self.recipe, self.adapter()
        parts = {
            part: {
                name.removeprefix(f"{part}."): value for name, value in tensors.items() if name.startswith(f"{part}.")
            }
            for part in targets
        }
        lora.save(parts, recipe.rank, recipe.alpha, targets, path, recipe.network, save_weights)
        return TrainedAdapter(
            weights=path,
            rank=recipe.rank,
            alpha=lora.true_alpha(recipe.rank, recipe.alpha, recipe.network),
            steps=self.step,
            finished=finished,
            final_loss=orders.final_loss(self._losses),
            seconds_per_step=sum(self._seconds) / len(self._seconds) if self._seconds else None,
            peak_memory_bytes=self._peak,
            device=model_cache.device_name(self._device),
            precision=self._precision,
            skipped_steps=self._scaling.skipped,
        )
