"""The family of FLUX.1: one transformer of image and text tokens, CLIP and T5 as text encoders, one autoencoder.

[dev] was distilled with its guidance as an input, so that one pass draws what guidance would: it is trained with a
guidance of 1 and drawn with the one asked for. [schnell] was distilled to about four steps and has no such input; it
is trained all the same way, but what it learned of drawing in four steps wears off a little with every step.

What this module does not know: what is in the pictures; whether an adapter suits a prompt; how much memory another
process on the same card takes a moment later. It trains the transformer and if asked CLIP, never T5, and knows no
negative prompt, because the base has no use for one. CLIP reads the first 77 tokens of a text, T5 the first 512 (256
for [schnell]). A card must compute in bfloat16. On a CPU the same order gives the same numbers again, with the same
number of threads and the same libraries; on a card the same picture up to the card's own rounding.
"""

import contextlib
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import torch
from diffusers import FluxPipeline
from PIL import Image

from app.generations.recipe import GenerationRecipe
from app.trainings.look.recipe import Network, Quantization, TrainingRecipe
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
from worker.engines.image.base import autoencoder, cpu_offload, hot_swap, lora, model_cache, prompts
from worker.engines.image.base.model_cache import Loaded
from worker.engines.image.drawing import pictures as drawing
from worker.engines.image.drawing import schedulers, start_picture
from worker.engines.image.families import flow
from worker.engines.image.training import batches, class_images, latents, losses, samples
from worker.engines.image.training import schedule as orders
from worker.engines.image.training.learning import Learning

ENCODERS = ("text_encoder", "text_encoder_2")
ATTENTION = r"(single_)?transformer_blocks\.\d+\.attn\.(to_[qkv]|to_out\.0|add_[qkv]_proj|to_add_out)"
FEED_FORWARD = (
    r"transformer_blocks\.\d+\.ff(_context)?\.net\.(0\.proj|2)|single_transformer_blocks\.\d+\.proj_(mlp|out)"
)
TRAINED = {
    "attention": ATTENTION,
    "attention_and_feed_forward": f"{ATTENTION}|{FEED_FORWARD}",
    "all_layers": r"(single_)?transformer_blocks\..+",
}
"""Whole names of the layers that an adapter may act on, by the recipe's name for them."""


WHOLE_FOR_DORA = r"|single_transformer_blocks\.\d+\.proj_mlp"
"""What a DoRA of the attention takes along. Most programs hold a single block's q, k, v and the way into its
feed-forward as one layer, and DoRA's lengths are those of whole rows: lengths of the attention's rows alone have no
place in such a file."""


def trained_by(network: Network) -> dict[str, str]:
    """``TRAINED``, as far as this kind of adapter can have it."""
    return TRAINED | {"attention": f"{ATTENTION}{WHOLE_FOR_DORA if network == 'dora' else ''}"}


Words = tuple[torch.Tensor, torch.Tensor]
"""T5's embedding (batch, tokens, width) and CLIP's sentence vector (batch, width)."""


@dataclass(frozen=True)
class _Batch:
    """Samples of one size, drawn once for a step; all (batch, …), on the CPU."""

    noisy: torch.Tensor
    """Latents in patches, like ``wanted``."""
    wanted: torch.Tensor
    levels: torch.Tensor
    """Noise levels in 0..1."""
    words: Words
    """With CLIP in training its tokens (batch, limit) in place of its sentence vectors."""
    share: float

    @property
    def count(self) -> int:
        return len(self.noisy)


# Training ---------------------------------------------------------------------------------------------------------


