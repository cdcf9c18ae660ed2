"""The family of Stable Diffusion 1.x: one U-Net, one CLIP text encoder, one autoencoder. Our built-in model has the
same layout with an autoencoder of its own.

What this module does not know: what is in the pictures; whether an adapter suits a prompt; how much memory another
process on the same card takes a moment later. On a CPU the same order gives the same numbers again, with the same
number of threads and the same libraries; on a card the same picture up to the card's own rounding, because its kernels
may add in another order.
"""

import contextlib
import json
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import torch
from diffusers import StableDiffusionPipeline
from PIL import Image

from app.generations.recipe import GenerationRecipe
from app.trainings.look.recipe import Quantization, TrainingRecipe
from worker.engines import memory
from worker.engines.contracts import (
    Base,
    Cancelled,
    GeneratedPicture,
    GenerationInputs,
    GiveBack,
    Progress,
    TrainedAdapter,
    TrainingInputs,
)
from worker.engines.image.base import (
    cpu_offload,
    hot_swap,
    lora,
    model_cache,
    prompts,
    quantization,
    single_file,
    unet_adapters,
)
from worker.engines.image.base.model_cache import Loaded
from worker.engines.image.base.patch_autoencoder import PatchAutoencoder
from worker.engines.image.drawing import pictures as drawing
from worker.engines.image.drawing import schedulers, start_picture, unet_drawing
from worker.engines.image.drawing.start_picture import StartPicture
from worker.engines.image.training import batches, class_images, latents, losses, samples
from worker.engines.image.training import schedule as orders
from worker.engines.image.training.learning import Learning

BUILTIN_MODEL = Path(__file__).parents[1] / "builtin" / "model"
DRAWING_BYTES_PER_PIXEL = 4096
"""SD 1.5 in half precision with guidance takes about 1 GB per picture of 512 × 512 beside the weights."""


def drop_loaded() -> None:
    """Forget the base model kept between jobs, and give its memory back."""
    model_cache.drop()


# Training ---------------------------------------------------------------------------------------------------------


def train(recipe: TrainingRecipe, inputs: TrainingInputs, out: Path, progress: Progress) -> TrainedAdapter:
    """Train one adapter, of the U-Net and if asked of the text encoder; writes ``adapter.safetensors``, ``samples/``
    and ``checkpoints/`` under ``out``.

    A checkpoint is handed over every ``checkpoint_every`` steps and after the last one, after its sample pictures. On
    ``Cancelled`` the adapter is saved as it is and returned with ``finished=False``; before the first step there is
    nothing to keep and ``Cancelled`` goes through. On ``GiveBack`` a checkpoint is handed over and the exception goes
    through.

    Raises ``EngineError``: ``diverged`` (the checkpoints up to then stay), ``out_of_memory``, ``bad_picture``,
    ``bad_size``, ``bad_order``, ``no_pictures``, ``bad_checkpoint``, ``disk_full``, ``model_unavailable``,
    ``model_unsupported``, ``optimizer_unavailable``.
    """
    with memory.out_of_memory_in_words(model_cache.device(), orders.TRAIN_SMALLER):
        return _train(recipe, inputs, out, progress)


@dataclass(frozen=True)
class _Batch:
    """Samples of one size, drawn once for a step."""

    noised: losses.Noised
    words: torch.Tensor
    """Embeddings of pieces, (batch, n, limit, width); with a text encoder in training their tokens (batch, n,
    limit)."""
    own: torch.Tensor | None
    """``prompts.told_apart``."""
    share: float

    @property
    def count(self) -> int:
        return len(self.words)


