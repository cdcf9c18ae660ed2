"""The family of FLUX.2 [klein]: one transformer of image and text tokens, Qwen3 as text encoder, one autoencoder whose
latents are normalised patch by patch.

The base checkpoints are not distilled: they are drawn with guidance, which costs a second pass, and know a negative
prompt. The distilled ones are drawn in four steps without it; an adapter of the base works on them too, so the base is
the one to train.

What this module does not know: what is in the pictures; whether an adapter suits a prompt; how much memory another
process on the same card takes a moment later. It trains the transformer alone, never the text encoder. In half of its
blocks attention and feed-forward share their layers, so "attention" trains these whole. Texts are cut at 512 tokens. A
card must compute in bfloat16. On a CPU the same order gives the same numbers again, with the same number of threads and
the same libraries; on a card the same picture up to the card's own rounding.
"""

import contextlib
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import torch
from diffusers import Flux2KleinPipeline
from diffusers.pipelines.flux2.pipeline_flux2_klein import compute_empirical_mu
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
from worker.engines.image.base import autoencoder, cpu_offload, hot_swap, model_cache, prompts
from worker.engines.image.base.model_cache import Loaded
from worker.engines.image.drawing import pictures as drawing
from worker.engines.image.drawing import schedulers, start_picture
from worker.engines.image.families import flow
from worker.engines.image.training import batches, class_images, latents, losses, samples
from worker.engines.image.training import schedule as orders
from worker.engines.image.training.learning import Learning

ATTENTION = (
    r"transformer_blocks\.\d+\.attn\.(to_[qkv]|to_out\.0|add_[qkv]_proj|to_add_out)"
    r"|single_transformer_blocks\.\d+\.attn\.(to_qkv_mlp_proj|to_out)"
)
FEED_FORWARD = r"transformer_blocks\.\d+\.ff(_context)?\.linear_(in|out)"
TRAINED = {
    "attention": ATTENTION,
    "attention_and_feed_forward": f"{ATTENTION}|{FEED_FORWARD}",
    "all_layers": r"(single_)?transformer_blocks\..+",
}
"""Whole names of the layers that an adapter may act on, by the recipe's name for them."""


REFERENCE = 10
"""Where the base looks for a picture to keep to, on the first axis of its positions; the picture it draws is at 0."""


@dataclass(frozen=True)
class _Batch:
    """Samples of one size, drawn once for a step; all (batch, …), on the CPU."""

    noisy: torch.Tensor
    """Latents in patches, like ``wanted``."""
    wanted: torch.Tensor
    levels: torch.Tensor
    """Noise levels in 0..1."""
    words: torch.Tensor
    """Qwen3's embeddings, (batch, tokens, width)."""
    share: float

    @property
    def count(self) -> int:
        return len(self.noisy)


# Training ---------------------------------------------------------------------------------------------------------


