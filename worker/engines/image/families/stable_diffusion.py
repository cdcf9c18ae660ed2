"""The family of Stable Diffusion 1.x: a U-Net that is told a caption by one CLIP text encoder. Our built-in model has
the same layout with an autoencoder of its own. What it shares with XL is in ``unet``."""

import json
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import torch
from diffusers import StableDiffusionPipeline

from app.base_models.vocabulary import load as vocabulary_at
from app.base_models.vocabulary import read
from app.generations.recipe import GenerationRecipe
from app.trainings.look.recipe import Quantization, TrainingRecipe
from worker.engines.contracts import Base, GeneratedPicture, GenerationInputs, Progress, TrainedAdapter, TrainingInputs
from worker.engines.image.base import model_cache, prompts, single_file
from worker.engines.image.base.model_cache import Loaded
from worker.engines.image.base.patch_autoencoder import PatchAutoencoder
from worker.engines.image.drawing import frame
from worker.engines.image.families import unet
from worker.engines.image.families.unet import Captions, Conditioning, UNetFamily
from worker.engines.image.training import loop

BUILTIN_MODEL = Path(__file__).parents[1] / "builtin" / "model"


def train(recipe: TrainingRecipe, inputs: TrainingInputs, out: Path, progress: Progress) -> TrainedAdapter:
    """Train one adapter, of the U-Net and if asked of the text encoder; see ``contracts.Engine``."""
    return loop.train(FAMILY.training, recipe, inputs, out, progress)


def generate(
    recipe: GenerationRecipe, inputs: GenerationInputs, out: Path, progress: Progress
) -> Iterator[GeneratedPicture]:
    """Draw the pictures, from noise, from a picture or within a mask; see ``contracts.Engine``."""
    recipe = recipe.model_copy(update={"prompt": as_taught(inputs.base, recipe.prompt, inputs.trigger_words)})
    return frame.generate(FAMILY.drawing, recipe, inputs, out, progress)


def load(base: Base, kind: Quantization = "none", offload: str | None = None) -> Loaded:
    """See ``unet.load``."""
    return unet.load(FAMILY, base, kind, offload)


def as_taught(base: Base, text: str, trigger_words: Sequence[str]) -> str:
    """The prompt or caption with every thing by the name that the base was taught, where its folder tells the names.

    Drawing and training read in the same way, so that an adapter finds what it learned."""
    folder = _folder(base)
    known = vocabulary_at(folder / "words.json") if folder is not None else None
    return text if known is None else read(known, text, trigger_words).drawn


def _folder(base: Base) -> Path | None:
    """Where the base is on this disk; None for one that comes from a hub, and for a single file."""
    if base.source == "builtin":
        return BUILTIN_MODEL
    return Path(base.source) if Path(base.source).is_absolute() and not single_file.is_one(base) else None


@torch.no_grad()
def _read(pipeline: Any, recipe: TrainingRecipe, texts: Sequence[str]) -> Callable[[Sequence[str]], Captions]:
    read = {text: prompts.pieces(pipeline.tokenizer, text) for text in dict.fromkeys(texts)}
    if not recipe.train_text_encoder:
        limit = pipeline.tokenizer.model_max_length
        read = {
            text: prompts.encoded(pipeline.text_encoder, ids[None], recipe.clip_skip).view(len(ids), limit, -1).cpu()
            for text, ids in read.items()
        }

    def captions(chosen: Sequence[str]) -> Captions:
        pieces, mask = unet.joined([read[text] for text in chosen], read[""])
        return Captions((pieces,), mask)

    return captions


def _condition(
    pipeline: Any, recipe: TrainingRecipe, batch: unet.Batch, part: slice, device: torch.device, dtype: torch.dtype
) -> tuple[torch.Tensor, None]:
    read = batch.captions.read[0][part].to(device)
    if recipe.train_text_encoder:
        return prompts.encoded(pipeline.text_encoder, read, recipe.clip_skip).to(dtype), None
    return read.flatten(1, 2).to(dtype), None


def _load_pipeline(base: Base, dtype: torch.dtype) -> Any:
    without_checker = {"safety_checker": None, "requires_safety_checker": False}
    if single_file.is_one(base):
        return single_file.stable_diffusion(StableDiffusionPipeline, base, dtype, **without_checker)
    folder = _folder(base)
    local, source = folder is not None, str(folder or base.source)
    own: dict[str, Any] = {}
    with model_cache.loading_in_words(base, source if local else None):
        if local and _autoencoder_class(source) == PatchAutoencoder.__name__:
            own["vae"] = PatchAutoencoder.from_pretrained(source, subfolder="vae", use_safetensors=True)
        return StableDiffusionPipeline.from_pretrained(
            source,
            revision=base.revision if not local else None,
            local_files_only=local,
            use_safetensors=True,
            dtype=dtype,
            **without_checker,
            **own,
        )


def _autoencoder_class(folder: str) -> str:
    return str(json.loads(Path(folder, "vae", "config.json").read_text()).get("_class_name"))


FAMILY = UNetFamily(
    pipeline_class=StableDiffusionPipeline,
    load_pipeline=_load_pipeline,
    conditioning=Conditioning(
        encoders=("text_encoder",),
        as_taught=as_taught,
        embed=prompts.embed_pair,
        read=_read,
        caption_scales=lambda *_: None,
        condition=_condition,
        time_ids=lambda _: None,
    ),
    # SD 1.5 in half precision with guidance takes about 1 GB per picture of 512 × 512 beside the weights.
    bytes_per_pixel=4096,
)
