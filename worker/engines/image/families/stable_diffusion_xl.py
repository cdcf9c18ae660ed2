"""The family of Stable Diffusion XL: a U-Net that is told a caption by two CLIP text encoders, the second one's pooled
embedding, and sizes. What it shares with 1.x is in ``unet``.

SDXL's own autoencoder overflows in float16 to black pictures, which is what the widespread "fp16-fix" copy of it cures;
in float32, as here, the original is right, and tiles make it fit where memory is short. The refiner is not used.
"""

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import torch
from diffusers import StableDiffusionXLPipeline

from app.generations.recipe import GenerationRecipe
from app.trainings.look.recipe import Quantization, TrainingRecipe
from worker.engines.contracts import Base, GeneratedPicture, GenerationInputs, Progress, TrainedAdapter, TrainingInputs
from worker.engines.image.base import model_cache, prompts, single_file
from worker.engines.image.base.model_cache import Loaded
from worker.engines.image.drawing import frame
from worker.engines.image.families import unet
from worker.engines.image.families.unet import Captions, Conditioning, UNetFamily
from worker.engines.image.training import dataset, loop
from worker.engines.image.training.batches import Drawn


def train(recipe: TrainingRecipe, inputs: TrainingInputs, out: Path, progress: Progress) -> TrainedAdapter:
    """Train one adapter, of the U-Net and if asked of both text encoders; see ``contracts.Engine``."""
    return loop.train(FAMILY.training, recipe, inputs, out, progress)


def generate(
    recipe: GenerationRecipe, inputs: GenerationInputs, out: Path, progress: Progress
) -> Iterator[GeneratedPicture]:
    """Draw the pictures, from noise, from a picture or within a mask; see ``contracts.Engine``."""
    return frame.generate(FAMILY.drawing, recipe, inputs, out, progress)


def load(base: Base, kind: Quantization = "none", offload: str | None = None) -> Loaded:
    """See ``unet.load``."""
    return unet.load(FAMILY, base, kind, offload)


@torch.no_grad()
def _read(pipeline: Any, recipe: TrainingRecipe, texts: Sequence[str]) -> Callable[[Sequence[str]], Captions]:
    tokenizers = (pipeline.tokenizer, pipeline.tokenizer_2)
    tokens = {text: [prompts.pieces(one, text) for one in tokenizers] for text in dict.fromkeys(texts)}
    if recipe.train_text_encoder:

        def tokens_of(chosen: Sequence[str]) -> Captions:
            (first, mask), (second, _) = (
                unet.joined([tokens[text][n] for text in chosen], tokens[""][n]) for n in (0, 1)
            )
            return Captions((first, second), mask)

        return tokens_of

    embeddings, pooled = {}, {}
    for text, pair in tokens.items():
        layers, sentence = prompts.encoded_by_two(_encoders(pipeline), [one[None] for one in pair])
        embeddings[text] = layers.view(*pair[0].shape, -1).cpu()
        pooled[text] = sentence[0].cpu()

    def embeddings_of(chosen: Sequence[str]) -> Captions:
        pieces, mask = unet.joined([embeddings[text] for text in chosen], embeddings[""])
        return Captions((pieces, torch.stack([pooled[text] for text in chosen])), mask)

    return embeddings_of


def _condition(
    pipeline: Any, recipe: TrainingRecipe, batch: unet.Batch, part: slice, device: torch.device, dtype: torch.dtype
) -> tuple[torch.Tensor, dict[str, torch.Tensor]]:
    first, second = (one[part].to(device) for one in batch.captions.read)
    scales = batch.caption_scales[part].to(device)
    if recipe.train_text_encoder:
        embedding, pooled = prompts.encoded_by_two(_encoders(pipeline), (first, second))
    else:
        embedding, pooled = first.flatten(1, 2), second
    added = {
        "text_embeds": (pooled * scales).to(dtype),
        "time_ids": batch.size_conditions[part].to(device, dtype),
    }
    return (embedding * scales[..., None]).to(dtype), added


def caption_scales(pipeline: Any, drawn: Drawn, seed: int) -> torch.Tensor:
    """(batch, 1): 0 where a dropped caption is read as zeros, else 1.

    Where a base was made with zeros for no caption, every other dropped caption is zeros and the others are the reading
    of an empty text: diffusers draws against the one, ComfyUI, A1111 and Forge against the other. ``seed`` and the
    sample's place decide which.
    """
    zeros = pipeline.config.force_zeros_for_empty_prompt
    return torch.tensor(
        [
            [0.0 if zeros and not caption and dataset.coin(seed, drawn.number, place) else 1.0]
            for place, caption in enumerate(drawn.captions)
        ]
    )


def _encoders(pipeline: Any) -> tuple[Any, Any]:
    return pipeline.text_encoder, pipeline.text_encoder_2


def _time_ids(recipe: GenerationRecipe) -> torch.Tensor:
    return torch.tensor([[recipe.height, recipe.width, 0, 0, recipe.height, recipe.width]])


def _load_pipeline(base: Base, dtype: torch.dtype) -> Any:
    if single_file.is_one(base):
        return single_file.stable_diffusion(StableDiffusionXLPipeline, base, dtype, add_watermarker=False)
    local = Path(base.source).is_absolute()
    with model_cache.loading_in_words(base, base.source if local else None):
        return StableDiffusionXLPipeline.from_pretrained(
            base.source,
            revision=base.revision if not local else None,
            local_files_only=local,
            use_safetensors=True,
            add_watermarker=False,
            dtype=dtype,
        )


FAMILY = UNetFamily(
    pipeline_class=StableDiffusionXLPipeline,
    load_pipeline=_load_pipeline,
    conditioning=Conditioning(
        encoders=("text_encoder", "text_encoder_2"),
        as_taught=lambda _base, text, _trigger_words: text,
        # Both encoders' last layer but one, whatever the clip skip.
        embed=lambda pipeline, prompt, negative, _: prompts.embed_pair_for_two(pipeline, prompt, negative),
        read=_read,
        caption_scales=caption_scales,
        condition=_condition,
        time_ids=_time_ids,
    ),
    # With guidance in half precision beside the weights; an estimate from the widest layers, 3.7 GB for 1024 × 1024.
    bytes_per_pixel=3500,
)
