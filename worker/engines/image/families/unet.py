"""The families with a U-Net, Stable Diffusion 1.x and XL: training, drawing and loading, but for how the U-Net is told
what to draw.

What this module does not know: what is in the pictures; whether an adapter suits a prompt; how much memory another
process on the same card takes a moment later. On a CPU the same request gives the same numbers again, with the same
number of threads and the same libraries; on a card the same picture up to the card's own rounding, because its kernels
may add in another order. The autoencoder runs in float32, as some overflow in half precision to black pictures.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, Protocol

import torch

from app.generations.recipe import GenerationRecipe
from app.trainings.look.recipe import Quantization, TrainingRecipe
from worker.engines.contracts import Base, Progress
from worker.engines.image.base import cpu_offload, lora, model_cache, prompts, quantization, unet_adapters
from worker.engines.image.base.model_cache import Loaded
from worker.engines.image.base.prompts import PromptEmbeds
from worker.engines.image.drawing import frame, pictures, schedulers, unet_drawing
from worker.engines.image.drawing.pictures import Denoise
from worker.engines.image.drawing.start_picture import StartPicture, steps_taken
from worker.engines.image.training import loop, losses, samples, schedule
from worker.engines.image.training.batches import Drawn


@dataclass(frozen=True)
class Captions:
    """The captions of a batch as far as they were read once, on the CPU."""

    read: tuple[torch.Tensor, ...]
    """Embeddings of pieces (batch, n, limit, width), and with two encoders pooled embeddings (batch, width). With the
    encoders in training the tokens of each, (batch, n, limit)."""
    attention_mask: torch.Tensor | None
    """``prompts.padding_mask``."""


@dataclass(frozen=True)
class Batch:
    """Samples of one size, drawn once for a step."""

    noisy: losses.NoisySamples
    captions: Captions
    size_conditions: torch.Tensor
    """(batch, 6), see ``dataset.size_conditions``."""
    caption_scales: torch.Tensor | None
    """(batch, 1): 0 where a dropped caption is read as zeros, else 1; None where no base wants that."""
    weight: float

    @property
    def count(self) -> int:
        return len(self.size_conditions)


class Condition(Protocol):
    """The U-Net's conditioning in a step: embeddings (batch, length, width) and ``added_cond_kwargs``, of this
    precision, on this device."""

    def __call__(
        self,
        pipeline: Any,
        recipe: TrainingRecipe,
        batch: Batch,
        part: slice,
        device: torch.device,
        dtype: torch.dtype,
    ) -> tuple[torch.Tensor, dict[str, torch.Tensor] | None]: ...


@dataclass(frozen=True)
class Conditioning:
    """How a family's U-Net is told what to draw."""

    encoders: tuple[str, ...]
    """The pipeline's names of its text encoders."""
    as_taught: Callable[[Base, str, Sequence[str]], str]
    """A text with these trigger words in it as the base is given it."""
    embed: Callable[[Any, str, str, int], PromptEmbeds]
    """Embeddings by a pipeline, of a prompt and a negative prompt, at a clip skip."""
    read: Callable[[Any, TrainingRecipe, Sequence[str]], Callable[[Sequence[str]], Captions]]
    """Reads these texts once; what it gives puts some of them together."""
    caption_scales: Callable[[Any, Drawn, int], torch.Tensor | None]
    """``Batch.caption_scales`` of a pipeline and pictures, by the training's seed."""
    condition: Condition
    time_ids: Callable[[GenerationRecipe], torch.Tensor | None]
    """Sizes of one picture, (1, 6)."""


