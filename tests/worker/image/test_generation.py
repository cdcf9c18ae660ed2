import numpy as np
import pytest
import torch
from diffusers import StableDiffusionPipeline
from PIL import Image
from safetensors.torch import load_file, save_file

from app.generations import schedulers as app_schedulers
from tests.worker.image import tiny
from worker.engines.contracts import AdapterFile, Base, Cancelled, EngineError, GenerationInputs, GiveBack
from worker.engines.image.base import hot_swap, lora, model_cache, prompts
from worker.engines.image.drawing import noise, schedulers
from worker.engines.image.families import stable_diffusion

pytestmark = pytest.mark.slow


def adapter_file(folder, base, *, seed=0, key=None, strength=1.0, rank=4, alpha=2.0, size=0.4):
    """An adapter of random numbers, large enough to change every picture."""
    unet = stable_diffusion.load(base).pipeline.unet
    generator = torch.Generator().manual_seed(seed)
    targets = lora.TARGETS["attention_and_feed_forward"]
    lora.inject(unet, rank, alpha, targets, generator)
    tensors = {name: torch.randn(tensor.shape, generator=generator) * size for name, tensor in lora.state(unet).items()}
    path = folder / f"adapter-{seed}.safetensors"
    lora.save({"unet": tensors}, rank, alpha, {"unet": targets}, path)
    hot_swap.forget(stable_diffusion.load(base))
    return AdapterFile(key or f"key-{seed}", path, strength)


def draw(base, out, *adapters, recorder=None, batch_size=None, **changes):
    recipe = tiny.generation_recipe(**changes)
    inputs = GenerationInputs(base, adapters, batch_size=batch_size)
    return list(stable_diffusion.generate(recipe, inputs, out, recorder or tiny.Recorder()))


def pixels(picture):
    with Image.open(picture.path) as image:
        return np.asarray(image).astype(int)


def difference(one, other):
    return int(np.abs(pixels(one) - pixels(other)).max())


def test_pictures_have_their_seeds_sizes_and_no_metadata(base, tmp_path):
    recorder = tiny.Recorder()
    pictures = draw(base, tmp_path, count=3, width=96, height=64, recorder=recorder)
    assert [(p.index, p.seed, p.width, p.height, p.strength) for p in pictures] == [
        (0, 11, 96, 64, 1.0), (1, 12, 96, 64, 1.0), (2, 13, 96, 64, 1.0)
    ]  # fmt: skip
    with Image.open(pictures[0].path) as image:
        assert (image.format, image.size, image.info) == ("PNG", (96, 64), {})
    assert recorder.drawn_calls == [(3, 9), (6, 9), (9, 9)]
    assert difference(pictures[0], pictures[1]) > 0


def test_the_samplers_on_offer_are_those_that_draw():
    offered = {one.key: one.for_flow for one in app_schedulers.SCHEDULERS}
    assert offered == {name: name in schedulers.FLOW_BY_NAME for name in schedulers.BY_NAME}


@pytest.mark.parametrize("scheduler", ["default", *schedulers.BY_NAME])
def test_a_batch_of_four_equals_four_drawn_alone(base, tmp_path, scheduler):
    together = draw(base, tmp_path / "together", count=4, scheduler=scheduler)
    alone = draw(base, tmp_path / "alone", count=4, scheduler=scheduler, batch_size=1)
    assert max(difference(one, other) for one, other in zip(together, alone, strict=True)) <= 1


def test_the_same_order_draws_the_same_bytes(base, tmp_path):
    adapter = adapter_file(tmp_path, base)
    first = draw(base, tmp_path / "a", adapter)
    torch.manual_seed(5)
    model_cache.drop()
    second = draw(base, tmp_path / "b", adapter)
    assert [p.path.read_bytes() for p in first] == [p.path.read_bytes() for p in second]


def test_the_strip_goes_from_the_base_to_more_than_the_adapter(base, tmp_path):
    adapter = adapter_file(tmp_path, base)
    strip = draw(base, tmp_path / "strip", adapter, count=4, strengths=(0, 0.5, 1.0, 2.0))
    assert {p.seed for p in strip} == {11} and [p.strength for p in strip] == [0, 0.5, 1, 2]
    plain = draw(base, tmp_path / "plain", count=1)
    assert strip[0].path.read_bytes() == plain[0].path.read_bytes()
    full = draw(base, tmp_path / "full", adapter, count=1)
    assert strip[2].path.read_bytes() == full[0].path.read_bytes()
    changes = [np.abs(pixels(p) - pixels(plain[0])).mean() for p in strip]
    assert changes == sorted(changes) and changes[1] > 0


def test_after_an_adapter_the_base_draws_as_before(base, tmp_path):
    before = draw(base, tmp_path / "before", count=1)
    draw(base, tmp_path / "with", adapter_file(tmp_path, base), count=1)
    after = draw(base, tmp_path / "after", count=1)
    assert before[0].path.read_bytes() == after[0].path.read_bytes()


