"""How the parts of the built-in model fit together, and how they are put in a pipeline, packed and loaded."""

import copy
import json
from pathlib import Path

import torch
from diffusers import DDIMScheduler, StableDiffusionPipeline, UNet2DConditionModel
from transformers import CLIPTextConfig, CLIPTextModel, CLIPTokenizer

from worker.engines.image.base.patch_autoencoder import PatchAutoencoder

MODEL_DIR = Path(__file__).parent / "model"
SIDE = 128
SIZE_LIMIT = 64_000_000


class ModelTooLarge(Exception):
    """The packed model is larger than SIZE_LIMIT bytes."""


def scheduler() -> DDIMScheduler:
    """v-prediction with zero terminal SNR (Lin et al. 2023, arXiv:2305.08891) and trailing time steps."""
    return DDIMScheduler(
        num_train_timesteps=1000,
        beta_start=0.00085,
        beta_end=0.012,
        beta_schedule="scaled_linear",
        clip_sample=False,
        set_alpha_to_one=True,
        prediction_type="v_prediction",
        rescale_betas_zero_snr=True,
        timestep_spacing="trailing",
        steps_offset=1,
    )


def text_encoder(tokenizer: CLIPTokenizer, width: int, layers: int, heads: int) -> CLIPTextModel:
    """A CLIP text model with fresh weights for this tokenizer."""
    return CLIPTextModel(
        CLIPTextConfig(
            vocab_size=len(tokenizer),
            hidden_size=width,
            intermediate_size=width * 4,
            num_hidden_layers=layers,
            num_attention_heads=heads,
            max_position_embeddings=tokenizer.model_max_length,
            projection_dim=width,
            hidden_act="gelu",
            bos_token_id=tokenizer.bos_token_id,
            eos_token_id=tokenizer.eos_token_id,
            pad_token_id=tokenizer.pad_token_id,
        )
    )


def denoiser(
    latent_channels: int, text_width: int, widths: tuple[int, int], layers: int = 1, head_size: int = 32
) -> UNet2DConditionModel:
    """A U-Net at the latents' own size and at half of it, with cross-attention at both.

    The caption also reaches every residual block: pooled by attention and added to the time embedding, which scales and
    shifts the normalised features. The model takes it from the same hidden states, so pipelines need not know.
    """
    return UNet2DConditionModel(
        sample_size=SIDE // 16,
        in_channels=latent_channels,
        out_channels=latent_channels,
        down_block_types=("CrossAttnDownBlock2D", "CrossAttnDownBlock2D"),
        up_block_types=("CrossAttnUpBlock2D", "CrossAttnUpBlock2D"),
        mid_block_type=None,
        block_out_channels=widths,
        layers_per_block=layers,
        cross_attention_dim=text_width,
        attention_head_dim=tuple(w // head_size for w in widths),  # diffusers reads this as the number of heads
        norm_num_groups=8,
        use_linear_projection=True,
        resnet_time_scale_shift="scale_shift",
        addition_embed_type="text",
        addition_embed_type_num_heads=text_width // 32,
    )


def pipeline(
    vae: PatchAutoencoder, text: CLIPTextModel, tokenizer: CLIPTokenizer, unet: UNet2DConditionModel
) -> StableDiffusionPipeline:
    """The parts as an ordinary Stable Diffusion pipeline, without safety checker."""
    made = StableDiffusionPipeline(
        vae=vae,
        text_encoder=text,
        tokenizer=tokenizer,
        unet=unet,
        scheduler=scheduler(),
        safety_checker=None,
        feature_extractor=None,
        image_encoder=None,
        requires_safety_checker=False,
    )
    made.set_progress_bar_config(disable=True)
    return made


def load_pipeline(folder: Path = MODEL_DIR, dtype: torch.dtype = torch.float32) -> StableDiffusionPipeline:
    """Load a model in this layout. Raises OSError if the folder does not hold one."""
    made = StableDiffusionPipeline.from_pretrained(
        str(folder),
        vae=PatchAutoencoder.from_pretrained(str(folder / "vae"), dtype=dtype),
        safety_checker=None,
        dtype=dtype,
        local_files_only=True,
    )
    made.set_progress_bar_config(disable=True)
    return made


def size_of(folder: Path) -> int:
    """Bytes of all files under `folder`."""
    return sum(f.stat().st_size for f in folder.rglob("*") if f.is_file())


def pack(made: StableDiffusionPipeline, folder: Path, limit: int = SIZE_LIMIT) -> int:
    """Write the pipeline's parts as float16 safetensors. Returns the bytes of the folder; raises ModelTooLarge."""
    copy.deepcopy(made).to(torch.float16).save_pretrained(str(folder), safe_serialization=True)
    for file in folder.rglob("*.safetensors"):
        file.chmod(0o644)  # the writer makes them readable for the owner alone
    for file in folder.glob("*/config.json"):
        # Where a part was loaded from is nobody's business, and different on every machine.
        kept = {key: value for key, value in json.loads(file.read_text()).items() if key != "_name_or_path"}
        file.write_text(json.dumps(kept, indent=2) + "\n")
    size = size_of(folder)
    if size > limit:
        raise ModelTooLarge(f"{folder} has {size} bytes, more than {limit}")
    return size
