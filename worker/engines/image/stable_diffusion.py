"""The family of Stable Diffusion 1.x: one U-Net, one CLIP text encoder, one autoencoder. Our built-in model has the
same layout with an autoencoder of its own.

What this module does not know: what is in the pictures; whether an adapter suits a prompt; how much memory another
process on the same card takes a moment later. It trains the U-Net alone, never the text encoder. On a CPU the same
order gives the same numbers again, with the same number of threads and the same libraries; on a card the same picture
up to the card's own rounding, because its kernels may add in another order. Captions are cut at the tokenizer's limit
in training; long prompts are read in pieces when drawing (``prompts.embed``).
"""

import contextlib
import json
import math
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import diffusers
import torch
import transformers
from diffusers import StableDiffusionPipeline
from PIL import Image
from safetensors import SafetensorError

from app.generations.recipe import GenerationRecipe
from app.trainings.recipe import TrainingRecipe
from worker.engines import checkpoints, memory
from worker.engines.contracts import (
    AdapterFile,
    Base,
    Cancelled,
    EngineError,
    GeneratedPicture,
    GenerationInputs,
    GiveBack,
    Progress,
    SamplePicture,
    Step,
    TrainedAdapter,
    TrainingInputs,
)
from worker.engines.image import dataset, drawing, hot_swap, kept, lora, losses, orders, prompts, schedulers
from worker.engines.image.builtin.patch_autoencoder import PatchAutoencoder
from worker.engines.image.kept import Loaded

BUILTIN_MODEL = Path(__file__).parent / "builtin" / "model"


def drop_loaded() -> None:
    """Forget the base model kept between jobs, and give its memory back."""
    kept.drop()


# Training ---------------------------------------------------------------------------------------------------------


def train(recipe: TrainingRecipe, inputs: TrainingInputs, out: Path, progress: Progress) -> TrainedAdapter:
    """Train one adapter of the U-Net; writes ``adapter.safetensors``, ``samples/`` and ``checkpoints/`` under ``out``.

    A checkpoint is handed over every ``checkpoint_every`` steps and after the last one, after its sample pictures. On
    ``Cancelled`` the adapter is saved as it is and returned with ``finished=False``; before the first step there is
    nothing to keep and ``Cancelled`` goes through. On ``GiveBack`` a checkpoint is handed over and the exception goes
    through.

    Raises ``EngineError``: ``diverged`` (the checkpoints up to then stay), ``out_of_memory``, ``bad_picture``,
    ``bad_size``, ``no_pictures``, ``bad_checkpoint``, ``disk_full``, ``model_unavailable``,
    ``model_unsupported``.
    """
    with memory.out_of_memory_in_words(kept.device(), orders.TRAIN_SMALLER):
        return _train(recipe, inputs, out, progress)


