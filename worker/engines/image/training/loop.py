"""How an adapter for pictures is trained, whatever the family of its base: what is prepared, what a step is fed, and
what is written. The steps themselves are in ``training_loop``."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Generic, Protocol, TypeVar

import torch
from PIL import Image

from app.trainings.look.recipe import TrainingRecipe
from worker.engines import memory, training_loop
from worker.engines.contracts import Base, Progress, TrainedAdapter, TrainingInputs
from worker.engines.image.base import hot_swap, lora, model_cache
from worker.engines.image.base.model_cache import Loaded
from worker.engines.image.enlarging.network import enlarged
from worker.engines.image.training import batches, class_images, latents, samples, schedule
from worker.engines.image.training.batches import Drawn
from worker.engines.image.training.trained_models import TrainedModels, optimizer_for, parts_of
from worker.engines.training_state import Settings, TrainingState, checkpoint_for


class Weighted(Protocol):
    """Samples of one size, and how much they count in the step's loss."""

    @property
    def count(self) -> int: ...

    @property
    def weight(self) -> float: ...


Batch = TypeVar("Batch", bound=Weighted)


@dataclass(frozen=True)
class Prepared(Generic[Batch]):
    """A family's part in one training, once every caption and prompt has been read."""

    models: Mapping[str, torch.nn.Module]
    """Those that get an adapter, by their names in its file, the denoiser first."""
    targets: Mapping[str, Sequence[str]]
    """Ends of the names of the layers that it acts on, for each of them."""
    dtype: torch.dtype
    """Precision that the denoiser computes in."""
    batch: Callable[[Drawn, torch.Generator], Batch]
    """These pictures with noise from the generator, and what the denoiser is told of them."""
    loss: Callable[[Batch, slice], torch.Tensor]
    """Mean over these samples of a batch."""
    denoise: Callable[[str, torch.Tensor, list[torch.Generator], Callable[[], None]], torch.Tensor]
    """Clean latents of a prompt from noise (batch, …), as samples are drawn; calls the last argument at every step."""
    before_steps: Callable[[], None]
    """Bring to the device what steps need, and take off it what they do not."""


@dataclass(frozen=True)
class Family:
    """The functions that a family of base models gives to the loop."""

    check: Callable[[TrainingRecipe], None]
    """Raises ``EngineError`` (``bad_order``) for a recipe that it cannot follow."""
    load: Callable[[Base, TrainingRecipe], Loaded]
    place: Callable[[Loaded, TrainingRecipe], None]
    """Put the models where, and into the precision in which, they are trained."""
    put_back: Callable[[Loaded, TrainingRecipe], None]
    """The way back from ``place``."""
    encode: Callable[[Loaded, torch.Tensor], torch.Tensor]
    """Latents of pixels (1, 3, height, width) in -1..1."""
    decode: Callable[[Loaded, torch.Tensor], Image.Image]
    latent_shape: Callable[[Loaded, int, int], tuple[int, int, int, int]]
    """Shape of the noise of one picture of this width and height."""
    prepare: Callable[[Loaded, TrainingRecipe, Sequence[str], Progress], Prepared]
    """Embed these texts and say what a step is."""
    targets: Callable[[TrainingRecipe, Iterable[str]], Mapping[str, Sequence[str]]]
    """As ``Prepared.targets``, from the names of an adapter's tensors."""
    save_weights: Callable[..., None]
    """The pipeline class's ``save_lora_weights``."""


def train(
    family: Family, recipe: TrainingRecipe, inputs: TrainingInputs, out: Path, progress: Progress
) -> TrainedAdapter:
    """``contracts.Engine.train`` for a family."""
    device = model_cache.device()
    with memory.out_of_memory_in_words(device, schedule.TRAIN_SMALLER):
        family.check(recipe)
        state = new_state(recipe, inputs, out, progress)
        loaded: Loaded | None = None

        def prepare() -> training_loop.Task:
            nonlocal loaded
            progress.phase("loading")
            loaded = family.load(inputs.base, recipe)
            hot_swap.forget(loaded)
            family.place(loaded, recipe)
            progress.phase("caching")
            pictures = latents.cached(loaded, recipe, inputs, progress, partial(family.encode, loaded))
            texts = [*latents.texts_of(pictures), recipe.class_prompt, "", *samples.prompts_of(recipe)]
            prepared = family.prepare(loaded, recipe, texts, progress)
            return task_of(family, loaded, recipe, inputs, state, pictures, prepared, out, progress)

        def release() -> None:
            if loaded is not None:
                model_cache.put_back(loaded, partial(hot_swap.forget, loaded), partial(family.put_back, loaded, recipe))

        return training_loop.run(
            state, progress, prepare=prepare, result=partial(result, family, recipe, state, out), release=release
        )


