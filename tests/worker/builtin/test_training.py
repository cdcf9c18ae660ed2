"""The training's parts: the optimiser learns, checkpoints are whole, the loss has its targets, ranks are right."""

import json
from dataclasses import asdict

import numpy as np
import pytest
import torch
from torch import nn

from worker.engines.image.base.patch_autoencoder import PatchAutoencoder
from worker.engines.image.builtin import layout
from worker.engines.image.builtin.making import measure
from worker.engines.image.builtin.making.concepts import Concept
from worker.engines.image.builtin.making.pictures import Picture, ink_of, save
from worker.engines.image.builtin.making.prepare import read_concepts
from worker.engines.image.builtin.making.training import decoder as train_decoder
from worker.engines.image.builtin.making.training import samples, text_encoder
from worker.engines.image.builtin.making.training.autoencoder import compose, edge_loss, psnr, split
from worker.engines.image.builtin.making.training.checkpoints import history, load_checkpoint, note, save_checkpoint
from worker.engines.image.builtin.making.training.denoiser import Examples, Sampler, cache_latents, loss_of
from worker.engines.image.builtin.making.training.optimizer import Pair, orthogonalise
from worker.engines.image.builtin.making.words.captions import STYLES
from worker.engines.image.builtin.stand_in import random_pipeline

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
    plain = [Picture("noto", "noto", f"icon-{n}", None) for n in range(1000)]
    twins = [Picture("outlined-noto", "noto", f"icon-{n}", None) for n in range(0, 1000, 2)]
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


def test_an_outline_of_another_colour_is_always_named_with_its_colour():
    examples = object.__new__(Examples)
    examples.rng = np.random.default_rng(0)
    examples.pictures = [Picture("outlined-fluent-emoji-flat", "fluent-emoji-flat", "rocket", "rocket")]
    examples.concepts = {"rocket": Concept("rocket", "1f680", ("rocket",), ("rakete",), 5)}
    own, varied = ([examples.caption(0, place, 0) for _ in range(200)] for place in (0, 1))
    assert 90 < sum("outlined" in text or "umrandet" in text for text in own) < 150, "two in five name no style"
    its = ink_of(examples.pictures[0], 1)
    assert all(f"{its.english} outlined" in text or f"{its.german} umrandet" in text for text in varied)
    assert not any(f"{its.english} outlined" in text or f"{its.german} umrandet" in text for text in own)


def test_a_style_of_lines_is_always_named_where_the_concept_has_others():
    examples = object.__new__(Examples)
    examples.rng = np.random.default_rng(0)
    examples.pictures = [Picture("silhouette", "mdi", "rocket", "rocket"), Picture("noto", "noto", "rocket", "rocket")]
    rocket = Concept("rocket", "1f680", ("rocket",), ("rakete",), 5, styles=("noto", "silhouette"))
    examples.concepts = {"rocket": rocket}
    lines, plain = ([examples.caption(n, 0, 0) for _ in range(200)] for n in (0, 1))
    words = ("silhouette", "solid", "einfarbig")
    assert all(any(word in text for word in words) for text in lines)
    assert any("detail" not in text and "schattiert" not in text and "shaded" not in text for text in plain)


def test_every_concept_is_drawn_equally_often_and_in_each_of_its_styles_those_of_one_colour_less_often():
    many = [Picture(style, style, "cup", "cup") for style in ("noto", "twemoji", "silhouette", "line")]
    some = [Picture("silhouette", icon_set, "drill", "drill") for icon_set in ("mdi", "ph", "solar")]
    pictures, rng = [*many, *some, Picture("line", "tabler", "drill", "drill")], np.random.default_rng(0)
    sampler = Sampler(pictures)
    drawn = np.bincount([sampler.draw(rng) for _ in range(8000)], minlength=len(pictures)) / 8000
    assert drawn[:4] == pytest.approx([0.5 / 2.7] * 2 + [0.35 / 5.4] * 2, abs=0.02)
    assert drawn[4:] == pytest.approx([1 / 12] * 3 + [1 / 4], abs=0.02)


