"""What every family with a U-Net does alike: trains, goes on bit for bit, gives out files, draws from them."""

import hashlib
import json
from datetime import UTC, datetime

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import load_file

from app.lora_files import export, metadata
from app.lora_files.families import known as known_families
from app.lora_files.metadata import AdapterFacts
from tests.worker.image import tiny
from worker.engines import checkpoints, registry
from worker.engines.contracts import AdapterFile, EngineError, GenerationInputs, GiveBack, TrainingInputs
from worker.engines.image.base import model_cache, prompts

pytestmark = pytest.mark.slow

EVERYTHING = {
    "steps": 5,
    "sample_prompts": ("a jar",),
    "checkpoint_every": 2,
    "flip": True,
    "crops": 2,
    "extra_resolutions": (96,),
    "noise_offset": 0.05,
    "lr_scheduler": "cosine",
    "warmup_steps": 2,
    "optimizer": "prodigy",
    "learning_rate": 1.0,
    "train_text_encoder": True,
    "network": "rslora",
    "ema_decay": 0.9,
    "gradient_accumulation_steps": 2,
    "class_prompt": "a jar",
    "num_class_images": 3,
}


def train(base, folder, *, out="out", recorder=None, resume_from=None, **changes):
    recorder = recorder or tiny.Recorder()
    inputs = TrainingInputs(base, tiny.pictures(folder / "pictures"), resume_from)
    engine = registry.engine_for(base.family)
    return engine.train(tiny.training_recipe(**changes), inputs, folder / out, recorder), recorder


def draw(base, out, *adapters, batch_size=None, **changes):
    image, mask = changes.pop("image_file", None), changes.pop("mask_file", None)
    inputs = GenerationInputs(base, adapters, image, mask, batch_size=batch_size)
    engine = registry.engine_for(base.family)
    return list(engine.generate(tiny.generation_recipe(**changes), inputs, out, tiny.Recorder()))


def pixels(picture):
    with Image.open(picture.path) as image:
        return np.asarray(image).astype(int)


def digest(path):
    tensors = load_file(path)
    return hashlib.sha256(
        b"".join(name.encode() + tensor.numpy().tobytes() for name, tensor in sorted(tensors.items()))
    ).hexdigest()


# DoRA learns without the text encoder.
DORA = {**EVERYTHING, "network": "dora", "train_text_encoder": False}


@pytest.mark.parametrize(("kind", "at", "everything"), [("xl_base", 1, EVERYTHING), ("base", 3, DORA)])
def test_with_everything_on_a_training_goes_on_bit_for_bit(request, tmp_path, kind, at, everything):
    base = request.getfixturevalue(kind)
    whole, told = train(base, tmp_path, **everything)
    stopped = tiny.Recorder(stop=GiveBack, at=at)
    with pytest.raises(GiveBack):
        train(base, tmp_path, out="first", recorder=stopped, **everything)
    folder, step = stopped.checkpoints[-1]
    assert step == at
    model_cache.drop()
    resumed, told_on = train(base, tmp_path, out="second", resume_from=folder, **everything)
    assert digest(resumed.weights) == digest(whole.weights)
    assert [step.loss for step in told_on.steps] == [step.loss for step in told.steps][at:]
    first, second = (
        checkpoints.read(checkpoints.folder_of(tmp_path / out / "checkpoints", 5)) for out in ("out", "second")
    )
    for kind in ("adapter", "average", "caches"):
        ours, theirs = getattr(first, kind), getattr(second, kind)
        assert ours.keys() == theirs.keys() and ours, kind
        assert all(torch.equal(ours[name], theirs[name]) for name in ours), kind
    assert any(not torch.equal(first.adapter[name], first.average[name]) for name in first.adapter)
    names = {name.split(".")[0] for name in load_file(whole.weights)}
    assert names == {"unet"} | ({"text_encoder", "text_encoder_2"} if everything["train_text_encoder"] else set())