def new_state(recipe: TrainingRecipe, inputs: TrainingInputs, out: Path, progress: Progress) -> TrainingState:
    """Raises ``EngineError``: ``no_pictures``, ``bad_picture``, ``bad_checkpoint``."""
    device, order = model_cache.device(), schedule.identity(recipe, inputs)
    return TrainingState(
        Settings(
            seed=recipe.seed,
            micro_batch_size=recipe.batch_size,
            max_grad_norm=recipe.max_grad_norm,
            gradient_checkpointing=recipe.gradient_checkpointing,
            ema_decay=recipe.ema_decay,
            # In one kernel: an adapter is many small tensors.
            norm=lambda gradients: torch.cat([one.flatten() for one in gradients]).norm(),
        ),
        order,
        checkpoint_for(order, inputs.resume_from, "pictures"),
        out,
        progress,
        device,
        model_cache.best_dtype(device),
        total_steps=recipe.steps,
        peak=memory.StepPeak(device),
    )


def task_of(
    family: Family,
    loaded: Loaded,
    recipe: TrainingRecipe,
    inputs: TrainingInputs,
    state: TrainingState,
    pictures: list[latents.Cached],
    prepared: Prepared[Batch],
    out: Path,
    progress: Progress,
) -> training_loop.Task[Batch]:
    """What happens around and in the steps."""
    class_latents: torch.Tensor | None = None

    def draw(phase: str, prompt: str, generators: list[torch.Generator]) -> torch.Tensor:
        """Latents of one square picture for each generator, with the models as they are now."""
        side = samples.side_of(recipe, loaded)
        shape = family.latent_shape(loaded, side, side)
        noise = torch.cat([torch.randn(shape, generator=generator) for generator in generators])
        return prepared.denoise(prompt, noise, generators, lambda: progress.phase(phase))

    def decode(drawn: torch.Tensor) -> Image.Image:
        return enlarged(family.decode(loaded, drawn), inputs.enlargement, loaded.device)

    def draw_samples() -> None:
        samples.draw(loaded, recipe, state, out, progress, partial(draw, "sampling"), decode)

    def begin() -> None:
        nonlocal class_latents
        class_latents = class_images.cached(recipe, state, partial(draw, "caching", recipe.class_prompt))
        prepared.before_steps()
        trainable = TrainedModels(prepared.models, prepared.targets, recipe, state.generator, loaded.device)
        state.begin(
            trainable, optimizer_for(trainable, recipe), partial(schedule.learning_rates_at, recipe), prepared.dtype
        )

    def weighted_loss(batch: Batch, part: slice) -> torch.Tensor:
        # Each part counts with its share, so that the gradient is that of the whole batch.
        return prepared.loss(batch, part) * (batch.weight * (part.stop - part.start) / batch.count)

    return training_loop.Task(
        begin=begin,
        batches=lambda: [
            prepared.batch(drawn, state.generator) for drawn in batches.of_step(pictures, class_latents, recipe, state)
        ],
        loss=weighted_loss,
        is_due=partial(schedule.checkpoint_is_due, recipe),
        evaluate=draw_samples,
    )


def result(family: Family, recipe: TrainingRecipe, state: TrainingState, out: Path, finished: bool) -> TrainedAdapter:
    """Write ``adapter.safetensors``."""
    path, adapter = out / "adapter.safetensors", state.adapter()
    targets = family.targets(recipe, adapter)
    lora.save(parts_of(adapter, targets), recipe.rank, recipe.alpha, targets, path, recipe.network, family.save_weights)
    assert state.peak is not None
    return TrainedAdapter(
        weights=path,
        rank=recipe.rank,
        alpha=lora.true_alpha(recipe.rank, recipe.alpha, recipe.network),
        steps=state.step,
        finished=finished,
        final_loss=state.final_loss,
        seconds_per_step=state.seconds_per_step,
        peak_memory_bytes=state.peak.bytes,
        device=model_cache.device_name(state.device),
        precision=state.precision,
        skipped_steps=state.skipped_steps,
    )