def train(recipe: TrainingRecipe, inputs: TrainingInputs, out: Path, progress: Progress) -> TrainedAdapter:
    """Train one adapter of the transformer; writes ``adapter.safetensors``, ``samples/`` and ``checkpoints/`` under
    ``out``.

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


def _train(recipe: TrainingRecipe, inputs: TrainingInputs, out: Path, progress: Progress) -> TrainedAdapter:
    flow.check(recipe)
    learning = Learning(recipe, inputs, out, progress)
    loaded: Loaded | None = None

    def result(finished: bool) -> TrainedAdapter:
        targets = {"transformer": flow.layers_in(learning.adapter())}
        return learning.result(finished=finished, targets=targets, save_weights=Flux2KleinPipeline.save_lora_weights)

    try:
        progress.phase("loading")
        loaded = _load(inputs.base, recipe.quantization, "waiting" if recipe.block_offload else None)
        flow.settle(loaded)
        hot_swap.forget(loaded)
        pipeline, transformer = loaded.pipeline, loaded.pipeline.transformer
        layers = flow.layers_of(transformer, TRAINED, recipe.target_modules)

        progress.phase("caching")
        pictures = latents.cached(loaded, recipe, inputs, progress, partial(_encode, loaded))
        texts = [*latents.texts_of(pictures), recipe.class_prompt, "", *samples.prompts_of(recipe)]
        words = _embedded(loaded, texts, progress)
        # Everything that they are needed for is cached, but for the decoding of samples.
        model_cache.rest(loaded, *model_cache.ENCODERS)

        def noise_from(generator: torch.Generator) -> torch.Tensor:
            side = samples.side_of(recipe, loaded)
            return torch.randn(_latent_shape(loaded, side, side), generator=generator)

        def draw_sample(_: int, prompt: str, generator: torch.Generator) -> torch.Tensor:
            noise = noise_from(generator)
            return _draw(loaded, recipe, words[prompt], words[""], noise, lambda: progress.phase("sampling"))

        def draw_class(generators: list[torch.Generator]) -> torch.Tensor:
            noise = torch.cat([noise_from(generator) for generator in generators])
            return _draw(
                loaded, recipe, words[recipe.class_prompt], words[""], noise, lambda: progress.phase("caching")
            )

        def draw_samples() -> None:
            samples.draw(loaded, recipe, learning, out, progress, draw_sample, partial(_decode, loaded))

        if learning.is_new:
            draw_samples()
        class_latents = class_images.cached(recipe, learning, draw_class)

        model_cache.wake(loaded, "transformer")
        learning.begin({"transformer": transformer}, {"transformer": layers}, loaded.dtype)
        if not learning.is_new and not learning.sampled and orders.checkpoint_is_due(recipe, learning.step):
            draw_samples()  # given back between the step and its samples

        def loss_of(batch: _Batch, part: slice) -> torch.Tensor:
            with model_cache.autocast(loaded.device, loaded.dtype):
                predicted = _velocity(
                    transformer,
                    batch.noisy[part].to(loaded.device, loaded.dtype),
                    batch.levels[part].to(loaded.device),
                    batch.words[part].to(loaded.device, loaded.dtype),
                )
            return losses.weighted_mse(predicted, batch.wanted[part].to(loaded.device), torch.ones(len(predicted)))

        progress.phase("training")
        while learning.step < recipe.steps:
            began = time.perf_counter()
            step = [
                _batch(drawn, words, pipeline.scheduler, recipe, learning.generator)
                for drawn in batches.of_step(pictures, class_latents, recipe, learning)
            ]
            learning.update(learning.gradient(step, loss_of), began)

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
            model_cache.put_back(loaded, partial(hot_swap.forget, loaded), partial(flow.settle, loaded))


def _batch(
    drawn: batches.Drawn,
    words: Mapping[str, torch.Tensor],
    scheduler: Any,
    recipe: TrainingRecipe,
    generator: torch.Generator,
) -> _Batch:
    """The pictures with noise on them, from ``generator``, and their captions."""
    clean = drawn.clean
    noise = torch.randn(clean.shape, generator=generator)
    own_shift = flow.shift_of(scheduler, clean.shape[2] * clean.shape[3])
    levels = flow.noise_levels(recipe, len(clean), own_shift, generator)
    return _Batch(
        noisy=flow.add_noise(clean, noise, levels),
        wanted=losses.target("flow", clean, noise, levels),
        levels=levels,
        words=torch.cat([words[caption] for caption in drawn.captions]),
        share=drawn.share,
    )


def _draw(
    loaded: Loaded,
    recipe: TrainingRecipe,
    words: torch.Tensor,
    against: torch.Tensor,
    noise: torch.Tensor,
    on_step: Callable[[], None],
) -> torch.Tensor:
    """Clean latents as a training draws its samples and the pictures of its class."""
    return _denoise(
        loaded,
        schedulers.DEFAULT,
        words,
        against,
        noise,
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
    variations; a variation's ``seed`` is that of the noise it was turned towards. Files are ``picture-<i>.png``. On
    ``Cancelled`` the pictures that are complete have been yielded and the iterator ends; ``GiveBack`` goes through.

    Raises ``EngineError``: ``bad_size``, ``bad_order``, ``bad_picture``, ``unknown_scheduler``, ``adapter_mismatch``,
    ``adapter_unreadable``, ``out_of_memory``, ``model_unavailable``, ``model_unsupported``.
    """
    with memory.out_of_memory_in_words(model_cache.device(), orders.DRAW_SMALLER), contextlib.suppress(Cancelled):
        drawing.check_order(recipe)
        out.mkdir(parents=True, exist_ok=True)
        progress.phase("loading")
        schedulers.check_flow(recipe.scheduler)
        start = start_picture.start_picture(recipe, inputs)
        loaded = _load(inputs.base, recipe.quantization or "none", inputs.offload)
        model_cache.check_size(loaded, recipe.width, recipe.height)
        names = [hot_swap.name_of(loaded, one, inputs.adapters, flow.load_adapter) for one in inputs.adapters]
        with cpu_offload.planned(loaded, inputs):
            flow.settle(loaded)
            shape = _latent_shape(loaded, recipe.width, recipe.height)
            taken = start_picture.steps_taken(recipe, start is not None)
            picture = None if start is None else _encode(loaded, start.pixels)
            anew = None if start is None else start.anew(*shape[2:])

            def denoise(noise: torch.Tensor, _: list[torch.Generator], on_step: Callable[[], None]) -> torch.Tensor:
                return _denoise(
                    loaded,
                    recipe.scheduler,
                    _words(loaded, recipe.prompt),
                    _words(loaded, recipe.negative_prompt),
                    noise,
                    recipe.steps,
                    recipe.guidance_scale,
                    on_step,
                    taken=taken,
                    picture=picture,
                    anew=anew,
                )

            def decode(drawn: torch.Tensor) -> Image.Image:
                image = _decode(loaded, drawn)
                return image if start is None else start.put_back(image)

            yield from drawing.pictures(
                loaded,
                recipe,
                inputs,
                names,
                out,
                progress,
                shape=shape,
                steps=taken,
                batch_size=inputs.at_once or flow.batch_size(loaded, recipe.width, recipe.height),
                denoise=denoise,
                decode=decode,
            )