def test_killed_at_a_step_it_goes_on_from_its_files_to_the_same_adapter(elsewhere, base, tmp_path):
    whole, _ = train(base, tmp_path, **EVERYTHING)
    elsewhere.train_until_killed(base, tmp_path / "pictures", tmp_path / "killed", EVERYTHING, at=3)
    folder = checkpoints.folder_of(tmp_path / "killed" / "checkpoints", 2)
    resumed, recorder = train(base, tmp_path, out="on", resume_from=folder, **EVERYTHING)
    assert [step.step for step in recorder.steps] == [3, 4, 5]
    assert digest(resumed.weights) == digest(whole.weights)
    assert {name.split(".")[0] for name in load_file(whole.weights)} == {"unet", "text_encoder"}


DIFFERENT = {
    "network": ("dora", "rslora", "lokr"),
    "optimizer": ("adamw_8bit", "prodigy"),
    "train_text_encoder": (True,),
    "gradient_accumulation_steps": (3,),
    "ema_decay": (0.95,),
    "extra_resolutions": ((96,),),
    "crops": (3,),
    "class_prompt": ("a jar",),
    "noise_offset": (0.1,),
    "min_snr_gamma": (0.1,),
    "flip": (True,),
    "caption_dropout": (0.9,),
    "clip_skip": (2,),
    "max_grad_norm": (1e-3,),
    "weight_decay": (0.9,),
    "warmup_steps": (3,),
    "lr_scheduler": ("cosine",),
}
SAME = {"gradient_checkpointing": True}


def test_each_option_changes_the_outcome(base, tmp_path):
    # Nearly all samples keep their captions and the gradients are small, so that single options show.
    usual = {"steps": 3, "checkpoint_every": 9, "caption_dropout": 0.3, "rank": 16, "learning_rate": 5e-2}
    plain, _ = train(base, tmp_path, **usual)
    outcomes = {"plain": digest(plain.weights)}
    for name, values in DIFFERENT.items():
        for value in values:
            trained, _ = train(base, tmp_path, out=f"{name}-{value}", **(usual | {name: value}))
            outcomes[f"{name}={value}"] = digest(trained.weights)
    alike = {name: [other for other in outcomes if outcomes[other] == outcomes[name]] for name in outcomes}
    assert [names for names in alike.values() if len(names) > 1] == []
    checked, _ = train(base, tmp_path, out="same", **usual, **SAME)
    for name, tensor in load_file(checked.weights).items():
        torch.testing.assert_close(tensor, load_file(plain.weights)[name], atol=2e-3, rtol=2e-2)


@pytest.mark.parametrize(
    ("changes", "others"),
    [
        ({"class_prompt": "a jar", "prior_loss_weight": 1.0}, {"prior_loss_weight": 0.1}),
        ({"class_prompt": "a jar", "num_class_images": 4}, {"num_class_images": 8}),
        ({"train_text_encoder": True, "text_encoder_lr": 1e-5}, {"text_encoder_lr": 1e-3}),
    ],
)
def test_what_belongs_to_an_option_changes_the_outcome_too(base, tmp_path, changes, others):
    one, _ = train(base, tmp_path, steps=2, **changes)
    other, _ = train(base, tmp_path, steps=2, out="other", **(changes | others))
    assert digest(one.weights) != digest(other.weights)


@pytest.mark.parametrize(("network", "name"), [("lokr", "LoKr"), ("dora", "DoRA")])
def test_what_no_library_loads_into_a_text_encoder_is_refused_in_a_sentence(base, tmp_path, network, name):
    with pytest.raises(EngineError, match=name) as raised:
        train(base, tmp_path, network=network, train_text_encoder=True)
    assert raised.value.code == "bad_order"


