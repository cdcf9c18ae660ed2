"""Models of the Stable Diffusion families small enough to train in a test, and what goes into a job."""

from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import torch
from diffusers import (
    AutoencoderKL,
    DDIMScheduler,
    EulerDiscreteScheduler,
    StableDiffusionPipeline,
    StableDiffusionXLPipeline,
    UNet2DConditionModel,
)
from PIL import Image
from transformers import CLIPTextConfig, CLIPTextModel, CLIPTextModelWithProjection, CLIPTokenizer

from app.generations.recipe import GenerationRecipe
from app.trainings.look.recipe import TrainingRecipe
from worker.engines.contracts import SamplePicture, Step, TrainingPicture

MULTIPLE = 8
"""Pixels that both sides must be a multiple of: the autoencoder halves twice, the U-Net once."""


def tokenizer(pad_token: str = "<|endoftext|>") -> CLIPTokenizer:
    letters = [chr(code) for code in range(33, 127)]
    words = [*letters, *(letter + "</w>" for letter in letters), "<|startoftext|>", "<|endoftext|>"]
    return CLIPTokenizer(
        vocab={word: index for index, word in enumerate(words)},
        merges=[],
        pad_token=pad_token,
        model_max_length=24,
    )


def pipeline(
    seed: int = 0, prediction_type: str = "epsilon", zero_terminal_snr: bool = False
) -> StableDiffusionPipeline:
    """Random weights in the layout of SD 1.5: cross-attention blocks, GEGLU feed-forward, a KL autoencoder."""
    torch.manual_seed(seed)
    words = tokenizer()
    unet = UNet2DConditionModel(
        sample_size=8,
        block_out_channels=(32, 64),
        layers_per_block=1,
        down_block_types=("DownBlock2D", "CrossAttnDownBlock2D"),
        up_block_types=("CrossAttnUpBlock2D", "UpBlock2D"),
        cross_attention_dim=32,
        attention_head_dim=4,
        norm_num_groups=8,
    )
    vae, text = autoencoder(), CLIPTextModel(text_config(words))
    scheduler = DDIMScheduler(
        beta_start=0.00085,
        beta_end=0.012,
        beta_schedule="scaled_linear",
        clip_sample=False,
        prediction_type=prediction_type,
        rescale_betas_zero_snr=zero_terminal_snr,
        timestep_spacing="trailing" if zero_terminal_snr else "leading",
    )
    return StableDiffusionPipeline(
        vae=vae,
        text_encoder=text,
        tokenizer=words,
        unet=unet,
        scheduler=scheduler,
        safety_checker=None,
        feature_extractor=None,
        requires_safety_checker=False,
    )


def autoencoder() -> AutoencoderKL:
    return AutoencoderKL(
        block_out_channels=(16, 16, 16),
        down_block_types=("DownEncoderBlock2D",) * 3,
        up_block_types=("UpDecoderBlock2D",) * 3,
        latent_channels=4,
        norm_num_groups=8,
        sample_size=32,
    )


def text_config(words: CLIPTokenizer, width: int = 32) -> CLIPTextConfig:
    return CLIPTextConfig(
        vocab_size=len(words),
        hidden_size=width,
        intermediate_size=37,
        num_hidden_layers=2,
        num_attention_heads=4,
        max_position_embeddings=24,
        projection_dim=24,
        bos_token_id=words.bos_token_id,
        eos_token_id=words.eos_token_id,
        pad_token_id=words.pad_token_id,
    )