def _train(recipe: TrainingRecipe, inputs: TrainingInputs, out: Path, progress: Progress) -> TrainedAdapter:
    orders.check(recipe)
    learning = Learning(recipe, inputs, out, progress)
    targets = {"unet": lora.TARGETS[recipe.target_modules]}
    if recipe.train_text_encoder:
        targets["text_encoder"] = lora.TEXT_TARGETS

    def result(finished: bool) -> TrainedAdapter:
        return learning.result(
            finished=finished, targets=targets, save_weights=StableDiffusionPipeline.save_lora_weights
        )

    loaded: Loaded | None = None
    try:
        progress.phase("loading")
        loaded = _load(inputs.base, recipe.quantization)
        hot_swap.forget(loaded)
        pipeline, unet = loaded.pipeline, loaded.pipeline.unet
        model_cache.widen(loaded, *targets)
        noising = losses.Noising.of(pipeline.scheduler, recipe)

        progress.phase("caching")
        pictures = latents.cached(loaded, recipe, inputs, progress, lambda pixels: unet_drawing.encoded(loaded, pixels))
        words = _cached_words(pipeline, recipe, [*latents.texts_of(pictures), recipe.class_prompt, ""])
        sample_words = [
            prompts.embed_pair(pipeline, prompt, "", recipe.clip_skip) for prompt in samples.prompts_of(recipe)
        ]

        def draw_samples() -> None:
            samples.draw(loaded, recipe, learning, out, progress, denoise, partial(_decode, loaded))

        def denoise(index: int, prompt: str, generator: torch.Generator) -> torch.Tensor:
            # An adapter of the text encoder reads the prompt in its own way; else it is not needed again.
            pair = (
                prompts.embed_pair(pipeline, prompt, "", recipe.clip_skip)
                if recipe.train_text_encoder
                else sample_words[index]
            )
            return _draw_square(loaded, recipe, pair, [generator], lambda: progress.phase("sampling"))

        if learning.is_new:
            draw_samples()
        class_latents = class_images.cached(
            recipe,
            learning,
            lambda generators: _draw_square(
                loaded,
                recipe,
                prompts.embed_pair(pipeline, recipe.class_prompt, "", recipe.clip_skip),
                generators,
                lambda: progress.phase("caching"),
            ),
        )

        learning.begin({name: getattr(pipeline, name) for name in targets}, targets, unet.dtype)
        if not learning.is_new and not learning.sampled and orders.checkpoint_is_due(recipe, learning.step):
            # Given back between the step and its samples.
            draw_samples()

        resting = ("vae",) if recipe.train_text_encoder else model_cache.ENCODERS
        model_cache.rest(loaded, *resting)
        device, dtype = unet.device, unet.dtype  # asked once: each answer is a walk through the whole model
        progress.phase("training")
        while learning.step < recipe.steps:
            began = time.perf_counter()
            step_batches = [
                _Batch(
                    noising.draw(drawn.clean, recipe.noise_offset, learning.generator),
                    prompts.stacked([words[caption] for caption in drawn.captions], words[""]),
                    prompts.told_apart([words[caption] for caption in drawn.captions], words[""].shape[1]),
                    drawn.share,
                )
                for drawn in batches.of_step(pictures, class_latents, recipe, learning)
            ]

            def loss_of(batch: _Batch, part: slice) -> torch.Tensor:
                noised, read = batch.noised, batch.words[part].to(device)
                with model_cache.autocast(device, dtype):
                    if recipe.train_text_encoder:
                        embedding = prompts.encoded(pipeline.text_encoder, read, recipe.clip_skip)
                    else:
                        embedding = read.flatten(1, 2)
                    prediction = unet(
                        noised.noisy[part].to(device, dtype),
                        noised.timesteps[part].to(device),
                        embedding.to(dtype),
                        encoder_attention_mask=None if batch.own is None else batch.own[part].to(device),
                        return_dict=False,
                    )[0]
                return losses.weighted_mse(prediction, noised.wanted[part].to(device), noised.weights[part])

            loss = learning.gradient(step_batches, loss_of)
            learning.update(loss, began)

            if orders.checkpoint_is_due(recipe, learning.step):
                draw_samples()
                progress.phase("saving")
                learning.checkpoint()
                if learning.step < recipe.steps:
                    progress.phase("training")
        return result(finished=True)
    except Cancelled:
        if learning.step == 0:
            raise
        return result(finished=learning.step == recipe.steps)
    except GiveBack:
        if learning.has_moved:
            learning.checkpoint()
        raise
    finally:
        learning.end()
        if loaded is not None:
            model_cache.put_back(
                loaded,
                partial(hot_swap.forget, loaded),
                partial(model_cache.wake, loaded, *model_cache.ENCODERS),
                partial(model_cache.narrow, loaded, *targets),
            )


@torch.no_grad()
def _cached_words(pipeline: Any, recipe: TrainingRecipe, texts: Sequence[str]) -> dict[str, torch.Tensor]:
    """Each text's pieces on the CPU: their embeddings (n, limit, width), or their tokens (n, limit) where the text
    encoder is trained and must read them anew each time."""
    found = {text: prompts.pieces(pipeline.tokenizer, text) for text in dict.fromkeys(texts)}
    if recipe.train_text_encoder:
        return found
    limit = pipeline.tokenizer.model_max_length
    return {
        text: prompts.encoded(pipeline.text_encoder, ids[None], recipe.clip_skip).view(len(ids), limit, -1).cpu()
        for text, ids in found.items()
    }


