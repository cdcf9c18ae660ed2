"""The targets of denoisers, and the loss weight of each noise level.

Shapes: latents and noise are (batch, channels, height, width), timesteps (batch,), weights (batch,).
"""

from dataclasses import dataclass
from typing import Any, Literal

import torch

from app.trainings.look.recipe import TrainingRecipe
from worker.engines.contracts import EngineError

PredictionType = Literal["epsilon", "v_prediction", "flow"]


@dataclass(frozen=True)
class NoisySamples:
    """A batch as the denoiser meets it, and what it should say."""

    latents: torch.Tensor
    timesteps: torch.Tensor
    target: torch.Tensor
    weights: torch.Tensor


@dataclass(frozen=True)
class NoiseSchedule:
    """How a noise- or v-predicting base was trained, and how much each noise level counts."""

    prediction_type: PredictionType
    alphas_cumprod: torch.Tensor
    """ᾱ per timestep, float32, on the CPU; the last is zero if the base was made so."""
    min_snr_gamma: float | None

    @classmethod
    def of(cls, scheduler: Any, recipe: TrainingRecipe) -> "NoiseSchedule":
        """From the base's own scheduler. Raises ``EngineError`` (``model_unsupported``)."""
        kind = scheduler.config.prediction_type
        if kind not in ("epsilon", "v_prediction"):
            raise EngineError(
                "model_unsupported", f"The base model predicts “{kind}”, which this training does not know."
            )
        return cls(kind, scheduler.alphas_cumprod.float().cpu().clone(), recipe.min_snr_gamma)

    def draw(self, clean: torch.Tensor, noise_offset: float, generator: torch.Generator) -> NoisySamples:
        """Noise and a timestep for each sample of ``clean`` (batch, channels, height, width), from ``generator``."""
        noise = torch.randn(clean.shape, generator=generator)
        if noise_offset:
            # A shift per channel lets it learn pictures darker or lighter than the average (Guttenberg 2023).
            noise += noise_offset * torch.randn((*clean.shape[:2], 1, 1), generator=generator)
        timesteps = torch.randint(0, len(self.alphas_cumprod), (len(clean),), generator=generator)
        share = signal_share(self.alphas_cumprod, timesteps)
        return NoisySamples(
            latents=add_noise(clean, noise, share),
            timesteps=timesteps,
            target=target(self.prediction_type, clean, noise, share),
            weights=min_snr_weights(self.prediction_type, share, self.min_snr_gamma),
        )


def signal_share(alphas_cumprod: torch.Tensor, timesteps: torch.Tensor) -> torch.Tensor:
    """ᾱ of each timestep, the share of the signal in the noisy latents' variance; (batch,), in 0..1."""
    return alphas_cumprod.to(timesteps.device)[timesteps].float()


def add_noise(latents: torch.Tensor, noise: torch.Tensor, share: torch.Tensor) -> torch.Tensor:
    """√ᾱ·x₀ + √(1-ᾱ)·ε, with ``share`` = ᾱ of shape (batch,). Ho et al. 2020, equation 4."""
    signal, disturbance = _broadcast(share.sqrt(), latents), _broadcast((1 - share).sqrt(), latents)
    return signal * latents + disturbance * noise


def target(
    prediction_type: PredictionType, latents: torch.Tensor, noise: torch.Tensor, share: torch.Tensor
) -> torch.Tensor:
    """The tensor a perfect model would return, of the latents' shape.

    ``epsilon``: the noise. ``v_prediction``: √ᾱ·ε - √(1-ᾱ)·x₀ (Salimans & Ho 2022, appendix D). ``flow``: the
    velocity ε - x₀ of the straight path x_t = (1-t)·x₀ + t·ε (Lipman et al. 2023; the direction that SD3 and Flux use);
    it does not look at ``share``. Raises ``ValueError`` for any other name.
    """
    if prediction_type == "epsilon":
        return noise
    if prediction_type == "v_prediction":
        return _broadcast(share.sqrt(), latents) * noise - _broadcast((1 - share).sqrt(), latents) * latents
    if prediction_type == "flow":
        return noise - latents
    raise ValueError(f"unknown prediction type: {prediction_type}")


def min_snr_weights(prediction_type: PredictionType, share: torch.Tensor, gamma: float | None) -> torch.Tensor:
    """Weight of each sample in the loss; (batch,), float32.

    Hang et al. 2023, "Efficient Diffusion Training via Min-SNR Weighting Strategy": with snr = ᾱ/(1-ᾱ) the weight is
    min(snr, γ)/snr for noise prediction and min(snr, γ)/(snr+1) for v-prediction. Both are written here without a
    division by snr or 1-ᾱ alone, so they stay finite at zero terminal SNR (ᾱ = 0: 1 for noise, 0 for v) and at ᾱ = 1.
    Flow models and ``gamma=None`` count every sample equally.
    """
    if gamma is None or prediction_type == "flow":
        return torch.ones_like(share, dtype=torch.float32)
    share = share.double()
    if prediction_type == "v_prediction":
        return torch.minimum(share, gamma * (1 - share)).float()
    # γ·(1-ᾱ)/ᾱ is infinite at ᾱ = 0, where the minimum with 1 is the right limit.
    return (gamma * (1 - share) / share).clamp(max=1.0).float()


def weighted_mse(prediction: torch.Tensor, wanted: torch.Tensor, weights: torch.Tensor) -> torch.Tensor:
    """Mean over the batch of each sample's mean squared error times its weight, taken in float32; a scalar."""
    errors = (prediction.float() - wanted.float()).square().flatten(1).mean(1)
    return (errors * weights.to(errors.device)).mean()


def _broadcast(values: torch.Tensor, like: torch.Tensor) -> torch.Tensor:
    return values.to(device=like.device, dtype=like.dtype).view(-1, *([1] * (like.ndim - 1)))
