"""What the flow models share: pictures as tokens, noise levels, and the way from noise to a picture.

A flow model is asked for the velocity of the straight path x_t = (1 - t)·x₀ + t·ε from a picture (t = 0) to noise
(t = 1), Lipman et al. 2023. Latents stand here in patches of 2 × 2: (batch, 4 · channels, height / 2, width / 2), the
order of channels, rows and columns that both FLUX generations use.
"""

import contextlib
import math
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError

from app.trainings.look.recipe import Quantization, TrainingRecipe
from worker.engines.contracts import AdapterFile, Base, EngineError
from worker.engines.image.base import (
    cpu_offload,
    hot_swap,
    lora,
    lycoris,
    model_cache,
    quantization,
    single_file,
    unet_adapters,
)
from worker.engines.image.base.model_cache import Loaded
from worker.engines.image.base.offload import Offloaded
from worker.engines.image.training import schedule as orders

RESIDENT_SHARE = 0.7
"""The most of a device's memory that weights may take if all of them are to stay there."""


def patches(latents: torch.Tensor) -> torch.Tensor:
    """(batch, channels, height, width) → (batch, 4 · channels, height / 2, width / 2)."""
    return torch.nn.functional.pixel_unshuffle(latents, 2)


def from_patches(latents: torch.Tensor) -> torch.Tensor:
    """The way back from ``patches``."""
    return torch.nn.functional.pixel_shuffle(latents, 2)


def tokens(latents: torch.Tensor) -> torch.Tensor:
    """(batch, width, rows, columns) → (batch, rows · columns, width), row by row."""
    return latents.flatten(2).transpose(1, 2)


def from_tokens(sequence: torch.Tensor, like: torch.Tensor) -> torch.Tensor:
    """The way back from ``tokens``, with the rows and columns of ``like``."""
    return sequence.transpose(1, 2).unflatten(2, tuple(like.shape[2:]))


# Training ---------------------------------------------------------------------------------------------------------


def shift_of(scheduler: Any, token_count: int) -> float:
    """How far the base moves noise levels towards noise, for pictures of so many tokens.

    Esser et al. 2024, section 5.3.2: larger pictures need more noise to be as hidden. Where the base's scheduler says
    ``use_dynamic_shifting`` it is e^μ with μ straight between the two sizes it names, as FLUX.1's authors do; else it
    is the fixed ``shift``.
    """
    settings: Mapping[str, Any] = scheduler.config
    if not settings.get("use_dynamic_shifting"):
        return float(settings.get("shift", 1.0))
    return math.exp(straight_mu(settings, token_count))


def straight_mu(settings: Mapping[str, Any], token_count: int) -> float:
    """μ of a picture of so many tokens, on the line that a scheduler's settings describe."""
    fewest, most = settings.get("base_image_seq_len", 256), settings.get("max_image_seq_len", 4096)
    low, high = settings.get("base_shift", 0.5), settings.get("max_shift", 1.15)
    return low + (high - low) * (token_count - fewest) / (most - fewest)


def noise_levels(recipe: TrainingRecipe, count: int, own_shift: float, generator: torch.Generator) -> torch.Tensor:
    """``count`` noise levels t in 0..1, float32, as the recipe says; ``own_shift`` where it names none."""
    if recipe.timestep_sampling == "uniform":
        levels = torch.rand(count, generator=generator)
    else:
        levels = torch.sigmoid(torch.randn(count, generator=generator))
    shift = own_shift if recipe.timestep_shift is None else recipe.timestep_shift
    return shift * levels / (1 + (shift - 1) * levels)


def add_noise(clean: torch.Tensor, noise: torch.Tensor, levels: torch.Tensor) -> torch.Tensor:
    """(1 - t)·x₀ + t·ε with ``levels`` = t of shape (batch,)."""
    t = levels.to(clean.device, clean.dtype).view(-1, *([1] * (clean.ndim - 1)))
    return (1 - t) * clean + t * noise


def check(recipe: TrainingRecipe, *, has_clip: bool = False) -> None:
    """Raises ``EngineError`` (``bad_order``) for what a flow model cannot be asked; of text encoders CLIP alone can
    learn."""
    orders.check(recipe, can_offload=True)
    if recipe.train_text_encoder and not has_clip:
        raise EngineError(
            "bad_order", "The text encoders of this base model are not trained. Switch that off and start again."
        )


# Drawing ----------------------------------------------------------------------------------------------------------


