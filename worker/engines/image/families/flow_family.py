"""Training and drawing with the flow families, FLUX.1 and FLUX.2: what they share.

What this module does not know: what is in the pictures; whether an adapter suits a prompt; how much memory another
process on the same card takes a moment later. A card must compute in bfloat16. On a CPU the same request gives the same
numbers again, with the same number of threads and the same libraries; on a card the same picture up to the card's own
rounding.
"""

import contextlib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, Protocol

import torch
from PIL import Image

from app.generations.recipe import GenerationRecipe
from app.trainings.look.recipe import Network, TrainingRecipe
from worker.engines.contracts import EngineError, Progress
from worker.engines.image.base import lora, model_cache, prompts
from worker.engines.image.base.model_cache import Loaded
from worker.engines.image.drawing import frame, pictures, schedulers
from worker.engines.image.drawing.pictures import Denoise
from worker.engines.image.drawing.start_picture import StartPicture, steps_taken
from worker.engines.image.families import flow, flow_models
from worker.engines.image.training import loop, losses, schedule
from worker.engines.image.training.batches import Drawn

BYTES_PER_PIXEL = 2048
"""Memory that drawing takes beside the weights, an estimate."""
Embeds = tuple[torch.Tensor, ...]
"""A prompt's embeddings by each text encoder, (1, …) or (batch, …)."""
Velocity = Callable[[torch.Tensor, torch.Tensor], torch.Tensor]
"""From latents in patches (batch, width, rows, columns) and their noise levels (batch,)."""


@dataclass(frozen=True)
class Batch:
    """Samples of one size, drawn once for a step; all (batch, …), on the CPU."""

    noisy: torch.Tensor
    """Latents in patches, like ``target``."""
    target: torch.Tensor
    levels: torch.Tensor
    """Noise levels in 0..1."""
    embeds: Embeds
    """With CLIP in training its tokens (batch, limit) in place of its pooled embeddings."""
    weight: float

    @property
    def count(self) -> int:
        return len(self.noisy)


class GuidedVelocity(Protocol):
    """The velocity for these embeddings, with what is to be kept away from where the family knows that; with
    ``reference`` (batch, width, rows, columns) the transformer also sees the whole picture."""

    def __call__(
        self,
        loaded: Loaded,
        embeds: Embeds,
        negative_embeds: Embeds | None,
        guidance: float,
        reference: torch.Tensor | None,
    ) -> Velocity: ...


@dataclass(frozen=True)
class Clip:
    """A CLIP text encoder that can be trained; its pooled embeddings come last in ``Embeds``."""

    tokens: Callable[[Any, str], torch.Tensor]
    """(1, limit), of a pipeline and a text."""
    pooled: Callable[[Any, torch.Tensor], torch.Tensor]
    """(batch, width) of a pipeline and tokens, with whatever acts on the encoder."""


@dataclass(frozen=True)
class FlowFamily:
    pipeline_class: Any
    encoders: tuple[str, ...]
    """The pipeline's names of its text encoders."""
    layers: Callable[[Network], Mapping[str, str]]
    """Patterns of whole names of the layers that an adapter may act on, by the recipe's name for them."""
    embed: Callable[[Loaded, str], Embeds]
    """Embeddings of a prompt, on the CPU."""
    velocity: Callable[[Any, torch.Tensor, torch.Tensor, Embeds], torch.Tensor]
    """As a training asks a transformer for it: latents in patches, noise levels, embeddings."""
    guided_velocity: GuidedVelocity
    knows_negative_prompts: bool
    mu: Callable[[Mapping[str, Any], int, int], float]
    """Logarithm of the shift for a scheduler's settings, a number of tokens and a number of steps."""
    latent_shape: Callable[[Loaded, int, int], tuple[int, int, int, int]]
    """Shape of the noise of one picture of this width and height."""
    patches: Callable[[torch.Tensor], torch.Tensor]
    """Such noise in patches."""
    encode: Callable[[Loaded, torch.Tensor], torch.Tensor]
    """Pixels (1, 3, height, width) as latents in patches on the CPU, scaled as the transformer wants them."""
    decode: Callable[[Loaded, torch.Tensor], Image.Image]
    """One picture from such latents."""
    clip: Clip | None = None

    @property
    def training(self) -> loop.Family:
        return loop.Family(
            check=partial(_check, self),
            load=lambda base, recipe: flow_models.load(
                self.pipeline_class, base, recipe.quantization, flow_models.BLOCK_SWAP if recipe.block_offload else None
            ),
            place=lambda loaded, _: flow_models.settle(loaded),
            put_back=lambda loaded, _: flow_models.settle(loaded),
            encode=self.encode,
            decode=self.decode,
            latent_shape=self.latent_shape,
            prepare=partial(_prepare, self),
            targets=_targets,
            save_weights=self.pipeline_class.save_lora_weights,
        )

    @property
    def drawing(self) -> frame.Family:
        return frame.Family(
            check_scheduler=schedulers.check_flow,
            load=partial(flow_models.load, self.pipeline_class),
            load_adapter=flow_models.load_adapter,
            placed=_settled,
            latent_shape=self.latent_shape,
            batch_size=partial(pictures.batch_size, bytes_per_pixel=BYTES_PER_PIXEL),
            denoiser=partial(_denoiser, self),
            decode=self.decode,
        )

    def prompt_embeds(self, loaded: Loaded, prompt: str) -> Embeds:
        """``embed``, cached beside the base."""
        return prompts.cached(loaded, (prompt,), lambda: self.embed(loaded, prompt))


