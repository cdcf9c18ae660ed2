"""What a training reads of captions and pictures: long beside short ones, no caption at all, unusual autoencoders."""

import dataclasses
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import load_file

from tests.worker.image import tiny
from worker.engines import registry
from worker.engines.contracts import Base, GenerationInputs, TrainedAdapter, TrainingInputs
from worker.engines.image.base import model_cache, prompts
from worker.engines.image.drawing import unet_drawing
from worker.engines.image.families import stable_diffusion_xl
from worker.engines.image.training import dataset

pytestmark = pytest.mark.slow
LONG = "a very long caption that says everything there is to say about these stripes"


def train(base: Base, folder: Path, captions: tuple[str, ...] = (), **changes: Any) -> TrainedAdapter:
    pictures = tiny.pictures(folder.parent / "pictures")
    if captions:
        pictures = tuple(dataclasses.replace(one, caption=told) for one, told in zip(pictures, captions, strict=False))
    asked = {"steps": 2, "checkpoint_every": 99, "batch_size": 4, "caption_dropout": 0.0} | changes
    engine = registry.engine_for(base.family)
    return engine.train(tiny.training_recipe(**asked), TrainingInputs(base, pictures), folder, tiny.Recorder())


@pytest.mark.parametrize("on_words", [False, True])
def test_a_short_caption_beside_a_long_one_reads_what_it_reads_alone(
    any_base: Base, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, on_words: bool
) -> None:
    """With batches of one and their gradients added up, every caption is alone: so must it be in a batch of four."""
    captions = (LONG, "red", "blue", LONG)
    at_rate = {"learning_rate": 1e-5, "max_grad_norm": 100.0, "optimizer": "prodigy", "train_text_encoder": on_words}
    seen: list[Any] = []
    train(any_base, tmp_path / "warm", captions, steps=1)
    unet = model_cache.current().pipeline.unet
    real = unet.forward

    def watched(*given: Any, encoder_attention_mask: Any = None, **named: Any) -> Any:
        answer = real(*given, encoder_attention_mask=encoder_attention_mask, **named)
        if encoder_attention_mask is not None and len(given[0]) == 4:
            with torch.no_grad():
                for place in range(4):
                    own = int(encoder_attention_mask[place].sum())
                    alone = [one[place : place + 1] for one in given[:3]]
                    alone[2] = alone[2][:, :own]
                    added = {k: v[place : place + 1] for k, v in (named.get("added_cond_kwargs") or {}).items()}
                    apart = real(*alone, **(named | ({"added_cond_kwargs": added} if added else {})))[0]
                    filled = real(
                        *[one[place : place + 1] for one in given[:3]], **(named | {"added_cond_kwargs": added})
                    )
                    seen.append((own, (answer[0][place : place + 1] - apart).abs().max().item()))
                    seen[-1] += ((filled[0] - apart).abs().max().item(),)
        return answer

    monkeypatch.setattr(unet, "forward", watched)
    train(any_base, tmp_path / "out", captions, **at_rate)
    assert len({own for own, *_ in seen}) > 1, "captions of one and of several pieces"
    assert max(masked for _, masked, _ in seen) < 1e-5
    assert max(filled for _, _, filled in seen) > 1e-4, "unmasked they would read words that say nothing"


def test_captions_of_one_length_need_no_mask() -> None:
    piece = torch.zeros(1, 24)
    assert prompts.padding_mask([piece, piece], 24) is None
    told = prompts.padding_mask([piece, torch.zeros(3, 24)], 24)
    assert told is not None and told.shape == (2, 72) and told.sum(1).tolist() == [24, 72]


def test_a_dropped_caption_is_zeros_half_the_time_and_an_empty_text_the_other(xl_base: Base, tmp_path: Path) -> None:
    family, spoken = stable_diffusion_xl.FAMILY, []
    real = family.conditioning.caption_scales
    noted = replace(family.conditioning, caption_scales=lambda *given: spoken.append(real(*given)) or spoken[-1])
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(stable_diffusion_xl, "FAMILY", replace(family, conditioning=noted))
        one = train(xl_base, tmp_path / "one", steps=10, caption_dropout=1.0)
        told = torch.cat(spoken)
        again = train(xl_base, tmp_path / "again", steps=10, caption_dropout=1.0)
        train(xl_base, tmp_path / "none", steps=2)
    assert 0.3 < told.mean().item() < 0.7 and set(told.flatten().tolist()) == {0.0, 1.0}
    ours, theirs = load_file(one.weights), load_file(again.weights)
    assert all(torch.equal(ours[name], theirs[name]) for name in ours), "by the seed alone"
    assert (torch.cat(spoken[-2:]) == 1).all(), "where there is a caption, it is read"
    assert 0.47 < np.mean([dataset.coin(3, number, place) for number in range(500) for place in range(4)]) < 0.53