def _denoise(
    loaded: Loaded,
    scheduler: str,
    words: torch.Tensor,
    against: torch.Tensor,
    noise: torch.Tensor,
    steps: int,
    guidance: float,
    on_step: Callable[[], None],
    *,
    taken: int | None = None,
    picture: torch.Tensor | None = None,
    anew: torch.Tensor | None = None,
) -> torch.Tensor:
    """From ``noise`` in patches (batch, width, rows, columns) to clean latents, on the device; see ``flow.denoise`` for
    the rest. ``against`` are the words to keep away from, where there is guidance.

    With ``anew`` the base also looks at the whole picture, as it was trained to when it edits one.
    """
    transformer, device, dtype = loaded.pipeline.transformer, loaded.device, loaded.dtype
    model_cache.wake(loaded, "transformer")
    guided = guidance > 1 and not loaded.pipeline.config.is_distilled
    said, unsaid = (one.to(device, dtype).expand(len(noise), -1, -1) for one in (words, against))
    own = loaded.pipeline.scheduler
    mu = compute_empirical_mu(noise.shape[2] * noise.shape[3], steps)
    seen = None
    if picture is not None:
        picture = picture.to(device)
        seen = None if anew is None else picture.to(dtype).expand(len(noise), -1, -1, -1)

    def velocity(latents: torch.Tensor, levels: torch.Tensor) -> torch.Tensor:
        latents = latents.to(dtype)
        with model_cache.autocast(device, dtype):
            answer = _velocity(transformer, latents, levels, said, seen)
            if guided:
                other = _velocity(transformer, latents, levels, unsaid, seen)
                answer = other + guidance * (answer - other)
        return answer

    return flow.denoise(
        schedulers.flow(scheduler, own, steps, mu, device),
        noise.to(device),
        velocity,
        on_step,
        taken=taken,
        picture=picture,
        anew=None if anew is None else anew.to(device),
    )


def _velocity(
    transformer: Any,
    latents: torch.Tensor,
    levels: torch.Tensor,
    words: torch.Tensor,
    seen: torch.Tensor | None = None,
) -> torch.Tensor:
    """What the transformer answers for latents in patches (batch, width, rows, columns), of that shape; ``seen`` are
    those of a picture to keep to."""
    sequence, places = flow.tokens(latents), _places(latents, 0)
    if seen is not None:
        sequence = torch.cat([sequence, flow.tokens(seen)], dim=1)
        places = torch.cat([places, _places(seen, REFERENCE)])
    order = torch.zeros(words.shape[1], 4, device=words.device)
    order[:, 3] = torch.arange(words.shape[1], device=words.device)
    answer = transformer(
        hidden_states=sequence,
        timestep=levels.to(latents.dtype),
        guidance=None,
        encoder_hidden_states=words,
        txt_ids=order,
        img_ids=places,
        return_dict=False,
    )[0]
    return flow.from_tokens(answer[:, : latents.shape[2] * latents.shape[3]], latents)


