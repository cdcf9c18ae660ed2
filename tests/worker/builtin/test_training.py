"""The training's parts: the optimiser learns, checkpoints are whole, the loss has its targets, ranks are right."""

import pytest
import torch
from torch import nn

from worker.engines.image.builtin import layout, measure
from worker.engines.image.builtin.checkpoints import history, load_checkpoint, note, save_checkpoint
from worker.engines.image.builtin.optimizer import Pair, orthogonalise
from worker.engines.image.builtin.pictures import Picture
from worker.engines.image.builtin.train_autoencoder import compose, edge_loss, psnr, split
from worker.engines.image.builtin.train_denoiser import loss_of

pytestmark = pytest.mark.slow


def test_orthogonalised_matrices_have_singular_values_near_one():
    torch.manual_seed(0)
    for shape in ((16, 40), (40, 16)):
        values = torch.linalg.svdvals(orthogonalise(torch.randn(shape)).float())
        assert values.min() > 0.5 and values.max() < 1.4


def test_the_optimiser_learns_and_goes_on_from_its_state():
    torch.manual_seed(0)
    x = torch.randn(64, 8)
    y = x @ torch.randn(8, 3) + 1

    def fit(model, optimizer, steps):
        for _ in range(steps):
            loss = (model(x) - y).pow(2).mean()
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
        return loss.item()

    model = nn.Linear(8, 3)
    optimizer = Pair(model, 0.02)
    first = fit(model, optimizer, 1)
    later = fit(model, optimizer, 200)
    assert later < first / 5
    again = Pair(model, 0.02)
    again.load_state_dict(optimizer.state_dict())
    assert fit(model, again, 20) <= later * 1.1


def test_a_checkpoint_is_replaced_as_a_whole(tmp_path):
    path = tmp_path / "a" / "x.pt"
    assert load_checkpoint(path) is None
    save_checkpoint(path, {"step": 1})
    save_checkpoint(path, {"step": 2})
    assert load_checkpoint(path) == {"step": 2}
    assert [p.name for p in path.parent.iterdir()] == ["x.pt"]


def test_the_history_adds_up(tmp_path):
    note(tmp_path, "denoiser", 2.0, 100)
    note(tmp_path, "denoiser", 3.0, 50)
    assert history(tmp_path) == {"denoiser": {"minutes": 5.0, "seen": 150}}


def test_composing_keeps_opaque_pixels_and_shows_the_ground_elsewhere():
    rgba = torch.zeros(1, 2, 2, 4, dtype=torch.uint8)
    rgba[0, 0, 0] = torch.tensor([255, 0, 0, 255])
    x = compose(rgba, torch.tensor([[0.0, 1.0, 0.0]]))
    assert x[0, :, 0, 0].tolist() == [1, -1, -1]
    assert x[0, :, 1, 1].tolist() == [-1, 1, -1]


def test_psnr_of_a_known_error():
    a = torch.zeros(1, 3, 4, 4)
    assert psnr(a, a + 0.2).item() == pytest.approx(20, abs=1e-3)  # 0.1 on a scale of 0..1


def test_held_out_pictures_are_not_trained_on():
    plain = [Picture("noto", f"icon-{n}", None) for n in range(1000)]
    twins = [Picture("outlined-noto", f"icon-{n}", None) for n in range(0, 1000, 2)]
    trained, held = split([*plain, *twins])
    unseen = {plain[i].icon for i in held}
    assert len(held) == 300 and not {[*plain, *twins][i].icon for i in trained} & unseen
    assert len(trained) == 700 + sum(p.icon not in unseen for p in twins)
    assert (split(plain)[1] == held).all(), "outlined twins must not change what is held out"


def test_the_edge_loss_sees_a_blurred_line_and_not_a_shift_of_brightness():
    flat = torch.zeros(1, 3, 8, 8)
    assert edge_loss(flat + 0.3).item() == pytest.approx(0, abs=1e-6)
    line = flat.clone()
    line[..., 4] = 1
    assert edge_loss(line).item() == pytest.approx(2 / 7)


def test_a_denoiser_that_knows_the_answer_has_no_loss():
    alphas = layout.scheduler().alphas_cumprod
    assert alphas[-1] == 0
    z = torch.zeros(4, 2, 3, 3)  # then the noised latent is s * noise, and v is a * noise

    class Knows(nn.Module):
        def forward(self, x, t, hidden):
            a, s = alphas[t].sqrt()[:, None, None, None], (1 - alphas[t]).sqrt()[:, None, None, None]
            return type("Output", (), {"sample": (x / s.clamp_min(1e-6) * a)})

    loss, _ = loss_of(Knows(), alphas, z, torch.zeros(4, 1, 1))
    assert loss.item() < 1e-4


def test_features_find_a_picture_again_and_ranks_are_right():
    torch.manual_seed(0)
    real = nn.functional.interpolate(torch.rand(6, 3, 8, 8) * 2 - 1, 128)
    assert measure.rank_of_right((real + 0.05 * torch.randn_like(real)), real).tolist() == [0] * 6
    assert measure.rank_of_right(real.flip(0), real).min() >= 1
