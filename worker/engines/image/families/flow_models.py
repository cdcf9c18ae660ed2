"""Base models of the flow families: where they come from, where their models are, and the adapters put into them."""

import contextlib
import re
from collections.abc import Iterable, Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError

from app.trainings.look.recipe import Quantization
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
from worker.engines.image.base.block_swap import SwappedBlocks
from worker.engines.image.base.model_cache import Loaded

RESIDENT_SHARE = 0.7
"""The most of a device's memory that weights may take if all of them are to stay there."""
BLOCK_SWAP = "block_swap"
"""Offloading of a training: blocks come to the device one at a time."""


def load(pipeline_class: Any, base: Base, kind: Quantization = "none", offload: str | None = None) -> Loaded:
    """The base model, kept from the last job if it is the same; ``settle`` brings it to the device.

    ``offload`` is as in ``GenerationInputs``, or ``BLOCK_SWAP``. Raises ``EngineError``: ``model_unavailable``,
    ``model_unsupported``.
    """
    return model_cache.cached(
        base,
        partial(_fresh, pipeline_class, kind, offload),
        kind,
        by_blocks=offload == "blocks",
        swaps_blocks=offload == BLOCK_SWAP,
    )


def _fresh(pipeline_class: Any, kind: Quantization, offload: str | None, base: Base) -> Loaded:
    """On the CPU; quantised parts are on the device."""
    device = model_cache.device()
    dtype = model_cache.best_dtype(device)
    if dtype == torch.float16:
        raise EngineError(
            "model_unsupported",
            "This base model needs a graphics card that computes in bfloat16 (NVIDIA RTX 30 or newer). Choose another "
            "base model.",
        )
    pipeline = load_pipeline(pipeline_class, base, dtype)
    pipeline.set_progress_bar_config(disable=True)
    # The autoencoder is small, and pictures keep their fine steps of colour.
    pipeline.vae.float()
    for model in models_of(pipeline).values():
        model.requires_grad_(False).eval()
    loaded = Loaded(base, pipeline, device, dtype, multiple=pipeline.vae_scale_factor * 2, quantization=kind)
    if kind != "none":
        quantization.quantize(pipeline.transformer, kind, device, dtype, away=offload == BLOCK_SWAP)
        if offload != BLOCK_SWAP:
            model_cache.to_device(loaded, "transformer")
    if offload == "blocks":
        cpu_offload.group_offload(loaded)
    elif offload == BLOCK_SWAP:
        loaded.block_swap = SwappedBlocks(pipeline.transformer, device)
    return loaded


def settle(loaded: Loaded) -> None:
    """Bring every model to the device if the order's plan says so, or without a plan if it has room for all of them;
    else they come when they are needed."""
    models = models_of(loaded.pipeline)
    if loaded.offload == "none":
        model_cache.to_device(loaded, *models)
    elif loaded.offload is not None:
        model_cache.offload(loaded, *(name for name in models if name != "transformer"))
    elif loaded.device.type == "cuda":
        _, total = torch.cuda.mem_get_info(loaded.device)
        if sum(map(quantization.bytes_of, models.values())) < total * RESIDENT_SHARE:
            model_cache.to_device(loaded, *models)


@contextlib.contextmanager
def on_device(loaded: Loaded, *names: str) -> Iterator[None]:
    """These models are on the device meanwhile and afterwards where they were; the transformer makes room for them if
    there is too little, and always where the models take turns. A model that is larger than the device works on the
    CPU."""
    if loaded.device.type != "cuda":
        yield
        return
    models = models_of(loaded.pipeline)
    sleeping = [name for name in names if name in models and models[name].device.type == "cpu"]
    needed = sum(quantization.bytes_of(models[name]) for name in sleeping)
    free, total = torch.cuda.mem_get_info(loaded.device)
    makes_room = needed > free or (loaded.offload == "models" and bool(sleeping))
    there = models["transformer"].device.type != "cpu" and not loaded.by_blocks
    aside = ["transformer"] if makes_room and there else []
    if needed > total * RESIDENT_SHARE:
        sleeping, aside = [], []
    model_cache.offload(loaded, *aside)
    model_cache.to_device(loaded, *sleeping)
    try:
        yield
    finally:
        model_cache.offload(loaded, *sleeping)
        model_cache.to_device(loaded, *aside)


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
            return lycoris.load(models_of(pipeline), adapter.path, name)
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
    found = sum(lora.count_layers(model, name) for model in models_of(pipeline).values())
    layers = lora.layers_in(tensors)
    if not layers or len(layers) != found or not all(torch.isfinite(tensor).all() for tensor in tensors.values()):
        hot_swap.remove(pipeline, name)
        raise hot_swap.mismatch()
    return on_words


def models_of(pipeline: Any) -> dict[str, torch.nn.Module]:
    return {name: model for name, model in pipeline.components.items() if isinstance(model, torch.nn.Module)}


def load_pipeline(pipeline_class: Any, base: Base, dtype: torch.dtype) -> Any:
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
