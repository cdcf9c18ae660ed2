"""The family of FLUX.2 [klein]: one transformer of image and text tokens, Qwen3 as text encoder, one autoencoder whose
latents are normalised patch by patch. What it shares with FLUX.1 is in ``flow_family``.

The base checkpoints are not distilled: they are drawn with guidance, which costs a second pass, and know a negative
prompt. The distilled ones are drawn in four steps without it; an adapter of the base works on them too, so the base is
the one to train.

It trains the transformer alone, never the text encoder. In half of its blocks attention and feed-forward share their
layers, so "attention" trains these whole. Texts are cut at 512 tokens.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch
from diffusers import Flux2KleinPipeline
from diffusers.pipelines.flux2.pipeline_flux2_klein import compute_empirical_mu
from PIL import Image

from app.generations.recipe import GenerationRecipe
from app.trainings.look.recipe import Quantization, TrainingRecipe
from worker.engines.contracts import Base, GeneratedPicture, GenerationInputs, Progress, TrainedAdapter, TrainingInputs
from worker.engines.image.base import autoencoder
from worker.engines.image.base.model_cache import Loaded
from worker.engines.image.drawing import frame
from worker.engines.image.families import flow, flow_models
from worker.engines.image.families.flow_family import Embeds, FlowFamily, Velocity
from worker.engines.image.training import loop

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


def train(recipe: TrainingRecipe, inputs: TrainingInputs, out: Path, progress: Progress) -> TrainedAdapter:
    """Train one adapter of the transformer; see ``contracts.Engine``."""
    return loop.train(FAMILY.training, recipe, inputs, out, progress)


def generate(
    recipe: GenerationRecipe, inputs: GenerationInputs, out: Path, progress: Progress
) -> Iterator[GeneratedPicture]:
    """Draw the pictures, from noise, from a picture or within a mask; see ``contracts.Engine``."""
    return frame.generate(FAMILY.drawing, recipe, inputs, out, progress)


def load(base: Base, kind: Quantization = "none", offload: str | None = None) -> Loaded:
    """See ``flow_models.load``."""
    return flow_models.load(Flux2KleinPipeline, base, kind, offload)


def velocity(
    transformer: Any,
    latents: torch.Tensor,
    levels: torch.Tensor,
    embeds: Embeds,
    reference: torch.Tensor | None = None,
) -> torch.Tensor:
    """The transformer's answer for latents in patches (batch, width, rows, columns), of that shape; ``reference``
    are those of a picture to keep to."""
    (prompt_embeds,) = embeds
    sequence, places = flow.tokens(latents), _places(latents, 0)
    if reference is not None:
        sequence = torch.cat([sequence, flow.tokens(reference)], dim=1)
        places = torch.cat([places, _places(reference, REFERENCE)])
    order = torch.zeros(prompt_embeds.shape[1], 4, device=prompt_embeds.device)
    order[:, 3] = torch.arange(prompt_embeds.shape[1], device=prompt_embeds.device)
    answer = transformer(
        hidden_states=sequence,
        timestep=levels.to(latents.dtype),
        guidance=None,
        encoder_hidden_states=prompt_embeds,
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


def _guided_velocity(
    loaded: Loaded, embeds: Embeds, negative_embeds: Embeds | None, guidance: float, reference: torch.Tensor | None
) -> Velocity:
    transformer = loaded.pipeline.transformer
    is_guided = guidance > 1 and not loaded.pipeline.config.is_distilled

    def answer(latents: torch.Tensor, levels: torch.Tensor) -> torch.Tensor:
        towards = velocity(transformer, latents, levels, embeds, reference)
        if is_guided and negative_embeds is not None:
            away = velocity(transformer, latents, levels, negative_embeds, reference)
            towards = away + guidance * (towards - away)
        return towards

    return answer


@torch.no_grad()
def embed(loaded: Loaded, prompt: str) -> Embeds:
    """Qwen3's embeddings (1, tokens, width), on the CPU."""
    pipeline = loaded.pipeline
    with flow_models.on_device(loaded, "text_encoder"):
        return (pipeline.encode_prompt(prompt, device=pipeline.text_encoder.device)[0].cpu(),)


@torch.no_grad()
def encode(loaded: Loaded, pixels: torch.Tensor) -> torch.Tensor:
    """Pixels (1, 3, height, width) as latents in patches on the CPU, normalised as the transformer wants them."""
    vae = loaded.pipeline.vae
    with flow_models.on_device(loaded, "vae"):
        latents = flow.patches(autoencoder.encode(loaded, pixels))
        mean, deviation = _normal(vae)
        return ((latents - mean) / deviation).cpu()


@torch.no_grad()
def decode(loaded: Loaded, latents: torch.Tensor) -> Image.Image:
    """One picture from latents in patches (1, width, rows, columns)."""
    vae = loaded.pipeline.vae
    with flow_models.on_device(loaded, "vae"):
        mean, deviation = _normal(vae)
        pixels = autoencoder.decode(loaded, flow.from_patches(latents.float().to(vae.device) * deviation + mean))
    return loaded.pipeline.image_processor.postprocess(pixels.float(), output_type="pil")[0]


def _normal(vae: Any) -> tuple[torch.Tensor, torch.Tensor]:
    """Mean and standard deviation of the autoencoder's patches, (1, width, 1, 1)."""
    mean = vae.bn.running_mean.view(1, -1, 1, 1)
    return mean, torch.sqrt(vae.bn.running_var.view(1, -1, 1, 1) + vae.config.batch_norm_eps)


def _latent_shape(loaded: Loaded, width: int, height: int) -> tuple[int, int, int, int]:
    return 1, loaded.pipeline.transformer.config.in_channels, height // loaded.multiple, width // loaded.multiple


def _mu(_settings: Any, token_count: int, steps: int) -> float:
    return compute_empirical_mu(token_count, steps)


FAMILY = FlowFamily(
    pipeline_class=Flux2KleinPipeline,
    encoders=("text_encoder",),
    layers=lambda _: TRAINED,
    embed=embed,
    velocity=velocity,
    guided_velocity=_guided_velocity,
    knows_negative_prompts=True,
    mu=_mu,
    latent_shape=_latent_shape,
    patches=lambda noise: noise,
    encode=encode,
    decode=decode,
)
