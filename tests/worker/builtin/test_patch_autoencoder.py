"""The autoencoder has the face of AutoencoderKL."""

import pytest
import torch

from worker.engines.image.base.patch_autoencoder import PatchAutoencoder


@pytest.fixture
def autoencoder():
    torch.manual_seed(0)
    return PatchAutoencoder(widths=(16, 32), latent_channels=8)


def test_shapes_and_distribution(autoencoder):
    x = torch.rand(2, 3, 128, 64) * 2 - 1
    posterior = autoencoder.encode(x).latent_dist
    assert posterior.mode().shape == (2, 8, 8, 4)
    sample = posterior.sample(torch.Generator().manual_seed(0))
    assert (sample - posterior.mode()).std().item() == pytest.approx(0.05, rel=0.2)
    (y,) = autoencoder.decode(sample, return_dict=False)
    assert y.shape == x.shape
    assert torch.equal(y, autoencoder.decode(sample).sample)


def test_latents_get_unit_variance_without_changing_pictures(autoencoder):
    x = torch.rand(8, 3, 64, 64) * 2 - 1
    before = autoencoder(x)
    autoencoder.normalise_latents(autoencoder.encode(x).latent_dist.mode())
    z = autoencoder.encode(x).latent_dist.mode()
    assert z.mean(dim=(0, 2, 3)).abs().max() < 1e-3
    assert (z.std(dim=(0, 2, 3)) - 1).abs().max() < 1e-3
    assert torch.allclose(autoencoder(x), before, atol=1e-4)


def test_scale_is_what_pipelines_compute(autoencoder):
    assert 2 ** (len(autoencoder.config.block_out_channels) - 1) == 2 * autoencoder.config.patch_size
    with pytest.raises(ValueError, match="scale"):
        PatchAutoencoder(patch_size=4)


def test_odd_sizes_are_refused(autoencoder):
    with pytest.raises(ValueError, match="multiples of 16"):
        autoencoder.encode(torch.zeros(1, 3, 100, 128))


def test_weights_survive_saving(autoencoder, tmp_path):
    autoencoder.save_pretrained(tmp_path)
    again = PatchAutoencoder.from_pretrained(tmp_path)
    x = torch.rand(1, 3, 32, 32)
    assert torch.equal(again(x), autoencoder(x))