def _places(latents: torch.Tensor, first: int) -> torch.Tensor:
    """Positions (rows · columns, 4): ``first``, row, column, 0."""
    rows, columns = latents.shape[2:]
    places = torch.zeros(rows, columns, 4, device=latents.device)
    places[..., 0] = first
    places[..., 1] = torch.arange(rows, device=latents.device)[:, None]
    places[..., 2] = torch.arange(columns, device=latents.device)[None]
    return places.flatten(0, 1)


# Words and pictures -----------------------------------------------------------------------------------------------


def _words(loaded: Loaded, prompt: str) -> torch.Tensor:
    """Qwen3's embedding of a prompt (1, tokens, width) on the CPU."""
    return prompts.remembered(loaded, (prompt,), lambda: _embed(loaded, prompt))


@torch.no_grad()
def _embed(loaded: Loaded, prompt: str) -> torch.Tensor:
    pipeline = loaded.pipeline
    with flow.awake(loaded, "text_encoder"):
        return pipeline.encode_prompt(prompt, device=pipeline.text_encoder.device)[0].cpu()


def _embedded(loaded: Loaded, texts: Sequence[str], progress: Progress) -> dict[str, torch.Tensor]:
    """``_words`` of each distinct text; the encoder is moved to the device once for all."""
    found = {}
    with flow.awake(loaded, "text_encoder"):
        for text in dict.fromkeys(texts):
            progress.phase("caching")
            found[text] = _words(loaded, text)
    return found


@torch.no_grad()
def _encode(loaded: Loaded, pixels: torch.Tensor) -> torch.Tensor:
    """Pixels (1, 3, height, width) as latents in patches on the CPU, normalised as the transformer wants them."""
    vae = loaded.pipeline.vae
    with flow.awake(loaded, "vae"):
        latents = flow.patches(autoencoder.encode(loaded, pixels))
        mean, spread = _normal(vae)
        return ((latents - mean) / spread).cpu()


@torch.no_grad()
def _decode(loaded: Loaded, latents: torch.Tensor) -> Image.Image:
    """One picture from latents in patches (1, width, rows, columns)."""
    vae = loaded.pipeline.vae
    with flow.awake(loaded, "vae"):
        mean, spread = _normal(vae)
        pixels = autoencoder.decode(loaded, flow.from_patches(latents.float().to(vae.device) * spread + mean))
    return loaded.pipeline.image_processor.postprocess(pixels.float(), output_type="pil")[0]


def _normal(vae: Any) -> tuple[torch.Tensor, torch.Tensor]:
    """Mean and spread of the autoencoder's patches, (1, width, 1, 1)."""
    mean = vae.bn.running_mean.view(1, -1, 1, 1)
    return mean, torch.sqrt(vae.bn.running_var.view(1, -1, 1, 1) + vae.config.batch_norm_eps)


def _latent_shape(loaded: Loaded, width: int, height: int) -> tuple[int, int, int, int]:
    return 1, loaded.pipeline.transformer.config.in_channels, height // loaded.multiple, width // loaded.multiple


# The base model ---------------------------------------------------------------------------------------------------


def _load(base: Base, quantization: Quantization, offload: str | None = None) -> Loaded:
    """The base model, kept from the last job if it is the same; ``flow.settle`` brings it to the device.

    Raises ``EngineError``: ``model_unavailable``, ``model_unsupported``.
    """
    load = partial(flow.fresh, Flux2KleinPipeline, quantization, offload)
    return model_cache.kept(base, load, quantization, by_blocks=offload == "blocks", waits=offload == "waiting")


def drop_loaded() -> None:
    """Forget the base model kept between jobs, and give its memory back."""
    model_cache.drop()