@torch.no_grad()
def denoise(
    scheduler: Any,
    noise: torch.Tensor,
    velocity: Callable[[torch.Tensor, torch.Tensor], torch.Tensor],
    on_step: Callable[[], None],
    *,
    taken: int | None = None,
    picture: torch.Tensor | None = None,
    anew: torch.Tensor | None = None,
) -> torch.Tensor:
    """From ``noise`` to clean latents of that shape, (batch, …), in float32.

    ``scheduler`` has its steps set (``schedulers.flow``); ``velocity`` takes the latents and the noise level of each,
    (batch,). With ``picture`` (1, …) only the last ``taken`` steps are gone through, from that picture with the noise
    of there; and where ``anew`` (1, 1, rows, columns) is 0 it keeps to the picture. ``on_step`` may raise to stop.
    """
    first = 0 if picture is None or taken is None else len(scheduler.timesteps) - taken
    scheduler.set_begin_index(first)
    levels = scheduler.sigmas.to(noise.device)
    latents = noise if picture is None else _hidden(picture, noise, levels[first])
    for index in range(first, len(scheduler.timesteps)):
        towards = velocity(latents, levels[index].expand(len(latents)))
        latents = scheduler.step(towards.float(), scheduler.timesteps[index], latents, return_dict=False)[0]
        if picture is not None and anew is not None:
            latents = anew * latents + (1 - anew) * _hidden(picture, noise, levels[index + 1])
        on_step()
    return latents


def _hidden(picture: torch.Tensor, noise: torch.Tensor, level: torch.Tensor) -> torch.Tensor:
    return (1 - level) * picture + level * noise