def test_captions_and_thumbnails_know_only_what_there_are_pictures_of(tmp_path):
    rng = np.random.default_rng(0)
    cup = Concept("cup", "", ("cup",), ("tasse",), 7, styles=("noto", "silhouette"))
    drill = Concept("drill", "", ("drill",), ("bohrmaschine",), 7, styles=("silhouette",))
    _, labels = samples.sample_captions(rng, [cup, drill], 400)
    none = len(STYLES)
    noto, silhouette = (samples.STYLE_NAMES.index(style) for style in ("noto", "silhouette"))
    assert {tuple(row[:2]) for row in labels.tolist()} == {
        *((0, style) for style in (noto, silhouette, none)),
        *((1, style) for style in (silhouette, none)),
    }
    assert (labels[labels[:, 1] == noto, 3] == 0).all() and (labels[labels[:, 1] == silhouette, 3] > 0).any()
    pictures = [
        Picture("noto", "noto", "cup", "cup"),
        Picture("silhouette", "mdi", "cup", "cup"),
        Picture("silhouette", "ph", "drill", "drill"),
        Picture("silhouette", "mdi", "drill", "drill"),
    ]
    pixels = np.full((4, 1, 16, 16, 4), 255, np.uint8)
    pixels[:, ..., 0] = np.array([255, 51, 102, 0])[:, None, None, None]
    save(tmp_path, "denoiser", zip(pictures, pixels, strict=True))
    red = text_encoder._thumbnails(tmp_path, [cup, drill])[:, :, 0].mean((2, 3))
    assert red[0, [noto, silhouette, none]].tolist() == pytest.approx([1, 0.2, 1])
    assert red[1, [noto, silhouette, none]].tolist() == pytest.approx([0, 0.2, 0.2])


def test_latents_and_captions_are_of_the_pictures_that_there_are(tmp_path):
    pictures = [
        Picture("noto", "noto", "cup", "cup"),
        Picture("silhouette", "mdi", "cup", "cup"),
        Picture("silhouette", "ph", "drill", "drill"),
    ]
    pixels = np.random.default_rng(0).integers(0, 255, (3, 2, 128, 128, 4), dtype=np.uint8)
    save(tmp_path, "denoiser", zip(pictures, pixels, strict=True))
    cup = Concept("cup", "", ("cup",), ("tasse",), 7, styles=("noto", "silhouette"))
    drill = Concept("drill", "", ("drill",), ("bohrmaschine",), 7, styles=("silhouette",))
    (tmp_path / "concepts.json").write_text(json.dumps([asdict(concept) for concept in (cup, drill)]))
    assert read_concepts(tmp_path) == [cup, drill]
    made = random_pipeline()
    for part in ("vae", "text_encoder", "tokenizer"):
        getattr(made, part).save_pretrained(str(tmp_path / part))
    cache_latents(tmp_path, processes=1)
    examples = Examples(tmp_path, 0, torch.device("cpu"))
    assert examples.latents.shape == (3, 2, 3, 8, 8, 8)
    z, hidden = examples.draw(6)
    assert z.shape == (6, 8, 8, 8) and hidden.shape == (6, 32, 32)
    texts = [examples.caption(2, 1, 0) for _ in range(20)]
    assert all("drill" in text or "bohrmaschine" in text for text in texts)


def test_features_find_a_picture_again_and_ranks_are_right():
    torch.manual_seed(0)
    real = nn.functional.interpolate(torch.rand(6, 3, 8, 8) * 2 - 1, 128)
    assert measure.rank_of_right((real + 0.05 * torch.randn_like(real)), real).tolist() == [0] * 6
    assert measure.rank_of_right(real.flip(0), real).min() >= 1