def test_another_sampler_leaves_the_models_own_in_place(base, tmp_path):
    before = draw(base, tmp_path / "before", count=1)
    draw(base, tmp_path / "euler", count=1, scheduler="euler")
    after = draw(base, tmp_path / "after", count=1)
    assert before[0].path.read_bytes() == after[0].path.read_bytes()


def test_adapters_act_together_with_their_strengths(base, tmp_path):
    one, two = adapter_file(tmp_path, base, seed=1), adapter_file(tmp_path, base, seed=2)
    both = draw(base, tmp_path / "both", one, two, count=1)
    half = AdapterFile(two.key, two.path, 0.5)
    assert difference(both[0], draw(base, tmp_path / "half", one, half, count=1)[0]) > 0
    zero = AdapterFile(two.key, two.path, 0.0)
    assert (
        difference(draw(base, tmp_path / "zero", one, zero, count=1)[0], draw(base, tmp_path / "one", one, count=1)[0])
        == 0
    )


def test_adapters_stay_loaded_the_oldest_goes_and_the_base_is_never_loaded_again(base, tmp_path, monkeypatch):
    adapters = [adapter_file(tmp_path, base, seed=seed) for seed in range(6)]
    model_cache.drop()
    loads = []
    real = StableDiffusionPipeline.from_pretrained
    monkeypatch.setattr(StableDiffusionPipeline, "from_pretrained", lambda *a, **k: loads.append(a) or real(*a, **k))
    for adapter in [*adapters[:4], adapters[0], adapters[4], adapters[5]]:
        draw(base, tmp_path / adapter.key, adapter, count=1, steps=1)
    assert len(loads) == 1
    loaded = stable_diffusion.load(base)
    assert list(loaded.adapters) == ["key-3", "key-0", "key-4", "key-5"]
    assert set(loaded.pipeline.get_list_adapters()["unet"]) == set(loaded.adapters.values())
    again = draw(base, tmp_path / "again", adapters[1], count=1, steps=1)
    assert difference(again[0], draw(base, tmp_path / "more", adapters[2], count=1, steps=1)[0]) > 0


def test_another_base_replaces_the_kept_one(base, tmp_path):
    other_folder = tmp_path / "other"
    tiny.pipeline(seed=1).save_pretrained(other_folder)
    first = draw(base, tmp_path / "a", count=1)
    second = draw(Base("other", "stable_diffusion", str(other_folder)), tmp_path / "b", count=1)
    assert difference(first[0], second[0]) > 0
    third = draw(base, tmp_path / "c", count=1)
    assert first[0].path.read_bytes() == third[0].path.read_bytes()


def test_variations_start_from_the_seed_and_drift_with_their_strength(base, tmp_path):
    origin = draw(base, tmp_path / "origin", count=1)[0]
    near = draw(base, tmp_path / "near", count=2, variation_strength=0.05)
    far = draw(base, tmp_path / "far", count=2, variation_strength=0.6)
    full = draw(base, tmp_path / "full", count=1, variation_strength=1.0)
    assert [p.seed for p in near] == [12, 13]
    moved = [np.abs(pixels(p) - pixels(origin)).mean() for p in (near[0], far[0])]
    assert 0 < moved[0] < moved[1]
    assert difference(near[0], near[1]) > 0
    assert difference(full[0], draw(base, tmp_path / "other", count=1, seed=12)[0]) <= 1


def test_slerp_keeps_the_length_of_noise():
    generator = torch.Generator().manual_seed(0)
    a, b = (torch.randn(1, 4, 16, 16, generator=generator) for _ in range(2))
    half = noise.slerp(a, b, 0.5)
    assert half.norm().item() == pytest.approx((a.norm().item() + b.norm().item()) / 2, rel=0.02)
    torch.testing.assert_close(noise.slerp(a, b, 0.0), a)
    torch.testing.assert_close(noise.slerp(a, b, 1.0), b)
    torch.testing.assert_close(noise.slerp(a, a, 0.3), a)


def test_a_long_prompt_is_read_to_its_end(base, tmp_path):
    long = "a jar on a table in the morning light with a blue lid"
    assert prompts.embed(stable_diffusion.load(base).pipeline, long).shape[1] > 24
    first = draw(base, tmp_path / "a", prompt=long, count=1)
    second = draw(base, tmp_path / "b", prompt=long[:-3] + "cap", count=1)
    assert difference(first[0], second[0]) > 0
    assert draw(base, tmp_path / "c", prompt="short", negative_prompt=long, count=1)


def test_a_short_prompt_is_embedded_as_the_pipeline_embeds_it(base):
    pipeline = stable_diffusion.load(base).pipeline
    with torch.no_grad():
        theirs, their_negative = pipeline.encode_prompt("a jar", "cpu", 1, True, "blue")
    ours = prompts.embed_pair(pipeline, "a jar", "blue")
    torch.testing.assert_close(ours.prompt, theirs)
    torch.testing.assert_close(ours.negative, their_negative)


def test_pictures_agree_with_the_pipeline_called_by_hand(base, tmp_path):
    ours = draw(base, tmp_path, count=1)[0]
    pipeline = stable_diffusion.load(base).pipeline
    theirs = pipeline(
        "brandx, a jar", negative_prompt="", width=64, height=64, num_inference_steps=3, guidance_scale=5.0,
        generator=torch.Generator().manual_seed(11), output_type="pil",
    ).images[0]  # fmt: skip
    assert np.abs(pixels(ours) - np.asarray(theirs).astype(int)).max() <= 1