def batch_size(loaded: Loaded, width: int, height: int) -> int:
    """How many pictures to draw at once, 1 to 8. An estimate: it does not know what attention needs on other cards."""
    pixels = width * height
    if loaded.device.type == "cuda":
        free, _ = torch.cuda.mem_get_info(loaded.device)
        return max(1, min(8, int(free * 0.8 / (pixels * 2048))))
    # On a CPU a batch saves time only while its tensors stay small.
    return max(1, min(8, 8 * 256 * 256 // pixels))


# The base model and its adapters ----------------------------------------------------------------------------------


def fresh(pipeline_class: Any, kind: Quantization, offload: str | None, base: Base) -> Loaded:
    """Load a base model onto the CPU; quantised parts are on the device. See ``settle`` for the rest.

    ``offload``: ``blocks`` as an order to draw says it; ``waiting`` for a training whose blocks wait their turn.

    Raises ``EngineError``: ``model_unavailable``, ``model_unsupported``.
    """
    device = model_cache.device()
    dtype = model_cache.best_dtype(device)
    if dtype == torch.float16:
        raise EngineError(
            "model_unsupported",
            "This base model needs a graphics card that computes in bfloat16 (NVIDIA RTX 30 or newer). Choose another "
            "base model.",
        )
    pipeline = _pipeline(pipeline_class, base, dtype)
    pipeline.set_progress_bar_config(disable=True)
    # The autoencoder is small, and pictures keep their fine steps of colour.
    pipeline.vae.float()
    for model in _models(pipeline).values():
        model.requires_grad_(False).eval()
    loaded = Loaded(base, pipeline, device, dtype, multiple=pipeline.vae_scale_factor * 2, quantization=kind)
    if kind != "none":
        quantization.quantize(pipeline.transformer, kind, device, dtype, away=offload == "waiting")
        if offload != "waiting":
            model_cache.wake(loaded, "transformer")
    if offload == "blocks":
        cpu_offload.block_by_block(loaded)
    elif offload == "waiting":
        loaded.waiting = Offloaded(pipeline.transformer, device)
    return loaded


def settle(loaded: Loaded) -> None:
    """Bring every model to the device if the order's plan says so, or without a plan if it has room for all of them;
    else they come when they are needed."""
    models = _models(loaded.pipeline)
    if loaded.offload == "none":
        model_cache.wake(loaded, *models)
    elif loaded.offload is not None:
        model_cache.rest(loaded, *(name for name in models if name != "transformer"))
    elif loaded.device.type == "cuda":
        _, total = torch.cuda.mem_get_info(loaded.device)
        if sum(map(quantization.bytes_of, models.values())) < total * RESIDENT_SHARE:
            model_cache.wake(loaded, *models)


@contextlib.contextmanager
def awake(loaded: Loaded, *names: str) -> Iterator[None]:
    """These models are on the device meanwhile and afterwards where they were; the transformer makes room for them if
    there is too little, and always where the models take turns. A model that is larger than the device works on the
    CPU."""
    if loaded.device.type != "cuda":
        yield
        return
    models = _models(loaded.pipeline)
    sleeping = [name for name in names if name in models and models[name].device.type == "cpu"]
    needed = sum(quantization.bytes_of(models[name]) for name in sleeping)
    free, total = torch.cuda.mem_get_info(loaded.device)
    makes_room = needed > free or (loaded.offload == "models" and bool(sleeping))
    there = models["transformer"].device.type != "cpu" and not loaded.by_blocks
    aside = ["transformer"] if makes_room and there else []
    if needed > total * RESIDENT_SHARE:
        sleeping, aside = [], []
    model_cache.rest(loaded, *aside)
    model_cache.wake(loaded, *sleeping)
    try:
        yield
    finally:
        model_cache.rest(loaded, *sleeping)
        model_cache.wake(loaded, *aside)


def layers_of(transformer: torch.nn.Module, patterns: Mapping[str, str], targets: str) -> list[str]:
    """Whole names of the linear layers that the pattern of this name matches.

    Whole, because the ends of names would also meet layers outside the blocks. Raises ``EngineError``
    (``bad_order``) for a name that the family does not know.
    """
    if targets not in patterns:
        known = ", ".join(sorted(patterns))
        raise EngineError("bad_order", f"This base model has no choice of layers “{targets}”. Choose: {known}.")
    pattern = re.compile(patterns[targets])
    return [
        name
        for name, module in transformer.named_modules()
        if isinstance(module, torch.nn.Linear) and pattern.fullmatch(name)
    ]


def layers_in(adapter: Iterable[str]) -> list[str]:
    """Whole names of the transformer's layers that an adapter's tensors act on."""
    return sorted(layer.removeprefix("transformer.") for layer in lora.layers_in(adapter) or ())


def load_adapter(pipeline: Any, adapter: AdapterFile, name: str) -> bool:
    """Load one file, in any dialect that diffusers reads for this base; returns whether it changes a text encoder.

    Raises ``EngineError``: ``adapter_mismatch`` unless every one of its layers exists in this base model with the same
    shape, ``adapter_unreadable`` for a damaged file.
    """
    try:
        if lycoris.is_one(adapter.path):
            return lycoris.load(_models(pipeline), adapter.path, name)
        # Whatever its dialect: names of this base's layers, and where the family reads them apart, alphas.
        tensors, *alphas, metadata = pipeline.lora_state_dict(
            adapter.path.parent,
            weight_name=adapter.path.name,
            local_files_only=True,
            use_safetensors=True,
            return_alphas=True,
            return_lora_metadata=True,
        )
        facts = {"adapter_name": name, "metadata": metadata, "_pipeline": pipeline}
        if alphas:
            facts["network_alphas"] = alphas[0]
        # Not load_lora_weights: it would let a file change the base itself (control LoRAs widen its first layer).
        pipeline.load_lora_into_transformer(tensors, transformer=pipeline.transformer, **facts)
        on_words = any(key.startswith("text_encoder.") for key in tensors)
        if on_words:
            given = alphas[0] if alphas else None
            unet_adapters.load_into_text_encoder(pipeline.text_encoder, "text_encoder", tensors, given, metadata, name)
    except (OSError, SafetensorError) as error:
        raise EngineError("adapter_unreadable", "The adapter's file is missing or damaged. Export it again.") from error
    except (ValueError, KeyError, RuntimeError, AttributeError, TypeError) as error:
        hot_swap.remove(pipeline, name)
        raise hot_swap.mismatch() from error
    # The libraries only warn about layers that the model does not have, and fill a missing half with random numbers.
    found = sum(lora.count_layers(model, name) for model in _models(pipeline).values())
    layers = lora.layers_in(tensors)
    if not layers or len(layers) != found or not all(torch.isfinite(tensor).all() for tensor in tensors.values()):
        hot_swap.remove(pipeline, name)
        raise hot_swap.mismatch()
    return on_words


def _models(pipeline: Any) -> dict[str, torch.nn.Module]:
    return {name: model for name, model in pipeline.components.items() if isinstance(model, torch.nn.Module)}


def _pipeline(pipeline_class: Any, base: Base, dtype: torch.dtype) -> Any:
    if single_file.is_one(base):
        return single_file.flux(pipeline_class, base, dtype)
    local = Path(base.source).is_absolute()
    with model_cache.loading_in_words(base, base.source if local else None):
        return pipeline_class.from_pretrained(
            base.source,
            revision=base.revision if not local else None,
            local_files_only=local,
            use_safetensors=True,
            dtype=dtype,
        )