def xl_pipeline(seed: int = 0) -> StableDiffusionXLPipeline:
    """Random weights in the layout of SDXL: three levels, more transformer layers further down, sizes and a sentence
    vector beside the words, two text encoders of different widths, zeros for an empty prompt."""
    torch.manual_seed(seed)
    words, others = tokenizer(), tokenizer(pad_token="!")
    unet = UNet2DConditionModel(
        sample_size=16,
        block_out_channels=(16, 32, 32),
        layers_per_block=2,
        down_block_types=("DownBlock2D", "CrossAttnDownBlock2D", "CrossAttnDownBlock2D"),
        up_block_types=("CrossAttnUpBlock2D", "CrossAttnUpBlock2D", "UpBlock2D"),
        transformer_layers_per_block=(1, 1, 2),
        cross_attention_dim=32 + 48,
        attention_head_dim=(1, 2, 2),
        use_linear_projection=True,
        addition_embed_type="text_time",
        addition_time_embed_dim=8,
        projection_class_embeddings_input_dim=6 * 8 + 24,
        norm_num_groups=8,
    )
    return StableDiffusionXLPipeline(
        vae=autoencoder(),
        text_encoder=CLIPTextModel(text_config(words)),
        text_encoder_2=CLIPTextModelWithProjection(text_config(words, width=48)),
        tokenizer=words,
        tokenizer_2=others,
        unet=unet,
        scheduler=EulerDiscreteScheduler(
            beta_start=0.00085,
            beta_end=0.012,
            beta_schedule="scaled_linear",
            timestep_spacing="leading",
            steps_offset=1,
        ),
        force_zeros_for_empty_prompt=True,
        add_watermarker=False,
    )


def pictures(folder: Path, count: int = 4, size: tuple[int, int] = (32, 32)) -> tuple[TrainingPicture, ...]:
    """Files of coloured stripes, each cropped whole and scaled to ``size``."""
    folder.mkdir(parents=True, exist_ok=True)
    made = []
    for index in range(count):
        random = np.random.default_rng(index)
        pixels = np.zeros((48, 48, 3), dtype=np.uint8)
        pixels[:, ::4] = random.integers(100, 255, 3)
        pixels[::3] = (200, 20 * index % 255, 90)
        path = folder / f"picture-{index}.png"
        Image.fromarray(pixels).save(path)
        made.append(TrainingPicture(path, f"stripes {index}", 0, 0, 48, 48, *size))
    return tuple(made)


def training_recipe(**changes: object) -> TrainingRecipe:
    order: dict[str, object] = {
        "base_model": "tiny",
        "purpose": "style",
        "trigger_word": "brandx",
        "rank": 4,
        "alpha": 2.0,
        "learning_rate": 1e-3,
        "steps": 6,
        "batch_size": 2,
        "resolution": 64,
        "checkpoint_every": 3,
        "seed": 7,
        "sample_steps": 2,
    }
    return TrainingRecipe.model_validate(order | changes)


def generation_recipe(**changes: object) -> GenerationRecipe:
    order: dict[str, object] = {
        "base_model": "tiny",
        "prompt": "brandx, a jar",
        "width": 64,
        "height": 64,
        "count": 2,
        "seed": 11,
        "steps": 3,
    }
    return GenerationRecipe.model_validate(order | changes)


@dataclass
class Recorder:
    """A Progress that remembers, and raises ``stop`` when ``step`` number ``at`` is reported."""

    stop: type[Exception] | None = None
    at: int = 0
    phases: list[str] = field(default_factory=list)
    steps: list[Step] = field(default_factory=list)
    samples: list[SamplePicture] = field(default_factory=list)
    checkpoints: list[tuple[Path, int]] = field(default_factory=list)
    drawn_calls: list[tuple[int, int]] = field(default_factory=list)
    shortages: list[tuple[int, bool]] = field(default_factory=list)
    smaller: list[tuple[int, bool]] = field(default_factory=list)

    def phase(self, name: str) -> None:
        self.phases.append(name)

    def step(self, step: Step) -> None:
        self.steps.append(step)
        if self.stop is not None and step.step == self.at:
            raise self.stop

    def drawn(self, done: int, total: int) -> None:
        self.drawn_calls.append((done, total))
        if self.stop is not None and len(self.drawn_calls) == self.at:
            raise self.stop

    def sample(self, picture: SamplePicture) -> None:
        self.samples.append(picture)

    def short_of_memory(self, *, micro_batch_size: int, gradient_checkpointing: bool) -> None:
        self.shortages.append((micro_batch_size, gradient_checkpointing))

    def drawing_smaller(self, *, batch_size: int, tiled: bool) -> None:
        self.smaller.append((batch_size, tiled))

    def checkpoint(self, folder: Path, step: int) -> None:
        self.checkpoints.append((folder, step))