def test_a_long_caption_is_learned_to_its_end(any_base, tmp_path):
    long = "a jar on a table in the morning light with a blue lid"
    engine = registry.engine_for(any_base.family)
    outcomes = set()
    for number, caption in enumerate((long, long[:-3] + "cap")):
        from dataclasses import replace

        pictures = tuple(replace(one, caption=caption) for one in tiny.pictures(tmp_path / "pictures"))
        inputs = TrainingInputs(any_base, pictures)
        recipe = tiny.training_recipe(steps=2, caption_dropout=0)
        outcomes.add(digest(engine.train(recipe, inputs, tmp_path / str(number), tiny.Recorder()).weights))
    assert len(outcomes) == 2


# Knows nothing of Livery: a fresh pipeline draws with a file that diffusers itself loads.
READER = """
import json, sys
import numpy as np, torch, transformers.integrations.peft
from diffusers import DiffusionPipeline

torch.set_num_threads(1)
# The transformers of today asks for a PEFT of tomorrow before it lets an adapter into a text encoder.
transformers.integrations.peft.MIN_PEFT_VERSION = "0.21.0"
for how, file, out in json.loads(sys.argv[2]):
    pipeline = DiffusionPipeline.from_pretrained(sys.argv[1])
    if how == "load":
        pipeline.load_lora_weights(file)
    elif how == "unet":
        from safetensors import safe_open
        from safetensors.torch import load_file
        with safe_open(file, "pt") as opened:
            facts = json.loads(opened.metadata()["lora_adapter_metadata"])
        pipeline.unet.load_lora_adapter(load_file(file), prefix="unet", metadata=facts)
    images = pipeline(
        "brandx, a jar", width=64, height=64, num_inference_steps=3, guidance_scale=5.0,
        generator=torch.Generator().manual_seed(11), output_type="np",
    ).images
    np.save(out, images[0])
"""


def test_diffusers_in_a_fresh_process_draws_what_the_engine_draws(elsewhere, any_base, tmp_path):
    files, ours = {}, {}
    for network in ("lora", "dora", "rslora", "lokr"):
        trained, _ = train(
            any_base, tmp_path, out=network, network=network, train_text_encoder=network in ("lora", "rslora"), steps=4,
            checkpoint_every=99, learning_rate=6e-2, text_encoder_lr=6e-2, alpha=6.0, ema_decay=0.5,
        )  # fmt: skip
        files[network] = trained.weights
        adapter = AdapterFile(network, trained.weights, 1.0)
        ours[network] = pixels(draw(any_base, tmp_path / f"ours-{network}", adapter, count=1)[0])
    plain = pixels(draw(any_base, tmp_path / "plain", count=1)[0])
    # The same as A1111 and sd-scripts would get it, with both text encoders and the true alpha.
    family = "stable_diffusion_xl" if any_base.family.endswith("xl") else "stable_diffusion_1"
    facts = known_families.get(family)
    known = metadata.BaseModelFacts("tiny", facts.modelspec, facts.sd_scripts, family=family)
    told = AdapterFacts("brand", "Brand", known, 4, 6.0, "brandx", datetime(2026, 11, 24, tzinfo=UTC))
    for network in ("lora", "rslora"):
        files[f"{network}, kohya"] = export.kohya_file(files[network], tmp_path / f"k-{network}.safetensors", told).path
        ours[f"{network}, kohya"] = ours[network]
    orders = [
        ["unet" if network == "lokr" else "load", str(file), str(tmp_path / f"{network}.npy")]
        for network, file in files.items()
    ]
    elsewhere.run(READER, any_base.source, json.dumps(orders))
    for network in files:
        theirs = np.round(np.load(tmp_path / f"{network}.npy") * 255).astype(int)
        assert np.abs(ours[network] - plain).max() > 8, f"{network} must be strong enough to mean something"
        assert np.abs(ours[network] - theirs).max() <= 1, network


def test_a_batch_of_three_equals_three_drawn_alone(xl_base, tmp_path):
    together = draw(xl_base, tmp_path / "together", count=3)
    alone = draw(xl_base, tmp_path / "alone", count=3, batch_size=1)
    for one, other in zip(together, alone, strict=True):
        assert np.abs(pixels(one) - pixels(other)).max() <= 1


