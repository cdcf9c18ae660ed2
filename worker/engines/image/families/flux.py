"""The family of FLUX.1: one transformer of image and text tokens, CLIP and T5 as text encoders, one autoencoder. What
it shares with FLUX.2 is in ``flow_family``.

[dev] was distilled with its guidance as an input, so that one pass draws what guidance would: it is trained with a
guidance of 1 and drawn with the one asked for. [schnell] was distilled to about four steps and has no such input; it
is trained all the same way, but what it learned of drawing in four steps wears off a little with every step.

It trains the transformer and if asked CLIP, never T5, and knows no negative prompt, because the base has no use for
one. CLIP reads the first 77 tokens of a text, T5 the first 512 (256 for [schnell]).
"""

from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import torch
from diffusers import FluxPipeline
from PIL import Image

from app.generations.recipe import GenerationRecipe
from app.trainings.look.recipe import Network, Quantization, TrainingRecipe
from worker.engines.contracts import Base, GeneratedPicture, GenerationInputs, Progress, TrainedAdapter, TrainingInputs
from worker.engines.image.base import autoencoder
from worker.engines.image.base.model_cache import Loaded
from worker.engines.image.drawing import frame
from worker.engines.image.families import flow, flow_models
from worker.engines.image.families.flow_family import Clip, Embeds, FlowFamily, Velocity
from worker.engines.image.training import loop

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
"""Layers that a DoRA of the attention also trains. Most programs hold a single block's q, k, v and the way into its
feed-forward as one layer, and DoRA's magnitudes are those of whole rows: magnitudes of the attention's rows alone have
no place in such a file."""


def trained_by(network: Network) -> dict[str, str]:
    """``TRAINED``, as far as this kind of adapter can have it."""
    return TRAINED | {"attention": f"{ATTENTION}{WHOLE_FOR_DORA if network == 'dora' else ''}"}


def train(recipe: TrainingRecipe, inputs: TrainingInputs, out: Path, progress: Progress) -> TrainedAdapter:
    """Train one adapter of the transformer, and if asked of CLIP; see ``contracts.Engine``."""
    return loop.train(FAMILY.training, recipe, inputs, out, progress)


def generate(
    recipe: GenerationRecipe, inputs: GenerationInputs, out: Path, progress: Progress
) -> Iterator[GeneratedPicture]:
    """Draw the pictures, from noise, from a picture or within a mask; see ``contracts.Engine``."""
    return frame.generate(FAMILY.drawing, recipe, inputs, out, progress)


def load(base: Base, kind: Quantization = "none", offload: str | None = None) -> Loaded:
    """See ``flow_models.load``."""
    return flow_models.load(FluxPipeline, base, kind, offload)


def velocity(
    transformer: Any,
    latents: torch.Tensor,
    levels: torch.Tensor,
    embeds: Embeds,
    guidance: float = 1.0,
) -> torch.Tensor:
    """The transformer's answer for latents in patches (batch, width, rows, columns), of that shape; ``embeds`` as
    ``embed`` gives them."""
    prompt_embeds, pooled = embeds
    rows, columns = latents.shape[2:]
    places = torch.zeros(rows, columns, 3, device=latents.device)
    places[..., 1] = torch.arange(rows, device=latents.device)[:, None]
    places[..., 2] = torch.arange(columns, device=latents.device)[None]
    answer = transformer(
        hidden_states=flow.tokens(latents),
        timestep=levels.to(latents.dtype),
        guidance=torch.full_like(levels, guidance, dtype=torch.float32) if transformer.config.guidance_embeds else None,
        pooled_projections=pooled,
        encoder_hidden_states=prompt_embeds,
        txt_ids=torch.zeros(prompt_embeds.shape[1], 3, device=latents.device),
        img_ids=places.flatten(0, 1),
        return_dict=False,
    )[0]
    return flow.from_tokens(answer, latents)


def _guided_velocity(
    loaded: Loaded, embeds: Embeds, _negative: Embeds | None, guidance: float, _reference: torch.Tensor | None
) -> Velocity:
    return partial(velocity, loaded.pipeline.transformer, embeds=embeds, guidance=guidance)


@torch.no_grad()
def embed(loaded: Loaded, prompt: str) -> Embeds:
    """T5's embeddings (1, tokens, width) and CLIP's pooled embedding (1, width), on the CPU."""
    pipeline = loaded.pipeline
    # What the authors set; [schnell] was trained with half of [dev]'s.
    limit = 512 if pipeline.transformer.config.guidance_embeds else 256
    with flow_models.on_device(loaded, *ENCODERS):
        prompt_embeds, pooled, _ = pipeline.encode_prompt(
            prompt, None, device=pipeline.text_encoder_2.device, max_sequence_length=limit
        )
    return prompt_embeds.cpu(), pooled.cpu()


def _tokens(pipeline: Any, text: str) -> torch.Tensor:
    """CLIP's tokens (1, limit) of a text, as the pipeline cuts and fills it."""
    limit = pipeline.tokenizer_max_length
    read = pipeline.tokenizer(text, padding="max_length", max_length=limit, truncation=True, return_tensors="pt")
    tokens: torch.Tensor = read.input_ids
    return tokens


def _pooled(pipeline: Any, tokens: torch.Tensor) -> torch.Tensor:
    """CLIP's pooled embeddings (batch, width) of tokens (batch, limit), with whatever acts on it."""
    clip = pipeline.text_encoder
    pooled: torch.Tensor = clip(tokens.to(clip.device), output_hidden_states=False).pooler_output
    return pooled


def encode(loaded: Loaded, pixels: torch.Tensor) -> torch.Tensor:
    """Pixels (1, 3, height, width) as latents in patches on the CPU, scaled as the transformer wants them."""
    vae = loaded.pipeline.vae
    with flow_models.on_device(loaded, "vae"):
        mean = autoencoder.encode(loaded, pixels)
    return flow.patches((mean - vae.config.shift_factor) * vae.config.scaling_factor).cpu()


def decode(loaded: Loaded, latents: torch.Tensor) -> Image.Image:
    """One picture from latents in patches (1, width, rows, columns)."""
    vae = loaded.pipeline.vae
    scaled = flow.from_patches(latents.float()) / vae.config.scaling_factor + vae.config.shift_factor
    with flow_models.on_device(loaded, "vae"):
        pixels = autoencoder.decode(loaded, scaled)
    return loaded.pipeline.image_processor.postprocess(pixels.float(), output_type="pil")[0]


def _latent_shape(loaded: Loaded, width: int, height: int) -> tuple[int, int, int, int]:
    factor = loaded.pipeline.vae_scale_factor
    return 1, loaded.pipeline.vae.config.latent_channels, height // factor, width // factor


def _mu(settings: Any, token_count: int, _steps: int) -> float:
    return flow.straight_mu(settings, token_count)


FAMILY = FlowFamily(
    pipeline_class=FluxPipeline,
    encoders=ENCODERS,
    layers=trained_by,
    embed=embed,
    velocity=velocity,
    guided_velocity=_guided_velocity,
    knows_negative_prompts=False,
    mu=_mu,
    latent_shape=_latent_shape,
    patches=flow.patches,
    encode=encode,
    decode=decode,
    clip=Clip(tokens=_tokens, pooled=_pooled),
)