@dataclass(frozen=True)
class UNetFamily:
    pipeline_class: Any
    load_pipeline: Callable[[Base, torch.dtype], Any]
    conditioning: Conditioning
    bytes_per_pixel: int
    """Memory that drawing takes beside the weights."""

    @property
    def training(self) -> loop.Family:
        return loop.Family(
            check=schedule.check,
            load=lambda base, recipe: load(self, base, recipe.quantization),
            place=lambda loaded, recipe: model_cache.upcast(loaded, *self.targets(recipe)),
            put_back=self.put_back,
            encode=unet_drawing.encoded,
            decode=unet_drawing.decoded,
            latent_shape=unet_drawing.latent_shape,
            prepare=partial(_prepare, self),
            targets=lambda recipe, _: self.targets(recipe),
            save_weights=self.pipeline_class.save_lora_weights,
        )

    @property
    def drawing(self) -> frame.Family:
        return frame.Family(
            check_scheduler=schedulers.check,
            load=partial(load, self),
            load_adapter=unet_adapters.load,
            placed=cpu_offload.model_offload,
            latent_shape=unet_drawing.latent_shape,
            batch_size=partial(pictures.batch_size, bytes_per_pixel=self.bytes_per_pixel),
            denoiser=partial(_denoiser, self.conditioning),
            decode=unet_drawing.decoded,
        )

    def targets(self, recipe: TrainingRecipe) -> dict[str, Sequence[str]]:
        """Ends of the names of the layers that an adapter acts on, by their model."""
        encoders = self.conditioning.encoders if recipe.train_text_encoder else ()
        return {"unet": lora.TARGETS[recipe.target_modules]} | dict.fromkeys(encoders, lora.TEXT_TARGETS)

    def put_back(self, loaded: Loaded, recipe: TrainingRecipe) -> None:
        model_cache.to_device(loaded, *model_cache.ENCODERS)
        model_cache.downcast(loaded, *self.targets(recipe))


# Training ---------------------------------------------------------------------------------------------------------


def _prepare(
    family: UNetFamily, loaded: Loaded, recipe: TrainingRecipe, texts: Sequence[str], progress: Progress
) -> loop.Prepared[Batch]:
    pipeline, unet, conditioning = loaded.pipeline, loaded.pipeline.unet, family.conditioning
    noise_schedule = losses.NoiseSchedule.of(pipeline.scheduler, recipe)
    taught = {text: conditioning.as_taught(loaded.base, text, [recipe.trigger_word]) for text in texts}
    read = conditioning.read(pipeline, recipe, list(taught.values()))
    targets = family.targets(recipe)
    device, dtype = unet.device, unet.dtype  # asked once: each answer is a walk through the whole model

    def embed(prompt: str) -> PromptEmbeds:
        return conditioning.embed(pipeline, taught[prompt], "", recipe.clip_skip)

    # Before the encoders leave the card; one with an adapter reads the prompt in its own way each time.
    drawn_prompts = [] if recipe.train_text_encoder else [*samples.prompts_of(recipe), recipe.class_prompt]
    embeds = {prompt: embed(prompt) for prompt in drawn_prompts}

    def denoise(
        prompt: str, noise: torch.Tensor, generators: list[torch.Generator], on_step: Callable[[], None]
    ) -> torch.Tensor:
        return _denoise(
            loaded,
            schedulers.DEFAULT,
            embeds[prompt] if prompt in embeds else embed(prompt),
            noise,
            generators,
            recipe.sample_steps,
            recipe.sample_guidance_scale,
            on_step,
        )

    def batch(drawn: Drawn, generator: torch.Generator) -> Batch:
        return Batch(
            noisy=noise_schedule.draw(drawn.clean, recipe.noise_offset, generator),
            captions=read([taught[caption] for caption in drawn.captions]),
            size_conditions=drawn.conditions,
            caption_scales=conditioning.caption_scales(pipeline, drawn, recipe.seed),
            weight=drawn.weight,
        )

    def loss(batch: Batch, part: slice) -> torch.Tensor:
        noisy, mask = batch.noisy, batch.captions.attention_mask
        with model_cache.autocast(device, dtype):
            embedding, added = conditioning.condition(pipeline, recipe, batch, part, device, dtype)
            prediction = unet(
                noisy.latents[part].to(device, dtype),
                noisy.timesteps[part].to(device),
                embedding,
                encoder_attention_mask=None if mask is None else mask[part].to(device),
                added_cond_kwargs=added,
                return_dict=False,
            )[0]
        return losses.weighted_mse(prediction, noisy.target[part].to(device), noisy.weights[part])

    return loop.Prepared(
        models={name: getattr(pipeline, name) for name in targets},
        targets=targets,
        dtype=dtype,
        batch=batch,
        loss=loss,
        denoise=denoise,
        before_steps=lambda: model_cache.offload(
            loaded, *(("vae",) if recipe.train_text_encoder else model_cache.ENCODERS)
        ),
    )