def test_the_contrast_loss_sees_a_blurred_line_and_not_one_that_moved_inside_its_cell():
    sharp = torch.zeros(1, 3, 33, 33)
    sharp[..., 15:18] = 1
    moved = sharp.roll(1, -1)
    blurred = nn.functional.avg_pool2d(sharp, 5, 1, 2, count_include_pad=False)
    assert train_decoder.contrast_loss(sharp, sharp).item() == 0
    assert train_decoder.contrast_loss(moved, sharp).item() == pytest.approx(0, abs=1e-6)
    assert train_decoder.contrast_loss(blurred, sharp).item() > 0.05


def test_both_losses_pull_equally_hard_once_balanced():
    torch.manual_seed(0)
    weights = torch.randn(5, requires_grad=True)
    error, doubt = (weights**2).sum(), 40 * weights.sum()
    balanced = train_decoder.balance(error, doubt, weights) * doubt
    pull = torch.autograd.grad(error, weights, retain_graph=True)[0].norm()
    assert torch.autograd.grad(balanced, weights)[0].norm().item() == pytest.approx(pull.item(), rel=1e-5)


def test_the_critic_learns_to_tell_a_blurred_patch_from_a_sharp_one():
    torch.manual_seed(0)
    judge = train_decoder.critic(8)
    optimizer = torch.optim.AdamW(judge.parameters(), 2e-3, betas=(0.5, 0.99))

    def pictures():
        sharp = nn.functional.interpolate(torch.randint(0, 2, (8, 3, 8, 8)).float() * 2 - 1, 32)
        return sharp, nn.functional.avg_pool2d(sharp, 5, 1, 2)

    for _ in range(80):
        sharp, blurred = pictures()
        loss = (1 - judge(sharp)).relu().mean() + (1 + judge(blurred)).relu().mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    sharp, blurred = pictures()
    assert (judge(sharp).mean((1, 2, 3)) > judge(blurred).mean((1, 2, 3))).all()


def test_training_the_decoder_leaves_the_latents_as_they_are(tmp_path):
    rng = np.random.default_rng(0)
    pixels = np.repeat(np.repeat(rng.integers(0, 255, (320, 1, 8, 8, 4), dtype=np.uint8), 16, 2), 16, 3)
    pictures = [Picture("noto", "noto", f"icon-{n}", None) for n in range(320)]
    save(tmp_path, "ae", zip(pictures, pixels, strict=True))
    torch.manual_seed(0)
    before = PatchAutoencoder(widths=(16, 32), encoder_blocks=(1, 1), decoder_blocks=(1, 1), latent_channels=8)
    before.save_pretrained(tmp_path / "vae")
    train_decoder.train(train_decoder.Options(tmp_path, minutes=0.03, batch=4, processes=1))
    after = PatchAutoencoder.from_pretrained(str(tmp_path / "vae"))
    x = torch.rand(2, 3, 128, 128) * 2 - 1
    with torch.no_grad():
        assert torch.equal(before.encode(x).latent_dist.mode(), after.encode(x).latent_dist.mode())
        assert not torch.equal(before(x), after(x))
    assert history(tmp_path)["decoder alone"]["seen"] > 0 and load_checkpoint(tmp_path / "decoder.pt")


def test_what_a_model_knows_keeps_the_names_and_styles_that_it_knows(tmp_path):
    cheese = Concept("cheese-wedge", "1f9c0", ("cheese", "dairy"), ("käse",), 4, styles=("noto", "hand-drawn"))
    sofa = Concept("sofa", "", ("sofa",), ("sofa",), 7, styles=("silhouette",))
    words = {
        "things": {"cheese-wedge": {"en": {"name": "cheese wedge"}, "de": {"name": "Käsestück"}}},
        "about": {"en": ["detailed", "bold"], "de": []},
    }
    (tmp_path / "words.json").write_text(json.dumps(words))
    ours, theirs = text_encoder.known_to(tmp_path, [sofa, cheese])
    assert ours == [cheese]
    [known] = theirs
    assert (known.english, known.german) == (("cheese wedge", "dairy"), ("käsestück",))
    assert known.styles == ("noto",)