def _draw_square(
    loaded: Loaded,
    recipe: TrainingRecipe,
    words: tuple[torch.Tensor, torch.Tensor],
    generators: list[torch.Generator],
    on_step: Callable[[], None],
) -> torch.Tensor:
    """Latents of one square picture for each generator, with the model as it is now."""
    side = samples.side_of(recipe, loaded)
    shape = unet_drawing.latent_shape(loaded, side, side)
    return _denoise(
        loaded,
        schedulers.DEFAULT,
        *words,
        torch.cat([torch.randn(shape, generator=generator) for generator in generators]),
        generators,
        recipe.sample_steps,
        recipe.sample_guidance_scale,
        on_step,
    )


# Drawing ----------------------------------------------------------------------------------------------------------


def generate(
    recipe: GenerationRecipe, inputs: GenerationInputs, out: Path, progress: Progress
) -> Iterator[GeneratedPicture]:
    """Draw the pictures, several in one batch where memory allows, and yield each when its file is complete.

    Picture i starts from the noise of ``seed + i`` whatever the batch, see ``GenerationRecipe`` for strips and
    variations; a variation's ``seed`` is that of the noise it was turned towards. With ``inputs.image`` it starts from
    that picture as far as ``strength`` says, with ``inputs.mask`` it keeps the rest to the pixel. Files are
    ``picture-<i>.png``. On ``Cancelled`` the pictures that are complete have been yielded and the iterator ends;
    ``GiveBack`` goes through.

    Raises ``EngineError``: ``bad_size``, ``bad_order``, ``bad_picture``, ``unknown_scheduler``, ``adapter_mismatch``,
    ``adapter_unreadable``, ``out_of_memory``, ``model_unavailable``.
    """
    with memory.out_of_memory_in_words(model_cache.device(), orders.DRAW_SMALLER), contextlib.suppress(Cancelled):
        drawing.check_order(recipe)
        out.mkdir(parents=True, exist_ok=True)
        progress.phase("loading")
        loaded = _load(inputs.base, recipe.quantization or "none", inputs.offload)
        model_cache.check_size(loaded, recipe.width, recipe.height)
        given = start_picture.start_picture(recipe, inputs)
        schedulers.fresh(recipe.scheduler, loaded.pipeline.scheduler)  # refuses an unknown name before drawing
        names = [hot_swap.name_of(loaded, one, inputs.adapters, unet_adapters.load) for one in inputs.adapters]
        with cpu_offload.planned(loaded, inputs), cpu_offload.by_turns(loaded):
            yield from drawing.pictures(
                loaded,
                recipe,
                inputs,
                names,
                out,
                progress,
                shape=unet_drawing.latent_shape(loaded, recipe.width, recipe.height),
                steps=start_picture.steps_taken(recipe, given is not None),
                batch_size=inputs.at_once or _batch_size(loaded, recipe.width, recipe.height),
                denoise=_denoise_order(loaded, recipe, given),
                decode=lambda drawn: _put_back(given, _decode(loaded, drawn)),
            )


def _put_back(given: StartPicture | None, drawn: Image.Image) -> Image.Image:
    return drawn if given is None else given.put_back(drawn)


def _denoise_order(loaded: Loaded, recipe: GenerationRecipe, given: StartPicture | None) -> drawing.Denoise:
    clean = None if given is None else unet_drawing.encoded(loaded, given.pixels)

    def denoise(noise: torch.Tensor, generators: list[torch.Generator], on_step: Callable[[], None]) -> torch.Tensor:
        # Here, where the adapters act with their strengths: one that trained the text encoder changes it too.
        positive, negative = prompts.remembered(
            loaded,
            (recipe.prompt, recipe.negative_prompt, recipe.clip_skip),
            lambda: prompts.embed_pair(loaded.pipeline, recipe.prompt, recipe.negative_prompt, recipe.clip_skip),
        )
        if given is None or clean is None:
            return _denoise(
                loaded,
                recipe.scheduler,
                positive,
                negative,
                noise,
                generators,
                recipe.steps,
                recipe.guidance_scale,
                on_step,
            )
        return unet_drawing.from_picture(
            loaded,
            schedulers.fresh(recipe.scheduler, loaded.pipeline.scheduler),
            given,
            clean,
            noise,
            generators,
            steps=recipe.steps,
            taken=start_picture.steps_taken(recipe, True),
            guidance_scale=recipe.guidance_scale,
            words=positive,
            no_words=negative,
            conditions=None,
            no_conditions=None,
            on_step=on_step,
        )

    return denoise