def train(recipe: TrainingRecipe, inputs: TrainingInputs, out: Path, progress: Progress) -> TrainedAdapter:
    """Train one adapter of the transformer, and if asked of CLIP; writes ``adapter.safetensors``, ``samples/`` and
    ``checkpoints/`` under ``out``.

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
    flow.check(recipe, has_clip=True)
    learning = Learning(recipe, inputs, out, progress)
    loaded: Loaded | None = None

    def result(finished: bool) -> TrainedAdapter:
        of_transformer = [name for name in learning.adapter() if name.startswith("transformer.")]
        targets: dict[str, Sequence[str]] = {"transformer": flow.layers_in(of_transformer)}
        if recipe.train_text_encoder:
            targets["text_encoder"] = lora.TEXT_TARGETS
        return learning.result(finished=finished, targets=targets, save_weights=FluxPipeline.save_lora_weights)

    try:
        progress.phase("loading")
        loaded = _load(inputs.base, recipe.quantization, "waiting" if recipe.block_offload else None)
        flow.settle(loaded)
        hot_swap.forget(loaded)
        pipeline, transformer = loaded.pipeline, loaded.pipeline.transformer
        layers = flow.layers_of(transformer, trained_by(recipe.network), recipe.target_modules)

        progress.phase("caching")
        pictures = latents.cached(loaded, recipe, inputs, progress, partial(_encode, loaded))
        texts = [*latents.texts_of(pictures), recipe.class_prompt, "", *samples.prompts_of(recipe)]
        words = _embedded(loaded, texts, progress)
        # What CLIP's adapter is to change is read anew in every step.
        read = {text: (said, _tokens(pipeline, text)) for text, (said, _) in words.items()}
        asked = read if recipe.train_text_encoder else words
        # All that they are needed for is cached, but for the decoding of samples.
        model_cache.rest(
            loaded, *(one for one in model_cache.ENCODERS if one != "text_encoder" or not recipe.train_text_encoder)
        )
        if recipe.train_text_encoder:
            model_cache.wake(loaded, "text_encoder")

        def words_now(text: str) -> Words:
            if not recipe.train_text_encoder or not learning.has_begun:
                return words[text]
            said, tokens = read[text]
            with torch.no_grad():
                return said, _sentence(pipeline, tokens).cpu()

        def noise_from(generator: torch.Generator) -> torch.Tensor:
            side = samples.side_of(recipe, loaded)
            return torch.randn(_latent_shape(loaded, side, side), generator=generator)

        def draw_sample(_: int, prompt: str, generator: torch.Generator) -> torch.Tensor:
            noise = noise_from(generator)
            return _draw(loaded, recipe, words_now(prompt), noise, lambda: progress.phase("sampling"))

        def draw_class(generators: list[torch.Generator]) -> torch.Tensor:
            noise = torch.cat([noise_from(generator) for generator in generators])
            return _draw(loaded, recipe, words[recipe.class_prompt], noise, lambda: progress.phase("caching"))

        def draw_samples() -> None:
            samples.draw(loaded, recipe, learning, out, progress, draw_sample, partial(_decode, loaded))

        if learning.is_new:
            draw_samples()
        class_latents = class_images.cached(recipe, learning, draw_class)

        model_cache.wake(loaded, "transformer")
        models, targets = {"transformer": transformer}, {"transformer": layers}
        if recipe.train_text_encoder:
            models["text_encoder"], targets["text_encoder"] = pipeline.text_encoder, list(lora.TEXT_TARGETS)
        learning.begin(models, targets, loaded.dtype)
        if not learning.is_new and not learning.sampled and orders.checkpoint_is_due(recipe, learning.step):
            draw_samples()  # given back between the step and its samples

        def loss_of(batch: _Batch, part: slice) -> torch.Tensor:
            said, sentence = (tensor[part].to(loaded.device) for tensor in batch.words)
            with model_cache.autocast(loaded.device, loaded.dtype):
                if recipe.train_text_encoder:
                    sentence = _sentence(pipeline, sentence)
                predicted = _velocity(
                    transformer,
                    batch.noisy[part].to(loaded.device, loaded.dtype),
                    batch.levels[part].to(loaded.device),
                    (said.to(loaded.dtype), sentence.to(loaded.dtype)),
                    guidance=1.0,
                )
            return losses.weighted_mse(predicted, batch.wanted[part].to(loaded.device), torch.ones(len(predicted)))

        progress.phase("training")
        while learning.step < recipe.steps:
            began = time.perf_counter()
            step = [
                _batch(drawn, asked, pipeline.scheduler, recipe, learning.generator)
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
    words: Mapping[str, Words],
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
        words=tuple(torch.cat(one) for one in zip(*(words[caption] for caption in drawn.captions), strict=True)),
        share=drawn.share,
    )


def _draw(
    loaded: Loaded, recipe: TrainingRecipe, words: Words, noise: torch.Tensor, on_step: Callable[[], None]
) -> torch.Tensor:
    """Clean latents as a training draws its samples and the pictures of its class."""
    return _denoise(
        loaded,
        schedulers.DEFAULT,
        words,
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
            anew = None if start is None else start.anew(shape[2] // 2, shape[3] // 2)

            def denoise(noise: torch.Tensor, _: list[torch.Generator], on_step: Callable[[], None]) -> torch.Tensor:
                # Here, where the adapters act with their strengths: one that changes a text encoder changes words too.
                words = _words(loaded, recipe.prompt)
                return _denoise(
                    loaded,
                    recipe.scheduler,
                    words,
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
    words: Words,
    noise: torch.Tensor,
    steps: int,
    guidance: float,
    on_step: Callable[[], None],
    *,
    taken: int | None = None,
    picture: torch.Tensor | None = None,
    anew: torch.Tensor | None = None,
) -> torch.Tensor:
    """From ``noise`` (batch, channels, height, width) to clean latents in patches, on the device; see ``flow.denoise``
    for the rest."""
    transformer, device, dtype = loaded.pipeline.transformer, loaded.device, loaded.dtype
    model_cache.wake(loaded, "transformer")
    said = tuple(one.to(device, dtype).expand(len(noise), *one.shape[1:]) for one in words)
    own = loaded.pipeline.scheduler
    mu = flow.straight_mu(own.config, noise.shape[2] * noise.shape[3] // 4)

    def velocity(latents: torch.Tensor, levels: torch.Tensor) -> torch.Tensor:
        with model_cache.autocast(device, dtype):
            return _velocity(transformer, latents.to(dtype), levels, said, guidance)

    return flow.denoise(
        schedulers.flow(scheduler, own, steps, mu, device),
        flow.patches(noise).to(device),
        velocity,
        on_step,
        taken=taken,
        picture=None if picture is None else picture.to(device),
        anew=None if anew is None else anew.to(device),
    )


def _velocity(
    transformer: Any,
    latents: torch.Tensor,
    levels: torch.Tensor,
    words: Words,
    guidance: float,
) -> torch.Tensor:
    """What the transformer answers for latents in patches (batch, width, rows, columns), of that shape."""
    said, sentence = words
    rows, columns = latents.shape[2:]
    places = torch.zeros(rows, columns, 3, device=latents.device)
    places[..., 1] = torch.arange(rows, device=latents.device)[:, None]
    places[..., 2] = torch.arange(columns, device=latents.device)[None]
    answer = transformer(
        hidden_states=flow.tokens(latents),
        timestep=levels.to(latents.dtype),
        guidance=torch.full_like(levels, guidance, dtype=torch.float32) if transformer.config.guidance_embeds else None,
        pooled_projections=sentence,
        encoder_hidden_states=said,
        txt_ids=torch.zeros(said.shape[1], 3, device=latents.device),
        img_ids=places.flatten(0, 1),
        return_dict=False,
    )[0]
    return flow.from_tokens(answer, latents)


# Words and pictures -----------------------------------------------------------------------------------------------


def _words(loaded: Loaded, prompt: str) -> Words:
    """T5's embedding (1, tokens, width) and CLIP's sentence vector (1, width) of a prompt, on the CPU."""
    return prompts.remembered(loaded, (prompt,), lambda: _embed(loaded, prompt))


@torch.no_grad()
def _embed(loaded: Loaded, prompt: str) -> Words:
    pipeline = loaded.pipeline
    # What the authors set; [schnell] was trained with half of [dev]'s.
    limit = 512 if pipeline.transformer.config.guidance_embeds else 256
    with flow.awake(loaded, *ENCODERS):
        said, sentence, _ = pipeline.encode_prompt(
            prompt, None, device=pipeline.text_encoder_2.device, max_sequence_length=limit
        )
    return said.cpu(), sentence.cpu()


def _tokens(pipeline: Any, text: str) -> torch.Tensor:
    """CLIP's tokens (1, limit) of a text, as the pipeline cuts and fills it."""
    limit = pipeline.tokenizer_max_length
    read = pipeline.tokenizer(text, padding="max_length", max_length=limit, truncation=True, return_tensors="pt")
    tokens: torch.Tensor = read.input_ids
    return tokens