# Training ---------------------------------------------------------------------------------------------------------


def _check(family: FlowFamily, recipe: TrainingRecipe) -> None:
    schedule.check(recipe, can_offload=True)
    if recipe.train_text_encoder and family.clip is None:
        raise EngineError(
            "bad_order", "The text encoders of this base model are not trained. Switch that off and start again."
        )


def _targets(recipe: TrainingRecipe, adapter: Iterable[str]) -> dict[str, Sequence[str]]:
    of_transformer = [name for name in adapter if name.startswith("transformer.")]
    targets: dict[str, Sequence[str]] = {"transformer": flow_models.layers_in(of_transformer)}
    return targets | ({"text_encoder": lora.TEXT_TARGETS} if recipe.train_text_encoder else {})


def _prepare(
    family: FlowFamily, loaded: Loaded, recipe: TrainingRecipe, texts: Sequence[str], progress: Progress
) -> loop.Prepared[Batch]:
    pipeline, transformer = loaded.pipeline, loaded.pipeline.transformer
    models = {"transformer": transformer}
    targets: dict[str, Sequence[str]] = {
        "transformer": flow_models.layers_of(transformer, family.layers(recipe.network), recipe.target_modules)
    }
    embeds = _embedded(family, loaded, texts, progress)
    trained_clip = family.clip if recipe.train_text_encoder else None
    # All that they are needed for is cached, but for the decoding of samples and a CLIP in training.
    model_cache.offload(loaded, *(one for one in model_cache.ENCODERS if one != "text_encoder" or not trained_clip))
    if trained_clip:
        models["text_encoder"], targets["text_encoder"] = pipeline.text_encoder, list(lora.TEXT_TARGETS)
        embeds = {text: (*read[:-1], trained_clip.tokens(pipeline, text)) for text, read in embeds.items()}
        model_cache.to_device(loaded, "text_encoder")

    def denoise(
        prompt: str, noise: torch.Tensor, _: list[torch.Generator], on_step: Callable[[], None]
    ) -> torch.Tensor:
        *read, last = embeds[prompt]
        if trained_clip:
            with torch.no_grad():
                last = trained_clip.pooled(pipeline, last).cpu()
        return _denoise(
            family,
            loaded,
            schedulers.DEFAULT,
            (*read, last),
            embeds[""] if family.knows_negative_prompts else None,
            noise,
            recipe.sample_steps,
            recipe.sample_guidance_scale,
            on_step,
        )

    def loss(batch: Batch, part: slice) -> torch.Tensor:
        *read, last = (one[part].to(loaded.device) for one in batch.embeds)
        with model_cache.autocast(loaded.device, loaded.dtype):
            if trained_clip:
                last = trained_clip.pooled(pipeline, last)
            predicted = family.velocity(
                transformer,
                batch.noisy[part].to(loaded.device, loaded.dtype),
                batch.levels[part].to(loaded.device),
                tuple(one.to(loaded.dtype) for one in (*read, last)),
            )
        return losses.weighted_mse(predicted, batch.target[part].to(loaded.device), torch.ones(len(predicted)))

    return loop.Prepared(
        models=models,
        targets=targets,
        dtype=loaded.dtype,
        batch=lambda drawn, generator: _batch(drawn, embeds, pipeline.scheduler, recipe, generator),
        loss=loss,
        denoise=denoise,
        before_steps=lambda: model_cache.to_device(loaded, "transformer"),
    )