def test_xl_pictures_agree_with_the_pipeline_called_by_hand(xl_base, tmp_path):
    ours = draw(xl_base, tmp_path, count=1, negative_prompt="blue")[0]
    pipeline = model_cache.current().pipeline
    theirs = pipeline(
        "brandx, a jar", negative_prompt="blue", width=64, height=64, num_inference_steps=3, guidance_scale=5.0,
        generator=torch.Generator().manual_seed(11), output_type="pil",
    ).images[0]  # fmt: skip
    assert np.abs(pixels(ours) - np.asarray(theirs).astype(int)).max() <= 1


def test_a_prompt_is_read_once_until_an_adapter_changes_how(base, tmp_path, monkeypatch):
    real, read = prompts.encoded, []
    monkeypatch.setattr(prompts, "encoded", lambda *given: read.append(given) or real(*given))
    for number in range(2):
        draw(base, tmp_path / str(number), count=1)
    assert len(read) == 2, "the prompt and the negative one"
    model_cache.drop()
    trained, _ = train(base, tmp_path, train_text_encoder=True, text_encoder_lr=3e-2, learning_rate=1e-6)
    read.clear()
    plain = draw(base, tmp_path / "plain", count=1)[0]
    for strength in (1.0, 1.0, 0.5):
        changed = draw(base, tmp_path / f"{strength}", AdapterFile("t", trained.weights, strength), count=1)[0]
    assert len(read) == 6
    assert np.abs(pixels(changed) - pixels(plain)).max() > 0


@pytest.fixture
def start(tmp_path):
    """A start picture of the size that is asked for, and a mask whose right half is drawn anew."""
    random = np.random.default_rng(5)
    picture = Image.fromarray(random.integers(0, 255, (64, 64, 3), dtype=np.uint8)).resize((64, 64))
    picture.save(tmp_path / "start.png")
    mask = Image.new("L", (64, 64), 0)
    mask.paste(255, (32, 0, 64, 64))
    mask.save(tmp_path / "mask.png")
    return {"image_file": tmp_path / "start.png", "mask_file": tmp_path / "mask.png"}


def twin(base, pipeline, file, **changes):
    """What diffusers' own image-to-image class draws with the same parts."""
    import diffusers

    name = "StableDiffusionXLImg2ImgPipeline" if base.family.endswith("xl") else "StableDiffusionImg2ImgPipeline"
    parts = {key: value for key, value in pipeline.components.items() if key not in ("image_encoder",)}
    if not base.family.endswith("xl"):
        parts |= {"safety_checker": None, "requires_safety_checker": False}
    made = getattr(diffusers, name)(**parts)
    made.set_progress_bar_config(disable=True)
    if base.family.endswith("xl"):
        made.register_to_config(force_zeros_for_empty_prompt=True)
    with Image.open(file) as opened:
        return made(
            "brandx, a jar",
            image=opened.convert("RGB"),
            generator=torch.Generator().manual_seed(11),
            guidance_scale=5.0,
            output_type="pil",
            **changes,
        ).images[0]


def test_it_starts_from_a_picture_as_diffusers_own_pipeline_does(any_base, tmp_path, start, monkeypatch):
    ours = draw(any_base, tmp_path / "o", image_file=start["image_file"], strength=0.6, steps=6, count=1)[0]
    loaded = model_cache.current()
    # Theirs draws from the autoencoder's spread where ours takes the mean; both take the mean here.
    real = loaded.pipeline.vae.encode

    def mean(pixels, **options):
        found = real(pixels, **options)
        found.latent_dist.sample = lambda generator=None: found.latent_dist.mode()
        return found

    monkeypatch.setattr(loaded.pipeline.vae, "encode", mean)
    theirs = twin(any_base, loaded.pipeline, start["image_file"], strength=0.6, num_inference_steps=6)
    assert np.abs(pixels(ours) - np.asarray(theirs).astype(int)).max() <= 2


