"""Which models of a pipeline are on the card while it draws, as an order's plan says."""

import contextlib
from collections.abc import Iterator

import torch
from accelerate import cpu_offload_with_hook
from accelerate.hooks import remove_hook_from_module
from diffusers.hooks import apply_group_offloading

from worker.engines.contracts import GenerationInputs
from worker.engines.image.base import model_cache
from worker.engines.image.base.model_cache import Loaded

IN_TURN = ("text_encoder", "text_encoder_2", "unet", "vae")


@contextlib.contextmanager
def planned(loaded: Loaded, inputs: GenerationInputs) -> Iterator[None]:
    """Apply the plan's offloading and tiling meanwhile. No model is moved here."""
    loaded.offload, loaded.tiled = inputs.offload, inputs.tiled
    try:
        yield
    finally:
        loaded.offload = loaded.tiled = None


@contextlib.contextmanager
def model_offload(loaded: Loaded) -> Iterator[None]:
    """Meanwhile each of a U-Net pipeline's models comes to the card when it is called, and the one before it leaves.

    As diffusers' ``enable_model_cpu_offload`` does it, which would not go without a card, nor beside blocks that come
    one by one. Adapters must be loaded before. Does nothing unless ``loaded.offload`` asks for it.
    """
    if loaded.offload in (None, "none"):
        model_cache.to_device(loaded, *IN_TURN)
        yield
        return
    found = [getattr(loaded.pipeline, name, None) for name in IN_TURN]
    models = [one for one in found if one is not None and not (loaded.by_blocks and one is loaded.denoiser)]
    before = None
    for model in models:
        model.to("cpu")
        _, before = cpu_offload_with_hook(model, loaded.device, before)
    if loaded.device.type == "cuda":
        torch.cuda.empty_cache()
    try:
        yield
    finally:
        for model in models:
            remove_hook_from_module(model)


def group_offload(loaded: Loaded) -> None:
    """From now on the denoiser's blocks come to the card one by one, and leave it again. The base must be plain:
    quantised layers keep their scales apart."""
    loaded.by_blocks = True
    apply_group_offloading(
        loaded.denoiser,
        onload_device=loaded.device,
        offload_device=torch.device("cpu"),
        offload_type="block_level",
        num_blocks_per_group=1,
    )