def joined(texts: Sequence[torch.Tensor], empty: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor | None]:
    """Pieces of several texts (n, limit, …) as (batch, n, limit, …), and what tells their own from those filled up."""
    return prompts.padded(texts, empty), prompts.padding_mask(texts, empty.shape[1])


# Drawing ----------------------------------------------------------------------------------------------------------


def _denoiser(
    conditioning: Conditioning, loaded: Loaded, recipe: GenerationRecipe, start: StartPicture | None
) -> Denoise:
    clean = None if start is None else unet_drawing.encoded(loaded, start.pixels)

    def denoise(noise: torch.Tensor, generators: list[torch.Generator], on_step: Callable[[], None]) -> torch.Tensor:
        # Here, where the adapters act with their strengths: one that trained the text encoder changes it too.
        asked = (recipe.prompt, recipe.negative_prompt, recipe.clip_skip)
        embeds = prompts.cached(loaded, asked, lambda: conditioning.embed(loaded.pipeline, *asked))
        if start is None or clean is None:
            return _denoise(
                loaded, recipe.scheduler, embeds, noise, generators, recipe.steps, recipe.guidance_scale, on_step
            )
        return unet_drawing.from_picture(
            loaded,
            schedulers.fresh(recipe.scheduler, loaded.pipeline.scheduler),
            start,
            clean,
            noise,
            generators,
            steps=recipe.steps,
            taken=steps_taken(recipe, True),
            guidance_scale=recipe.guidance_scale,
            embeds=embeds,
            time_ids=conditioning.time_ids(recipe),
            on_step=on_step,
        )

    return denoise


@torch.no_grad()
def _denoise(
    loaded: Loaded,
    scheduler: str,
    embeds: PromptEmbeds,
    noise: torch.Tensor,
    generators: list[torch.Generator],
    steps: int,
    guidance_scale: float,
    on_step: Callable[[], None],
) -> torch.Tensor:
    """Run the pipeline from ``noise`` (batch, channels, height, width) to clean latents of that shape.

    ``on_step`` is called after every denoise_schedule step and may raise to stop.
    """
    pipeline = loaded.pipeline
    own = pipeline.scheduler
    dtype = pipeline.unet.dtype
    given = {"prompt_embeds": embeds.prompt, "pooled_prompt_embeds": embeds.pooled}
    if guidance_scale > 1:
        given |= {"negative_prompt_embeds": embeds.negative, "negative_pooled_prompt_embeds": embeds.negative_pooled}

    def told(_pipeline: Any, _step: int, _timestep: Any, _tensors: dict[str, Any]) -> dict[str, Any]:
        on_step()
        return {}

    pipeline.scheduler = schedulers.fresh(scheduler, own)
    try:
        drawn: torch.Tensor = pipeline(
            **{
                name: one.to(loaded.device, dtype).expand(len(noise), *one.shape[1:])
                for name, one in given.items()
                if one is not None
            },
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


# The base model ---------------------------------------------------------------------------------------------------


def load(family: UNetFamily, base: Base, kind: Quantization = "none", offload: str | None = None) -> Loaded:
    """The base model, kept from the last job if it is the same; on the device unless the models take turns there.
    Raises ``EngineError`` (``model_unavailable``)."""
    by_blocks = offload == "blocks"
    loaded = model_cache.cached(base, partial(_fresh, family, kind, by_blocks), kind, by_blocks=by_blocks)
    if offload in (None, "none"):
        model_cache.to_device(loaded, *cpu_offload.IN_TURN)
    return loaded


def _fresh(family: UNetFamily, kind: Quantization, by_blocks: bool, base: Base) -> Loaded:
    device = model_cache.device()
    dtype = model_cache.best_dtype(device)
    pipeline = family.load_pipeline(base, dtype)
    pipeline.set_progress_bar_config(disable=True)
    quantization.quantize(pipeline.unet, kind, device, dtype)
    pipeline.vae.float()
    encoders = [getattr(pipeline, name) for name in family.conditioning.encoders]
    for model in (pipeline.vae, *encoders, pipeline.unet):
        model.requires_grad_(False).eval()
    halvings = len(pipeline.unet.config.block_out_channels) - 1
    multiple = pipeline.vae_scale_factor * 2**halvings
    loaded = Loaded(base, pipeline, device, dtype, multiple=multiple, quantization=kind)
    if by_blocks:
        cpu_offload.group_offload(loaded)
    return loaded