def test_the_further_the_strength_the_less_of_the_picture(any_base, tmp_path, start):
    with Image.open(start["image_file"]) as opened:
        given = np.asarray(opened).astype(int)
    decoded = draw(any_base, tmp_path / "0", image_file=start["image_file"], strength=0.1, steps=10, count=1)[0]
    near = [
        np.abs(
            pixels(draw(any_base, tmp_path / f"{s}", image_file=start["image_file"], strength=s, steps=10, count=1)[0])
            - pixels(decoded)
        ).mean()
        for s in (0.2, 0.6, 1.0)
    ]
    assert near == sorted(near) and near[0] > 0
    assert given.shape == pixels(decoded).shape


@pytest.mark.parametrize("scheduler", ["default", "euler", "euler_a", "dpmpp_2m", "unipc", "ddim"])
def test_what_the_mask_keeps_stays_to_the_pixel_and_the_rest_changes(base, tmp_path, start, scheduler):
    with Image.open(start["image_file"]) as opened:
        given = np.asarray(opened).astype(int)
    drawn = draw(base, tmp_path / "o", **start, strength=1.0, steps=4, count=2, scheduler=scheduler)
    for picture in drawn:
        assert np.array_equal(pixels(picture)[:, :32], given[:, :32])
        assert np.abs(pixels(picture)[:, 40:] - given[:, 40:]).mean() > 5
    assert np.abs(pixels(drawn[0]) - pixels(drawn[1])).max() > 0


def test_xl_keeps_to_the_mask_and_its_seeds_in_any_batch(xl_base, tmp_path, start):
    with Image.open(start["image_file"]) as opened:
        given = np.asarray(opened).astype(int)
    together = draw(xl_base, tmp_path / "t", **start, strength=0.9, steps=4, count=3)
    alone = draw(xl_base, tmp_path / "a", **start, strength=0.9, steps=4, count=3, batch_size=1)
    for one, other in zip(together, alone, strict=True):
        assert np.array_equal(pixels(one)[:, :32], given[:, :32])
        assert np.abs(pixels(one) - pixels(other)).max() <= 1


def test_a_start_picture_of_another_shape_is_cropped_with_its_mask(base, tmp_path, start):
    picture = Image.new("RGB", (200, 80), "blue")
    picture.paste((255, 255, 255), (60, 0, 140, 80))
    picture.save(tmp_path / "wide.png")
    mask = Image.new("L", (200, 80), 255)
    mask.paste(0, (60, 0, 140, 80))
    mask.save(tmp_path / "wide-mask.png")
    files = {"image_file": tmp_path / "wide.png", "mask_file": tmp_path / "wide-mask.png"}
    drawn = draw(base, tmp_path / "o", **files, strength=1.0, count=1)[0]
    assert (pixels(drawn) == 255).all(), "the middle of the picture is kept whole"


@pytest.mark.parametrize("broken", ["image_file", "mask_file"])
def test_start_pictures_that_cannot_be_read_are_told_in_a_sentence(base, tmp_path, start, broken):
    start[broken].write_bytes(b"nothing")
    with pytest.raises(EngineError) as raised:
        draw(base, tmp_path / "o", **start, count=1)
    assert raised.value.code == "bad_picture"


def test_when_decoding_runs_out_of_memory_it_goes_on_in_tiles(base, tmp_path, monkeypatch):
    expected = draw(base, tmp_path / "expected", count=1)[0]
    vae = model_cache.current().pipeline.vae
    real, tiled = vae.decode, []

    def small_card(latents, **options):
        if not vae.use_tiling:
            raise torch.OutOfMemoryError("CUDA out of memory")
        tiled.append(True)
        return real(latents, **options)

    monkeypatch.setattr(vae, "decode", small_card)
    drawn = draw(base, tmp_path / "drawn", count=1)[0]
    assert tiled and not vae.use_tiling
    assert np.abs(pixels(drawn) - pixels(expected)).mean() < 20