def test_without_guidance_the_negative_prompt_does_nothing(base, tmp_path):
    first = draw(base, tmp_path / "a", guidance_scale=1, negative_prompt="x", count=1)
    second = draw(base, tmp_path / "b", guidance_scale=1, negative_prompt="y", count=1)
    assert first[0].path.read_bytes() == second[0].path.read_bytes()


def test_pictures_come_one_by_one_and_cancelling_keeps_those_that_are_complete(base, tmp_path):
    kept = draw(base, tmp_path, count=4, batch_size=1, recorder=tiny.Recorder(stop=Cancelled, at=5))
    assert [p.index for p in kept] == [0]
    assert sorted(p.name for p in tmp_path.iterdir()) == ["picture-00.png"]


def test_short_of_memory_it_draws_fewer_at_once(base, tmp_path, monkeypatch):
    expected = draw(base, tmp_path / "expected", count=4)
    real, sizes = StableDiffusionPipeline.__call__, []

    def small_card(pipeline, *, latents, **asked):
        sizes.append(len(latents))
        if len(latents) > 1:
            raise torch.OutOfMemoryError("CUDA out of memory")
        return real(pipeline, latents=latents, **asked)

    monkeypatch.setattr(StableDiffusionPipeline, "__call__", small_card)
    recorder = tiny.Recorder()
    drawn = draw(base, tmp_path / "drawn", count=4, recorder=recorder)
    assert sizes == [4, 2, 1, 1, 1, 1] and [p.index for p in drawn] == [0, 1, 2, 3]
    assert recorder.drawn_calls[-1] == (12, 12)
    assert max(difference(one, other) for one, other in zip(expected, drawn, strict=True)) <= 1


def test_giving_back_goes_through(base, tmp_path):
    with pytest.raises(GiveBack):
        draw(base, tmp_path, recorder=tiny.Recorder(stop=GiveBack, at=2))
    assert draw(base, tmp_path, count=1), "the kept model must be usable after it was interrupted"


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"width": 68}, "bad_size"),
        ({"scheduler": "magic"}, "unknown_scheduler"),
        ({"count": 3, "strengths": (0, 1)}, "bad_order"),
    ],
)
def test_what_cannot_be_drawn_is_refused_with_a_code(base, tmp_path, changes, code):
    with pytest.raises(EngineError) as raised:
        draw(base, tmp_path, **changes)
    assert raised.value.code == code and raised.value.sentence.endswith(".")


def test_an_adapter_of_another_base_is_refused_and_leaves_nothing_behind(base, tmp_path):
    good = adapter_file(tmp_path, base)
    reference = draw(base, tmp_path / "reference", good, count=1)
    tensors = load_file(good.path)
    name = next(iter(tensors))

    def changed(title, change):
        copy = dict(tensors)
        change(copy)
        path = tmp_path / f"{title}.safetensors"
        save_file(copy, path)
        return AdapterFile(title, path, 1.0)

    hostile = [
        changed("shape", lambda t: t.update({name: torch.zeros(t[name].shape[0], t[name].shape[1] + 1)})),
        changed("layer", lambda t: t.update({name.replace("down_blocks.1", "down_blocks.7"): t.pop(name)})),
        changed(
            "extra",
            lambda t: t.update(
                {
                    k.replace("down_blocks.1", "down_blocks.9"): v.clone()
                    for k, v in tensors.items()
                    if "down_blocks.1" in k
                }
            ),
        ),
        changed("nan", lambda t: t.update({name: torch.full_like(t[name], float("nan"))})),
        changed("names", lambda t: t.update({"something": t.pop(name)})),
    ]
    (tmp_path / "text.safetensors").write_bytes(b"not a file of tensors")
    hostile.append(AdapterFile("text", tmp_path / "text.safetensors", 1.0))
    for adapter in hostile:
        with pytest.raises(EngineError) as raised:
            draw(base, tmp_path / "x", adapter, count=1)
        assert raised.value.code == ("adapter_unreadable" if adapter.key == "text" else "adapter_mismatch"), adapter.key
        after = draw(base, tmp_path / "after", good, count=1)
        assert after[0].path.read_bytes() == reference[0].path.read_bytes(), adapter.key


@pytest.mark.parametrize("scheduler", ["default", *schedulers.BY_NAME])
def test_the_layout_of_the_built_in_model_draws_with_every_sampler(tmp_path, scheduler, monkeypatch):
    stand_in = pytest.importorskip("worker.engines.image.builtin.stand_in")
    made = stand_in.random_pipeline(0)
    made.save_pretrained(tmp_path / "model")
    monkeypatch.setattr(stable_diffusion, "BUILTIN_MODEL", tmp_path / "model")
    built_in = Base("builtin", "stable_diffusion", "builtin")
    pictures = draw(built_in, tmp_path, width=128, height=128, scheduler=scheduler)
    assert all(pixels(p).std() > 1 for p in pictures)
