"""An autoencoder on patches, with the face of diffusers' AutoencoderKL.

Full-resolution convolutions are what makes the usual autoencoder slow on a CPU. Here the picture is folded first
(pixel-unshuffle, Shi et al. 2016, arXiv:1609.05158), so that every convolution works on a small grid: residual blocks
of
3x3 convolutions (He et al. 2016) on patches of `patch_size` pixels, then on patches twice as large.
"""

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from diffusers.configuration_utils import ConfigMixin, register_to_config
from diffusers.models.autoencoders.vae import DecoderOutput, DiagonalGaussianDistribution
from diffusers.models.modeling_utils import ModelMixin
from torch import Tensor, nn


@dataclass
class PatchEncoderOutput:
    """What `PatchAutoencoder.encode` returns, as AutoencoderKL does."""

    latent_dist: DiagonalGaussianDistribution


class _Residual(nn.Module):
    def __init__(self, width: int) -> None:
        super().__init__()
        self.norm = nn.GroupNorm(8, width)
        self.conv1 = nn.Conv2d(width, width, 3, padding=1)
        self.conv2 = nn.Conv2d(width, width, 3, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        return x + self.conv2(F.silu(self.conv1(F.silu(self.norm(x)))))


class PatchAutoencoder(ModelMixin, ConfigMixin):
    """Pictures (n, 3, h, w) in -1..1 to latents (n, latent_channels, h/f, w/f) and back, f = 2 * patch_size.

    Latents have about unit variance per channel (`normalise_latents`), so `scaling_factor` is 1. `block_out_channels`
    is
    read by pipelines only for its length: they take 2 ** (length - 1) as the scale between picture and latents.
    """

    @register_to_config
    def __init__(
        self,
        in_channels: int = 3,
        out_channels: int = 3,
        patch_size: int = 8,
        widths: tuple[int, int] = (160, 320),
        encoder_blocks: tuple[int, int] = (1, 1),
        decoder_blocks: tuple[int, int] = (2, 2),
        latent_channels: int = 32,
        block_out_channels: tuple[int, ...] = (1, 1, 1, 1, 1),
        scaling_factor: float = 1.0,
        posterior_std: float = 0.05,
    ) -> None:
        super().__init__()
        if 2 ** (len(block_out_channels) - 1) != 2 * patch_size:
            raise ValueError(f"block_out_channels must have a length that means a scale of {2 * patch_size}")
        fine, coarse = widths
        self.conv_in = nn.Conv2d(in_channels * patch_size**2, fine, 1)
        self.encoder_fine = nn.Sequential(*(_Residual(fine) for _ in range(encoder_blocks[0])))
        self.down = nn.Conv2d(fine * 4, coarse, 1)
        self.encoder_coarse = nn.Sequential(*(_Residual(coarse) for _ in range(encoder_blocks[1])))
        self.to_latent = nn.Conv2d(coarse, latent_channels, 1)
        self.from_latent = nn.Conv2d(latent_channels, coarse, 3, padding=1)
        self.decoder_coarse = nn.Sequential(*(_Residual(coarse) for _ in range(decoder_blocks[1])))
        self.up = nn.Conv2d(coarse, fine * 4, 1)
        self.decoder_fine = nn.Sequential(*(_Residual(fine) for _ in range(decoder_blocks[0])))
        self.conv_out = nn.Conv2d(fine, out_channels * patch_size**2, 3, padding=1)
        self.register_buffer("latent_shift", torch.zeros(1, latent_channels, 1, 1))
        self.register_buffer("latent_scale", torch.ones(1, latent_channels, 1, 1))

    def encode(self, x: Tensor, return_dict: bool = True) -> PatchEncoderOutput | tuple[DiagonalGaussianDistribution]:
        """Pictures (n, 3, h, w) in -1..1, h and w multiples of f, to a Gaussian over latents (n, c, h/f, w/f).

        Raises ValueError for other sizes.
        """
        factor = 2 * self.config.patch_size
        if x.shape[-1] % factor or x.shape[-2] % factor:
            raise ValueError(f"picture sides must be multiples of {factor}, not {tuple(x.shape[-2:])}")
        h = self.encoder_fine(self.conv_in(F.pixel_unshuffle(x, self.config.patch_size)))
        h = self.to_latent(self.encoder_coarse(self.down(F.pixel_unshuffle(h, 2))))
        mean = (h - self.latent_shift) / self.latent_scale
        spread = torch.full_like(mean, 2 * torch.tensor(self.config.posterior_std).log().item())
        posterior = DiagonalGaussianDistribution(torch.cat([mean, spread], dim=1))
        return PatchEncoderOutput(posterior) if return_dict else (posterior,)

    def decode(
        self, z: Tensor, return_dict: bool = True, generator: torch.Generator | None = None
    ) -> DecoderOutput | tuple[Tensor]:
        """Latents (n, c, h, w) to pictures (n, 3, f*h, f*w), about -1..1 (not clipped). `generator` is not used."""
        h = self.from_latent(z * self.latent_scale + self.latent_shift)
        h = F.pixel_shuffle(self.up(self.decoder_coarse(h)), 2)
        x = F.pixel_shuffle(self.conv_out(self.decoder_fine(h)), self.config.patch_size)
        return DecoderOutput(sample=x) if return_dict else (x,)

    def forward(self, x: Tensor, noise: float = 0.0) -> Tensor:
        """Encode and decode pictures; `noise` is added to the latents in units of their standard deviation."""
        z = self.encode(x).latent_dist.mode()
        return self.decode(z + noise * torch.randn_like(z)).sample

    @torch.no_grad()
    def normalise_latents(self, latents: Tensor) -> None:
        """Set shift and scale so that latents like these (n, c, h, w), as `encode` gives them now, get mean 0,
        variance 1.
        """
        mean = latents.mean(dim=(0, 2, 3), keepdim=True)
        std = latents.std(dim=(0, 2, 3), keepdim=True).clamp_min(1e-6)
        self.latent_shift += self.latent_scale * mean
        self.latent_scale *= std
