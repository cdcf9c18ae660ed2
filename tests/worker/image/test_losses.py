import pytest
import torch
from diffusers import DDPMScheduler

from worker.engines.image.training import losses


def test_min_snr_weights_of_noise_prediction_are_those_computed_by_hand():
    # snr = share / (1 - share): 9, 1, 1/9; γ = 5 → min(snr, 5)/snr = 5/9, 1, 1.
    weights = losses.min_snr_weights("epsilon", torch.tensor([0.9, 0.5, 0.1]), gamma=5.0)
    assert weights.tolist() == pytest.approx([5 / 9, 1.0, 1.0])


def test_min_snr_weights_of_v_prediction_are_those_computed_by_hand():
    # min(snr, 5)/(snr + 1) = 5/10, 1/2, (1/9)/(10/9).
    weights = losses.min_snr_weights("v_prediction", torch.tensor([0.9, 0.5, 0.1]), gamma=5.0)
    assert weights.tolist() == pytest.approx([0.5, 0.5, 0.1])


@pytest.mark.parametrize(("kind", "at_zero"), [("epsilon", 1.0), ("v_prediction", 0.0)])
def test_weights_are_finite_at_zero_terminal_snr(kind, at_zero):
    weights = losses.min_snr_weights(kind, torch.tensor([0.0, 1.0]), gamma=5.0)
    assert weights[0] == at_zero
    assert torch.isfinite(weights).all()


def test_without_gamma_and_for_flow_every_sample_counts_the_same():
    share = torch.tensor([0.9, 0.1])
    assert losses.min_snr_weights("epsilon", share, None).tolist() == [1.0, 1.0]
    assert losses.min_snr_weights("flow", share, 5.0).tolist() == [1.0, 1.0]


def test_noise_and_velocity_agree_with_the_scheduler_of_diffusers():
    scheduler = DDPMScheduler(beta_schedule="scaled_linear", prediction_type="v_prediction")
    generator = torch.Generator().manual_seed(1)
    latents, noise = (torch.randn(3, 4, 8, 8, generator=generator) for _ in range(2))
    timesteps = torch.tensor([0, 500, 999])
    share = losses.signal_share(scheduler.alphas_cumprod, timesteps)
    torch.testing.assert_close(losses.add_noise(latents, noise, share), scheduler.add_noise(latents, noise, timesteps))
    velocity = losses.target("v_prediction", latents, noise, share)
    torch.testing.assert_close(velocity, scheduler.get_velocity(latents, noise, timesteps))
    assert losses.target("epsilon", latents, noise, share) is noise
    torch.testing.assert_close(losses.target("flow", latents, noise, share), noise - latents)


def test_an_unknown_prediction_type_is_refused():
    with pytest.raises(ValueError, match="sample"):
        losses.target("sample", torch.zeros(1), torch.zeros(1), torch.zeros(1))


def test_the_loss_weighs_samples_not_pixels():
    prediction, wanted = torch.zeros(2, 1, 2, 2), torch.ones(2, 1, 2, 2)
    wanted[1] = 2.0
    assert losses.weighted_mse(prediction, wanted, torch.tensor([1.0, 0.5])).item() == pytest.approx((1 + 0.5 * 4) / 2)