def _embedded(family: FlowFamily, loaded: Loaded, texts: Sequence[str], progress: Progress) -> dict[str, Embeds]:
    """Embeddings of each distinct text; the encoders are moved to the device once for all."""
    found = {}
    with flow_models.on_device(loaded, *family.encoders):
        for text in dict.fromkeys(texts):
            progress.phase("caching")
            found[text] = family.prompt_embeds(loaded, text)
    return found


def _batch(
    drawn: Drawn, embeds: Mapping[str, Embeds], scheduler: Any, recipe: TrainingRecipe, generator: torch.Generator
) -> Batch:
    """The pictures with noise on them, from ``generator``, and their captions."""
    clean = drawn.clean
    noise = torch.randn(clean.shape, generator=generator)
    own_shift = flow.shift_of(scheduler, clean.shape[2] * clean.shape[3])
    levels = flow.noise_levels(recipe, len(clean), own_shift, generator)
    return Batch(
        noisy=flow.add_noise(clean, noise, levels),
        target=losses.target("flow", clean, noise, levels),
        levels=levels,
        embeds=tuple(torch.cat(one) for one in zip(*(embeds[caption] for caption in drawn.captions), strict=True)),
        weight=drawn.weight,
    )


# Drawing ----------------------------------------------------------------------------------------------------------


@contextlib.contextmanager
def _settled(loaded: Loaded) -> Iterator[None]:
    flow_models.settle(loaded)
    yield


def _denoiser(family: FlowFamily, loaded: Loaded, recipe: GenerationRecipe, start: StartPicture | None) -> Denoise:
    picture = None if start is None else family.encode(loaded, start.pixels)
    mask = None if start is None or picture is None else start.inpaint_mask(*picture.shape[2:])

    def denoise(noise: torch.Tensor, _: list[torch.Generator], on_step: Callable[[], None]) -> torch.Tensor:
        # Here, where the adapters act with their strengths: one that changes a text encoder changes embeddings too.
        negative = family.prompt_embeds(loaded, recipe.negative_prompt) if family.knows_negative_prompts else None
        return _denoise(
            family,
            loaded,
            recipe.scheduler,
            family.prompt_embeds(loaded, recipe.prompt),
            negative,
            noise,
            recipe.steps,
            recipe.guidance_scale,
            on_step,
            taken=steps_taken(recipe, start is not None),
            picture=picture,
            inpaint_mask=mask,
        )

    return denoise


def _denoise(
    family: FlowFamily,
    loaded: Loaded,
    scheduler: str,
    embeds: Embeds,
    negative_embeds: Embeds | None,
    noise: torch.Tensor,
    steps: int,
    guidance: float,
    on_step: Callable[[], None],
    *,
    taken: int | None = None,
    picture: torch.Tensor | None = None,
    inpaint_mask: torch.Tensor | None = None,
) -> torch.Tensor:
    """From ``noise`` (batch, …) to clean latents in patches, on the device; see ``flow.denoise`` for the rest."""
    device, dtype, own = loaded.device, loaded.dtype, loaded.pipeline.scheduler
    model_cache.to_device(loaded, "transformer")
    start = family.patches(noise).to(device)
    mu = family.mu(own.config, start.shape[2] * start.shape[3], steps)

    def repeated(one: torch.Tensor) -> torch.Tensor:
        return one.to(device, dtype).expand(len(noise), *one.shape[1:])

    picture = None if picture is None else picture.to(device)
    answer = family.guided_velocity(
        loaded,
        tuple(map(repeated, embeds)),
        None if negative_embeds is None else tuple(map(repeated, negative_embeds)),
        guidance,
        None if picture is None or inpaint_mask is None else repeated(picture),
    )

    def velocity(latents: torch.Tensor, levels: torch.Tensor) -> torch.Tensor:
        with model_cache.autocast(device, dtype):
            return answer(latents.to(dtype), levels)

    return flow.denoise(
        schedulers.flow(scheduler, own, steps, mu, device),
        start,
        velocity,
        on_step,
        taken=taken,
        picture=picture,
        inpaint_mask=None if inpaint_mask is None else inpaint_mask.to(device),
    )