def _sentence(pipeline: Any, tokens: torch.Tensor) -> torch.Tensor:
    """CLIP's sentence vectors (batch, width) of tokens (batch, limit), with whatever acts on it."""
    clip = pipeline.text_encoder
    sentence: torch.Tensor = clip(tokens.to(clip.device), output_hidden_states=False).pooler_output
    return sentence


def _embedded(loaded: Loaded, texts: Sequence[str], progress: Progress) -> dict[str, Words]:
    """``_words`` of each distinct text; the encoders are moved to the device once for all."""
    found = {}
    with flow.awake(loaded, *ENCODERS):
        for text in dict.fromkeys(texts):
            progress.phase("caching")
            found[text] = _words(loaded, text)
    return found


def _encode(loaded: Loaded, pixels: torch.Tensor) -> torch.Tensor:
    """Pixels (1, 3, height, width) as latents in patches on the CPU, scaled as the transformer wants them."""
    vae = loaded.pipeline.vae
    with flow.awake(loaded, "vae"):
        mean = autoencoder.encode(loaded, pixels)
    return flow.patches((mean - vae.config.shift_factor) * vae.config.scaling_factor).cpu()


def _decode(loaded: Loaded, latents: torch.Tensor) -> Image.Image:
    """One picture from latents in patches (1, width, rows, columns)."""
    vae = loaded.pipeline.vae
    scaled = flow.from_patches(latents.float()) / vae.config.scaling_factor + vae.config.shift_factor
    with flow.awake(loaded, "vae"):
        pixels = autoencoder.decode(loaded, scaled)
    return loaded.pipeline.image_processor.postprocess(pixels.float(), output_type="pil")[0]


def _latent_shape(loaded: Loaded, width: int, height: int) -> tuple[int, int, int, int]:
    factor = loaded.pipeline.vae_scale_factor
    return 1, loaded.pipeline.vae.config.latent_channels, height // factor, width // factor


# The base model ---------------------------------------------------------------------------------------------------


def _load(base: Base, quantization: Quantization, offload: str | None = None) -> Loaded:
    """The base model, kept from the last job if it is the same; ``flow.settle`` brings it to the device.

    Raises ``EngineError``: ``model_unavailable``, ``model_unsupported``.
    """
    load = partial(flow.fresh, FluxPipeline, quantization, offload)
    return model_cache.kept(base, load, quantization, by_blocks=offload == "blocks", waits=offload == "waiting")


def drop_loaded() -> None:
    """Forget the base model kept between jobs, and give its memory back."""
    model_cache.drop()