def test_weight_decay_leaves_the_lengths_of_a_dora_alone(any_base: Base, tmp_path: Path) -> None:
    asked = {"network": "dora", "steps": 1, "learning_rate": 0.1}
    free, pulled = (
        load_file(train(any_base, tmp_path / str(decay), weight_decay=decay, **asked).weights) for decay in (0.0, 1.0)
    )
    lengths = [name for name in free if "magnitude" in name]
    assert lengths and all(torch.equal(free[name], pulled[name]) for name in lengths)
    assert not any(torch.equal(free[name], pulled[name]) for name in free if "lora_A" in name)


def test_an_autoencoder_with_a_mean_of_its_own_is_read_as_diffusers_reads_it(tmp_path: Path) -> None:
    pipeline = tiny.xl_pipeline()
    pipeline.vae.register_to_config(latents_mean=[-1.6, 2.2, -0.1, 0.3], latents_std=[8.4, 0.5, 3.0, 5.9])
    pipeline.save_pretrained(tmp_path / "base")
    base = Base("playground", "stable_diffusion_xl", str(tmp_path / "base"))
    engine = registry.engine_for(base.family)
    order = tiny.generation_recipe(count=1)
    [drawn] = engine.generate(order, GenerationInputs(base), tmp_path / "drawn", tiny.Recorder())
    loaded = model_cache.current()
    theirs = loaded.pipeline(
        "brandx, a jar", width=64, height=64, num_inference_steps=3, guidance_scale=5.0,
        generator=torch.Generator().manual_seed(11), output_type="np",
    ).images[0]  # fmt: skip
    with Image.open(drawn.path) as image:
        assert np.abs(np.asarray(image).astype(int) - np.round(theirs * 255).astype(int)).max() <= 1
    pixels = torch.rand(1, 3, 32, 32) * 2 - 1
    plain = loaded.pipeline.vae.encode(pixels).latent_dist.mode()
    own = unet_drawing.encoded(loaded, pixels)
    mean, spread = (
        torch.tensor(loaded.pipeline.vae.config[name]).view(1, -1, 1, 1) for name in ("latents_mean", "latents_std")
    )
    factor = loaded.pipeline.vae.config.scaling_factor
    assert torch.allclose(own * spread / factor + mean, plain, atol=1e-5)


TAGS = "stripes, red, blue, green, wide"


def test_captions_are_shuffled_by_the_seed_alone_and_their_first_parts_stay() -> None:
    orders = dataset.caption_orders(f"brandx, {TAGS}", 2, 7)
    assert len(orders) == dataset.ORDERS and orders[0] == f"brandx, {TAGS}"
    assert all(order.startswith("brandx, stripes, ") for order in orders)
    assert len(set(orders)) == 4 and {tuple(sorted(order.split(", "))) for order in orders} == {
        tuple(sorted(orders[0].split(", ")))
    }
    assert dataset.caption_orders(f"brandx, {TAGS}", 2, 7) == orders != dataset.caption_orders(f"brandx, {TAGS}", 2, 8)
    assert dataset.caption_orders("brandx, red,, blue", 1, 7) == ("brandx, red, blue", "brandx, blue, red")
    assert dataset.caption_orders("brandx, red", 1, 7) == ("brandx, red",)
    picked = [dataset.order_at(4, 7, number, place) for number in range(400) for place in range(2)]
    assert all(170 < picked.count(order) < 230 for order in range(4))


def test_shuffling_changes_what_is_learned_and_keeps_to_what_it_is_told(any_base: Base, tmp_path: Path) -> None:
    tags = (TAGS,) * 4
    plain, one, again, other = (
        load_file(train(any_base, tmp_path / name, tags, **changes).weights)
        for name, changes in (
            ("plain", {}),
            ("one", {"shuffle_caption": True}),
            ("again", {"shuffle_caption": True}),
            ("other", {"shuffle_caption": True, "keep_tokens": 4}),
        )
    )
    name = next(key for key in plain if "lora_B" in key)
    assert torch.equal(one[name], again[name])
    assert len({tuple(found[name].flatten().tolist()) for found in (plain, one, other)}) == 3


def test_clip_skip_reads_the_layer_before_the_last_while_learning_and_drawing(base: Base, tmp_path: Path) -> None:
    engine = registry.engine_for(base.family)
    drawn = {}
    for skip in (1, 2):
        order = tiny.generation_recipe(count=1, clip_skip=skip)
        [made] = engine.generate(order, GenerationInputs(base), tmp_path / str(skip), tiny.Recorder())
        with Image.open(made.path) as image:
            drawn[skip] = np.asarray(image).astype(int)
    assert np.abs(drawn[1] - drawn[2]).max() > 0
    pipeline = model_cache.current().pipeline
    ids = prompts.pieces(pipeline.tokenizer, "a jar")[None]
    encoder = pipeline.text_encoder
    shorter = encoder.encoder.layers[:-1]
    expected = prompts.encoded(encoder, ids, 2)
    whole, encoder.encoder.layers = encoder.encoder.layers, shorter
    try:
        assert torch.allclose(prompts.encoded(encoder, ids), expected, atol=1e-6), "as if the last layer were not there"
    finally:
        encoder.encoder.layers = whole
    assert not torch.allclose(prompts.encoded(encoder, ids), expected, atol=1e-3)