def _train(recipe: TrainingRecipe, inputs: TrainingInputs, out: Path, progress: Progress) -> TrainedAdapter:
    out.mkdir(parents=True, exist_ok=True)
    order = orders.identity(recipe, inputs)
    resumed = orders.resumed(inputs, order)
    step = resumed.step if resumed else 0
    step_losses = list(resumed.losses) if resumed else []
    sampled = resumed.sampled if resumed else False
    seconds: list[float] = []
    parameters: dict[str, torch.nn.Parameter] = {}
    device = kept.device()
    memory.reset_peak_memory(device)
    # The only source of random numbers of a training. On the CPU whatever the device, so that its state is small and
    # the draws do not depend on the card.
    generator = torch.Generator("cpu").manual_seed(recipe.seed)

    def adapter_now() -> dict[str, torch.Tensor]:
        if parameters:
            return lora.state(loaded.pipeline.unet)
        assert resumed is not None
        return resumed.adapter

    def checkpoint() -> None:
        folder = checkpoints.folder_of(out / "checkpoints", step)
        checkpoints.write(
            folder,
            checkpoints.Checkpoint(
                step=step,
                order=order,
                losses=step_losses,
                sampled=sampled,
                adapter=adapter_now(),
                optimizer=optimizer.state_dict(),
                random_state=generator.get_state(),
            ),
        )
        progress.checkpoint(folder, step)
        checkpoints.keep_latest(out / "checkpoints", orders.CHECKPOINTS_KEPT)

    def draw_samples() -> None:
        nonlocal sampled
        if recipe.sample_prompts:
            progress.phase("sampling")
            _draw_samples(loaded, recipe, step, out, progress)
        sampled = True

    def adapter(finished: bool) -> TrainedAdapter:
        path = out / "adapter.safetensors"
        lora.save(adapter_now(), recipe.rank, recipe.alpha, recipe.target_modules, path)
        return TrainedAdapter(
            weights=path,
            rank=recipe.rank,
            alpha=recipe.alpha,
            steps=step,
            finished=finished,
            final_loss=orders.final_loss(step_losses),
            seconds_per_step=sum(seconds) / len(seconds) if seconds else None,
            peak_memory_bytes=memory.peak_memory_bytes(device),
            device=kept.device_name(device),
        )

    loaded: Loaded | None = None
    try:
        progress.phase("loading")
        loaded = _load(inputs.base)
        hot_swap.forget(loaded)
        pipeline, unet = loaded.pipeline, loaded.pipeline.unet
        if loaded.dtype == torch.float16:
            # Without bf16 the gradients would need loss scaling; such a card trains in full precision instead.
            unet.float()

        schedule = pipeline.scheduler.config
        prediction_type = schedule.prediction_type
        if prediction_type not in ("epsilon", "v_prediction"):
            raise EngineError(
                "model_unsupported", f"The base model predicts “{prediction_type}”, which this training does not know."
            )

        progress.phase("caching")
        captions = [dataset.caption_with_trigger(p.caption, recipe.trigger_word) for p in inputs.pictures]
        embeddings = prompts.embed_captions(pipeline, [*captions, ""])
        sizes = [(p.target_width, p.target_height) for p in inputs.pictures]
        latents = _cache_latents(loaded, recipe, inputs, progress)

        if resumed is None:
            draw_samples()

        parameters = lora.inject(unet, recipe.rank, recipe.alpha, recipe.target_modules, generator)
        optimizer = torch.optim.AdamW(
            list(parameters.values()), lr=recipe.learning_rate, weight_decay=recipe.weight_decay
        )
        if resumed is not None:
            lora.restore(unet, resumed.adapter)
            optimizer.load_state_dict(resumed.optimizer)
            generator.set_state(resumed.random_state)
        alphas_cumprod = _alphas_cumprod(pipeline.scheduler)
        at_once = recipe.batch_size  # samples in one pass; fewer after the memory ran out

        if resumed is not None and not sampled and orders.checkpoint_is_due(recipe, step):
            draw_samples()  # given back between the step and its samples

        progress.phase("training")
        while step < recipe.steps:
            began = time.perf_counter()
            learning_rate = orders.learning_rate_at(recipe, step)
            for group in optimizer.param_groups:
                group["lr"] = learning_rate

            chosen = dataset.batch_at(sizes, recipe.batch_size, recipe.seed, step)
            mirrored = torch.rand(len(chosen), generator=generator) < 0.5
            without_caption = torch.rand(len(chosen), generator=generator) < recipe.caption_dropout
            clean = torch.cat([latents[i][int(recipe.flip and mirrored[n])] for n, i in enumerate(chosen)])
            words = torch.cat([embeddings["" if without_caption[n] else captions[i]] for n, i in enumerate(chosen)])
            noise = torch.randn(clean.shape, generator=generator)
            if recipe.noise_offset:
                # A shift per channel lets it learn pictures darker or lighter than the average (Guttenberg 2023).
                noise += recipe.noise_offset * torch.randn((*clean.shape[:2], 1, 1), generator=generator)
            timesteps = torch.randint(0, schedule.num_train_timesteps, (len(chosen),), generator=generator)
            share = losses.signal_share(alphas_cumprod, timesteps)
            noisy = losses.add_noise(clean, noise, share)
            wanted = losses.target(prediction_type, clean, noise, share)
            weights = losses.min_snr_weights(prediction_type, share, recipe.min_snr_gamma)

            loss = None
            while loss is None:
                try:
                    loss = 0.0
                    for part in torch.arange(len(chosen)).split(at_once):
                        with _autocast(unet):
                            prediction = unet(
                                noisy[part].to(device, unet.dtype),
                                timesteps[part].to(device),
                                words[part].to(device, unet.dtype),
                                return_dict=False,
                            )[0]
                        # Each part counts with its share, so that the gradient is that of the whole batch.
                        part_loss = losses.weighted_mse(prediction, wanted[part].to(device), weights[part])
                        part_loss = part_loss * (len(part) / len(chosen))
                        part_loss.backward()
                        loss += part_loss.item()
                except torch.OutOfMemoryError:
                    if at_once == 1 and unet.is_gradient_checkpointing:
                        raise
                    loss = prediction = part_loss = None
                    optimizer.zero_grad(set_to_none=True)
                    # Smaller parts cost a little time, gradient checkpointing a third of it; neither changes the sum.
                    if at_once > 1:
                        at_once = -(-at_once // 2)
                    else:
                        unet.enable_gradient_checkpointing()
            length = torch.nn.utils.clip_grad_norm_(parameters.values(), recipe.max_grad_norm)
            if not math.isfinite(loss) or not math.isfinite(length.item()):
                raise orders.diverged(step + 1, learning_rate)
            optimizer.step()
            optimizer.zero_grad(set_to_none=True)

            step += 1
            sampled = False
            step_losses.append(loss)
            seconds.append(time.perf_counter() - began)
            progress.step(Step(step, recipe.steps, step_losses[-1], learning_rate, seconds[-1]))

            if orders.checkpoint_is_due(recipe, step):
                draw_samples()
                progress.phase("saving")
                checkpoint()
                if step < recipe.steps:
                    progress.phase("training")
        return adapter(finished=True)
    except Cancelled:
        if step == 0:
            raise
        return adapter(finished=step == recipe.steps)
    except GiveBack:
        if step > (resumed.step if resumed else 0):
            checkpoint()
        raise
    finally:
        if loaded is not None:
            loaded.pipeline.unet.disable_gradient_checkpointing()
            hot_swap.forget(loaded)
            if loaded.pipeline.unet.dtype != loaded.dtype:
                loaded.pipeline.unet.to(loaded.dtype)


def _cache_latents(
    loaded: Loaded, recipe: TrainingRecipe, inputs: TrainingInputs, progress: Progress
) -> list[tuple[torch.Tensor, ...]]:
    """Each picture's latents (1, channels, height, width) on the CPU, and with ``flip`` those of its mirror image."""
    cached = []
    vae = loaded.pipeline.vae
    for picture in inputs.pictures:
        progress.phase("caching")
        kept.check_size(loaded, picture.target_width, picture.target_height)
        pixels = dataset.load_pixels(picture)
        variants = [pixels, pixels.flip(-1)] if recipe.flip else [pixels]
        with torch.no_grad():
            cached.append(
                # The mean, not a draw: the autoencoder's own spread is far below the noise that is added.
                tuple(
                    (vae.encode(v.to(vae.device)).latent_dist.mode() * vae.config.scaling_factor).cpu()
                    for v in variants
                )
            )
    return cached


def _draw_samples(loaded: Loaded, recipe: TrainingRecipe, step: int, out: Path, progress: Progress) -> None:
    """Draw each sample prompt from ``sample_seed`` with the model as it is now; takes no number from the training's
    generator."""
    folder = out / "samples"
    folder.mkdir(exist_ok=True)
    side = max(recipe.resolution // loaded.multiple, 1) * loaded.multiple
    for index, asked in enumerate(recipe.sample_prompts):
        if index:
            progress.phase("sampling")
        prompt = dataset.with_trigger_filled_in(asked, recipe.trigger_word)
        positive, negative = prompts.embed_pair(loaded.pipeline, prompt, "")
        generator = torch.Generator("cpu").manual_seed(recipe.sample_seed)
        latents = _denoise(
            loaded,
            schedulers.DEFAULT,
            positive,
            negative,
            torch.randn(_latent_shape(loaded, side, side), generator=generator),
            [generator],
            recipe.sample_steps,
            recipe.sample_guidance_scale,
            on_step=lambda: progress.phase("sampling"),
        )
        path = folder / f"step-{step:06d}-{index}.png"
        dataset.save_picture(_decode(loaded, latents), path)
        progress.sample(SamplePicture(step, index, prompt, recipe.sample_seed, path))


def _alphas_cumprod(scheduler: Any) -> torch.Tensor:
    """ᾱ per timestep, (num_train_timesteps,), float32, with the last at zero if the base was made so."""
    return scheduler.alphas_cumprod.float().cpu().clone()


# Drawing ----------------------------------------------------------------------------------------------------------


def generate(
    recipe: GenerationRecipe, inputs: GenerationInputs, out: Path, progress: Progress
) -> Iterator[GeneratedPicture]:
    """Draw the pictures, several in one batch where memory allows, and yield each when its file is complete.

    Picture i starts from the noise of ``seed + i`` whatever the batch, see ``GenerationRecipe`` for strips and
    variations; a variation's ``seed`` is that of the noise it was turned towards. Files are ``picture-<i>.png``. On
    ``Cancelled`` the pictures that are complete have been yielded and the iterator ends; ``GiveBack`` goes through.

    Raises ``EngineError``: ``bad_size``, ``bad_order``, ``unknown_scheduler``, ``adapter_mismatch``,
    ``adapter_unreadable``, ``out_of_memory``, ``model_unavailable``.
    """
    with memory.out_of_memory_in_words(kept.device(), orders.DRAW_SMALLER), contextlib.suppress(Cancelled):
        drawing.check_order(recipe)
        out.mkdir(parents=True, exist_ok=True)
        progress.phase("loading")
        loaded = _load(inputs.base)
        kept.check_size(loaded, recipe.width, recipe.height)
        schedulers.fresh(recipe.scheduler, loaded.pipeline.scheduler)  # refuses an unknown name before drawing
        names = [hot_swap.name_of(loaded, one, inputs.adapters, _load_adapter) for one in inputs.adapters]

        def denoise(
            noise: torch.Tensor, generators: list[torch.Generator], on_step: Callable[[], None]
        ) -> torch.Tensor:
            # Here, where the adapters act with their strengths: one that trained the text encoder changes it too.
            positive, negative = prompts.embed_pair(loaded.pipeline, recipe.prompt, recipe.negative_prompt)
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

        yield from drawing.pictures(
            loaded,
            recipe,
            inputs,
            names,
            out,
            progress,
            shape=_latent_shape(loaded, recipe.width, recipe.height),
            steps=recipe.steps,
            batch_size=_batch_size(loaded, recipe.width, recipe.height),
            denoise=denoise,
            decode=partial(_decode, loaded),
        )


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
    on_step: Any,
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
        return pipeline(
            prompt_embeds=positive.to(dtype).expand(len(noise), -1, -1),
            negative_prompt_embeds=negative.to(dtype).expand(len(noise), -1, -1) if guidance_scale > 1 else None,
            latents=noise.to(dtype),
            generator=generators,
            num_inference_steps=steps,
            guidance_scale=guidance_scale,
            height=noise.shape[2] * pipeline.vae_scale_factor,
            width=noise.shape[3] * pipeline.vae_scale_factor,
            output_type="latent",
            callback_on_step_end=told,
        ).images
    finally:
        pipeline.scheduler = own


@torch.no_grad()
def _decode(loaded: Loaded, latents: torch.Tensor) -> Image.Image:
    """One picture from latents (1, channels, height, width)."""
    vae = loaded.pipeline.vae
    pixels = vae.decode(latents.to(vae.dtype) / vae.config.scaling_factor, return_dict=False)[0]
    return loaded.pipeline.image_processor.postprocess(pixels.float(), output_type="pil")[0]


def _latent_shape(loaded: Loaded, width: int, height: int) -> tuple[int, int, int, int]:
    factor = loaded.pipeline.vae_scale_factor
    return 1, loaded.pipeline.unet.config.in_channels, height // factor, width // factor


def _batch_size(loaded: Loaded, width: int, height: int) -> int:
    """How many pictures to draw at once, 1 to 8. An estimate: it does not know what attention needs on other cards."""
    pixels = width * height
    if loaded.device.type == "cuda":
        free, _ = torch.cuda.mem_get_info(loaded.device)
        # SD 1.5 in half precision with guidance takes about 1 GB per picture of 512 × 512 beside the weights.
        return max(1, min(8, int(free * 0.8 / (pixels * 4096))))
    # On a CPU a batch saves time only while its tensors stay small.
    return max(1, min(8, 8 * 256 * 256 // pixels))


# The base model and its adapters ----------------------------------------------------------------------------------


def _autocast(unet: Any) -> Any:
    """bfloat16 on a card, plain float32 on a CPU.

    Measured forward and backward with the built-in model: on the CPU bfloat16 took 1.2 to 2.7 times as long (batch 1
    and 4, AMD EPYC with avx512_bf16, PyTorch 2.13).
    """
    if unet.device.type == "cuda" and unet.dtype != torch.float32:
        return torch.autocast("cuda", dtype=unet.dtype)
    return contextlib.nullcontext()


def _load(base: Base) -> Loaded:
    """The base model, kept from the last job if it is the same; raises ``EngineError`` (``model_unavailable``)."""
    return kept.kept(base, _fresh)


def _fresh(base: Base) -> Loaded:
    device = kept.device()
    dtype = kept.best_dtype(device)
    pipeline = _pipeline(base, dtype)
    pipeline.set_progress_bar_config(disable=True)
    pipeline.to(device)
    # The autoencoder is small, and in half precision some of them overflow to black.
    pipeline.vae.float()
    for model in (pipeline.vae, pipeline.text_encoder, pipeline.unet):
        model.requires_grad_(False).eval()
    halvings = len(pipeline.unet.config.block_out_channels) - 1
    return Loaded(base, pipeline, device, dtype, multiple=pipeline.vae_scale_factor * 2**halvings)


def _pipeline(base: Base, dtype: torch.dtype) -> Any:
    builtin = base.source == "builtin"
    local = builtin or Path(base.source).is_absolute()
    source = str(BUILTIN_MODEL) if builtin else base.source
    own: dict[str, Any] = {}
    if local and not Path(source, "model_index.json").is_file():
        raise EngineError("model_unavailable", f"The base model {base.key} is not in its folder. Install it first.")
    # A worker's log is no place for bars that redraw themselves.
    diffusers.utils.logging.disable_progress_bar()
    transformers.utils.logging.disable_progress_bar()
    # Nor for the remark that the built-in model's autoencoder is of a class of ours.
    diffusers.utils.logging.set_verbosity_error()
    try:
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
    except (OSError, ValueError) as error:
        raise EngineError(
            "model_unavailable",
            f"The base model {base.key} could not be loaded from {base.source}. Is the name right, its licence "
            "accepted, and the network or the folder reachable?",
        ) from error


def _autoencoder_class(folder: str) -> str:
    return str(json.loads(Path(folder, "vae", "config.json").read_text()).get("_class_name"))


def _load_adapter(pipeline: Any, adapter: AdapterFile, name: str) -> None:
    """Load one file, diffusers' or kohya's names.

    Raises ``EngineError``: ``adapter_mismatch`` unless every one of its layers exists in this base model with the same
    shape, ``adapter_unreadable`` for a damaged file.
    """
    try:
        tensors, alphas, metadata = pipeline.lora_state_dict(
            adapter.path.parent,
            weight_name=adapter.path.name,
            local_files_only=True,
            use_safetensors=True,
            return_lora_metadata=True,
        )
        facts = {"network_alphas": alphas, "metadata": metadata, "adapter_name": name, "_pipeline": pipeline}
        # As load_lora_weights does, but without its warning about a text encoder that was not trained.
        pipeline.load_lora_into_unet(tensors, unet=pipeline.unet, **facts)
        if any(key.startswith("text_encoder.") for key in tensors):
            pipeline.load_lora_into_text_encoder(tensors, text_encoder=pipeline.text_encoder, **facts)
    except (OSError, SafetensorError) as error:
        raise EngineError("adapter_unreadable", "The adapter's file is missing or damaged. Export it again.") from error
    except (ValueError, KeyError, RuntimeError) as error:
        hot_swap.remove(pipeline, name)
        raise hot_swap.mismatch() from error
    # The libraries only warn about layers that the model does not have, and fill a missing half with random numbers.
    downs = [key for key in tensors if key.endswith(("lora_A.weight", "down.weight"))]
    ups = {key.replace("lora_A.weight", "lora_B.weight").replace("down.weight", "up.weight") for key in downs}
    found = sum(lora.count_layers(model, name) for model in (pipeline.unet, pipeline.text_encoder))
    complete = ups == tensors.keys() - set(downs) and found == len(downs)
    if not complete or not all(torch.isfinite(tensor).all() for tensor in tensors.values()):
        hot_swap.remove(pipeline, name)
        raise hot_swap.mismatch()