@torch.no_grad()
def _denoise(
    loaded: Loaded,
    scheduler: str,
    positive: torch.Tensor,
    negative: torch.Tensor,
    noise: torch.Tensor,
    generators: list[torch.Generator],
    steps: int,
    guidance_scale: float,
    on_step: Callable[[], None],
) -> torch.Tensor:
    """Run the pipeline from ``noise`` (batch, channels, height, width) to clean latents of that shape.

    ``on_step`` is called after every denoising step and may raise to stop.
    """
    pipeline = loaded.pipeline
    own = pipeline.scheduler
    dtype = pipeline.unet.dtype

    def told(_pipeline: Any, _step: int, _timestep: Any, _tensors: dict[str, Any]) -> dict[str, Any]:
        on_step()
        return {}

    pipeline.scheduler = schedulers.fresh(scheduler, own)
    try:
        drawn: torch.Tensor = pipeline(
            prompt_embeds=positive.to(loaded.device, dtype).expand(len(noise), -1, -1),
            negative_prompt_embeds=negative.to(loaded.device, dtype).expand(len(noise), -1, -1)
            if guidance_scale > 1
            else None,
            latents=noise.to(dtype),
            generator=generators,
            num_inference_steps=steps,
            guidance_scale=guidance_scale,
            height=noise.shape[2] * pipeline.vae_scale_factor,
            width=noise.shape[3] * pipeline.vae_scale_factor,
            output_type="latent",
            callback_on_step_end=told,
        ).images
        return drawn
    finally:
        pipeline.scheduler = own


def _decode(loaded: Loaded, drawn: torch.Tensor) -> Image.Image:
    return unet_drawing.decoded(loaded, drawn)


def _batch_size(loaded: Loaded, width: int, height: int) -> int:
    return unet_drawing.batch_size(loaded, width, height, DRAWING_BYTES_PER_PIXEL)


# The base model ---------------------------------------------------------------------------------------------------


def _load(base: Base, kind: Quantization = "none", offload: str | None = None) -> Loaded:
    """The base model, kept from the last job if it is the same; on the device unless the models take turns there.
    Raises ``EngineError`` (``model_unavailable``)."""
    by_blocks = offload == "blocks"
    loaded = model_cache.kept(base, partial(_fresh, kind, by_blocks), kind, by_blocks=by_blocks)
    if offload in (None, "none"):
        model_cache.wake(loaded, *cpu_offload.IN_TURN)
    return loaded


def _fresh(kind: Quantization, by_blocks: bool, base: Base) -> Loaded:
    device = model_cache.device()
    dtype = model_cache.best_dtype(device)
    pipeline = _pipeline(base, dtype)
    pipeline.set_progress_bar_config(disable=True)
    quantization.quantize(pipeline.unet, kind, device, dtype)
    # The autoencoder is small, and in half precision some of them overflow to black.
    pipeline.vae.float()
    for model in (pipeline.vae, pipeline.text_encoder, pipeline.unet):
        model.requires_grad_(False).eval()
    halvings = len(pipeline.unet.config.block_out_channels) - 1
    multiple = pipeline.vae_scale_factor * 2**halvings
    loaded = Loaded(base, pipeline, device, dtype, multiple=multiple, quantization=kind)
    if by_blocks:
        cpu_offload.block_by_block(loaded)
    return loaded


def _pipeline(base: Base, dtype: torch.dtype) -> Any:
    if single_file.is_one(base):
        return single_file.stable_diffusion(
            StableDiffusionPipeline, base, dtype, safety_checker=None, requires_safety_checker=False
        )
    builtin = base.source == "builtin"
    local = builtin or Path(base.source).is_absolute()
    source = str(BUILTIN_MODEL) if builtin else base.source
    own: dict[str, Any] = {}
    with model_cache.loading_in_words(base, source if local else None):
        if local and _autoencoder_class(source) == PatchAutoencoder.__name__:
            own["vae"] = PatchAutoencoder.from_pretrained(source, subfolder="vae", use_safetensors=True)
        return StableDiffusionPipeline.from_pretrained(
            source,
            revision=base.revision if not local else None,
            local_files_only=local,
            use_safetensors=True,
            safety_checker=None,
            requires_safety_checker=False,
            dtype=dtype,
            **own,
        )


def _autoencoder_class(folder: str) -> str:
    return str(json.loads(Path(folder, "vae", "config.json").read_text()).get("_class_name"))
