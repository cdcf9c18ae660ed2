"""The built-in model's layout with tiny random weights, for tests of the code that loads, trains and samples it."""

import torch
from diffusers import StableDiffusionPipeline

from worker.engines.image.base.patch_autoencoder import PatchAutoencoder
from worker.engines.image.builtin.layout import denoiser, pipeline, text_encoder
from worker.engines.image.builtin.tokenizer import train_tokenizer

_WORDS = (
    "flat style rocket on a navy background",
    "rakete im flachen stil auf marineblauem hintergrund",
    "a red apple, soft style, on white",
    "ein roter apfel im weichen stil auf weissem grund",
)


def random_pipeline(seed: int = 0) -> StableDiffusionPipeline:
    """A 128x128 pipeline of the same classes as the shipped model; the same seed gives the same weights.

    It has about 1.2 M parameters and draws noise. The global random state is left as it was.
    """
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        tokenizer = train_tokenizer(_WORDS * 4, size=700)
        made = pipeline(
            PatchAutoencoder(widths=(16, 32), encoder_blocks=(1, 1), decoder_blocks=(1, 1), latent_channels=8),
            text_encoder(tokenizer, width=32, layers=2, heads=2),
            tokenizer,
            denoiser(latent_channels=8, text_width=32, widths=(32, 64), layers=1, head_size=16),
        )
    for part in (made.vae, made.text_encoder, made.unet):
        part.eval()
    return made
