"""FLUX.1 and FLUX.2 klein, with tiny random weights in the very classes of the real ones: all that both must do."""

import hashlib
import json
from datetime import UTC, datetime
from types import ModuleType, SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from diffusers import Flux2KleinInpaintPipeline, FluxImg2ImgPipeline, FluxInpaintPipeline
from PIL import Image
from safetensors import safe_open
from safetensors.torch import load_file, save_file
from torch._dynamo.utils import counters

from app.adapters.sidecar import facts_for
from app.base_models import catalogue
from app.lora_files import export
from tests.worker.image import tiny, tiny_flux
from worker.engines import checkpoints, registry
from worker.engines.contracts import (
    AdapterFile,
    Base,
    Cancelled,
    EngineError,
    GenerationInputs,
    TrainingInputs,
)
from worker.engines.image.base import autoencoder, block_swap, model_cache
from worker.engines.image.drawing import schedulers
from worker.engines.image.families import flow, flow_models, flux, flux2_klein
from worker.engines.image.training import compiling, latents, losses

pytestmark = pytest.mark.slow

MAKE: dict[str, Any] = {
    "dev": tiny_flux.flux,
    "schnell": lambda: tiny_flux.flux(guidance_embeds=False),
    "klein": tiny_flux.klein,
}
FAMILY = {"dev": "flux", "schnell": "flux", "klein": "flux2_klein"}
both = pytest.mark.parametrize("name", ["dev", "klein"])


@pytest.fixture(scope="module")
def bases(tmp_path_factory):
    folder = tmp_path_factory.mktemp("bases")
    for name, make in MAKE.items():
        make().save_pretrained(folder / name)
    return {name: Base(f"tiny-{name}", FAMILY[name], str(folder / name)) for name in MAKE}


@pytest.fixture(scope="module")
def pictures(tmp_path_factory):
    return tiny.pictures(tmp_path_factory.mktemp("pictures"), count=3)


@pytest.fixture(scope="module")
def start(tmp_path_factory):
    """A start picture and a mask whose right half is drawn anew."""
    folder = tmp_path_factory.mktemp("start")
    colours = np.random.default_rng(0).integers(0, 255, (4, 4, 3), dtype=np.uint8)
    Image.fromarray(colours).resize((64, 64), Image.Resampling.BICUBIC).save(folder / "picture.png")
    mask = np.zeros((64, 64), np.uint8)
    mask[:, 32:] = 255
    Image.fromarray(mask).save(folder / "mask.png")
    return folder


def engine(base: Base) -> ModuleType:
    return registry.engine_for(base.family)  # type: ignore[return-value]


def train(base, pictures, out, *, resume_from=None, recorder=None, **changes):
    recorder = recorder or tiny.Recorder()
    recipe = tiny.training_recipe(**changes)
    return engine(base).train(recipe, TrainingInputs(base, pictures, resume_from), out, recorder), recorder


def draw(base, out, *adapters, recorder=None, image=None, mask=None, batch_size=None, **changes):
    inputs = GenerationInputs(base, adapters, image=image, mask=mask, batch_size=batch_size)
    return list(engine(base).generate(tiny.generation_recipe(**changes), inputs, out, recorder or tiny.Recorder()))


def pixels(picture):
    with Image.open(picture.path) as image:
        return np.asarray(image.convert("RGB")).astype(int)


def digest(path):
    tensors = load_file(path)
    content = b"".join(name.encode() + tensor.numpy().tobytes() for name, tensor in sorted(tensors.items()))
    return hashlib.sha256(content).hexdigest()


def by_hand(base, **changes):
    pipeline = MAKE[base.key.removeprefix("tiny-")]()
    order = {
        "prompt": "brandx, a jar",
        "width": 64,
        "height": 64,
        "num_inference_steps": 3,
        "guidance_scale": 5.0,
        "generator": torch.Generator().manual_seed(11),
        "max_sequence_length": 256 if base.key == "tiny-schnell" else 512,
    }
    pipeline.set_progress_bar_config(disable=True)
    return pipeline, order | changes


# Drawing ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", MAKE)
def test_pictures_agree_with_the_pipeline_called_by_hand(bases, tmp_path, name):
    ours = draw(bases[name], tmp_path, count=1)[0]
    pipeline, order = by_hand(bases[name])
    theirs = pipeline(**order).images[0]
    assert np.abs(pixels(ours) - np.asarray(theirs).astype(int)).max() <= 1
    assert pixels(ours).std() > 5


def test_a_start_picture_agrees_with_the_image_to_image_pipeline(bases, tmp_path, start):
    base = bases["dev"]
    ours = draw(base, tmp_path, count=1, steps=4, strength=0.5, image=start / "picture.png")[0]
    pipeline, order = by_hand(base, num_inference_steps=4, strength=0.5)
    loaded = flux.load(base, "none")
    picture = torch.from_numpy(np.asarray(Image.open(start / "picture.png")).astype(np.float32)) / 127.5 - 1
    # Latents, because the pipeline would draw from the autoencoder's spread, and from the generator.
    latents = flow.from_patches(flux.encode(loaded, picture.permute(2, 0, 1)[None]))
    theirs = FluxImg2ImgPipeline(**pipeline.components)(image=latents, **order).images[0]
    assert np.abs(pixels(ours) - np.asarray(theirs).astype(int)).max() <= 2


@both
def test_with_a_mask_it_agrees_with_the_inpainting_pipeline_and_keeps_the_rest_to_the_pixel(
    bases, tmp_path, start, name
):
    base = bases[name]
    files = {"image": start / "picture.png", "mask": start / "mask.png"}
    ours = pixels(draw(base, tmp_path, count=1, steps=4, strength=0.75, **files)[0])
    before = np.asarray(Image.open(files["image"])).astype(int)
    assert np.array_equal(ours[:, :32], before[:, :32])
    assert np.abs(ours - before)[:, 36:].mean() > 10

    pipeline, order = by_hand(base, num_inference_steps=4, strength=0.75)
    parts = {key: value for key, value in pipeline.components.items() if value is not None}
    if name == "dev":
        loaded = flux.load(base, "none")
        picture = torch.from_numpy(before.astype(np.float32)) / 127.5 - 1
        latents = flow.from_patches(flux.encode(loaded, picture.permute(2, 0, 1)[None]))
        order |= {"image": latents, "masked_image_latents": torch.zeros(1, 16, 8, 8)}
        made = FluxInpaintPipeline(**parts)
    else:
        made = Flux2KleinInpaintPipeline(**parts, is_distilled=False)
        order |= {"image": Image.open(files["image"])}
    theirs = made(mask_image=Image.open(files["mask"]), **order).images[0]
    assert np.abs(ours - np.asarray(theirs).astype(int))[:, 36:].max() <= 2


@pytest.mark.parametrize(
    ("name", "scheduler"), [*(("dev", one) for one in ("default", *schedulers.FLOW_BY_NAME)), ("klein", "default")]
)
def test_a_batch_of_two_equals_two_drawn_alone(bases, tmp_path, name, scheduler):
    together = draw(bases[name], tmp_path / "together", scheduler=scheduler)
    alone = draw(bases[name], tmp_path / "alone", scheduler=scheduler, batch_size=1)
    assert max(np.abs(pixels(a) - pixels(b)).max() for a, b in zip(together, alone, strict=True)) <= 1
    assert all(np.isfinite(pixels(p)).all() and pixels(p).std() > 1 for p in together)


def test_other_samplers_come_to_the_same_picture_with_many_steps(bases, tmp_path):
    found = [
        pixels(draw(bases["dev"], tmp_path / name, count=1, steps=40, scheduler=name)[0])
        for name in schedulers.FLOW_BY_NAME
    ]
    assert all(np.abs(found[0] - other).mean() < 3 for other in found[1:])


def test_an_unknown_sampler_and_a_size_between_patches_are_refused(bases, tmp_path):
    for changes, code in (({"scheduler": "ddim"}, "unknown_scheduler"), ({"width": 68}, "bad_size")):
        with pytest.raises(EngineError) as raised:
            draw(bases["dev"], tmp_path, **changes)
        assert raised.value.code == code


def test_guidance_is_an_input_of_dev_nothing_to_schnell_and_a_second_pass_for_klein(bases, tmp_path):
    def differs(name, **changes):
        one = draw(bases[name], tmp_path / "one", count=1, guidance_scale=2.0)[0]
        return np.abs(pixels(one) - pixels(draw(bases[name], tmp_path / "two", count=1, **changes)[0])).max() > 0

    assert differs("dev", guidance_scale=6.0)
    assert not differs("schnell", guidance_scale=6.0)
    assert differs("klein", guidance_scale=6.0)
    assert differs("klein", guidance_scale=2.0, negative_prompt="lettering")
    assert not differs("dev", guidance_scale=2.0, negative_prompt="lettering")


@both
def test_a_prompt_is_read_once_and_the_base_loaded_once(bases, tmp_path, name, monkeypatch):
    loads, reads = [], []
    real = flow_models.load_pipeline
    monkeypatch.setattr(flow_models, "load_pipeline", lambda *a: loads.append(a) or real(*a))
    draw(bases[name], tmp_path, count=1, steps=1)
    pipeline = engine(bases[name]).FAMILY.pipeline_class
    read = pipeline.encode_prompt
    monkeypatch.setattr(pipeline, "encode_prompt", lambda *a, **k: reads.append(a) or read(*a, **k))
    draw(bases[name], tmp_path, count=2, steps=1)
    draw(bases[name], tmp_path, count=1, steps=1, prompt="another")
    assert [prompt for _, prompt, *_ in reads] == ["another"] and len(loads) == 1


# Training ---------------------------------------------------------------------------------------------------------


def loss_now(base, pictures, kind):
    """The mean loss on noise levels and noise that are always the same."""
    module = engine(base)
    loaded = module.load(base, kind)
    generator = torch.Generator().manual_seed(99)
    inputs = TrainingInputs(base, pictures)
    cached = latents.cached(
        loaded, tiny.training_recipe(), inputs, tiny.Recorder(), lambda seen: module.encode(loaded, seen)
    )
    clean = torch.cat([picture.variants[0][0].latents for picture in cached])
    noise, levels = torch.randn(clean.shape, generator=generator), torch.tensor([0.3, 0.6, 0.8])
    embeds = tuple(one.expand(3, *one.shape[1:]) for one in module.embed(loaded, "brandx"))
    with torch.no_grad():
        noisy = flow.add_noise(clean, noise, levels)
        predicted = module.velocity(loaded.pipeline.transformer, noisy, levels, embeds)
    return losses.weighted_mse(predicted, noise - clean, torch.ones(3)).item()


@pytest.mark.parametrize(
    ("name", "kind"),
    [("dev", "none"), ("schnell", "none"), ("klein", "none"), ("dev", "nf4"), ("klein", "int8")],
)
def test_training_lowers_the_loss_and_leaves_the_base_alone(bases, pictures, tmp_path, name, kind):
    base = bases[name]
    transformer = engine(base).load(base, kind).pipeline.transformer
    before = {key: tensor.clone() for key, tensor in transformer.state_dict().items()}
    first = loss_now(base, pictures, kind)
    trained, _ = train(
        base,
        pictures,
        tmp_path,
        steps=24,
        checkpoint_every=99,
        learning_rate=1e-2,
        quantization=kind,
        target_modules="attention_and_feed_forward",
    )
    after = transformer.state_dict()
    assert before.keys() == after.keys()
    assert all(torch.equal(before[key], after[key]) for key in before)
    flow_models.load_adapter(engine(base).load(base, kind).pipeline, AdapterFile("t", trained.weights, 1.0), "t")
    assert loss_now(base, pictures, kind) < 0.97 * first


KILLED_AS = [
    ("dev", {"quantization": "nf4", "network": "dora"}),
    ("klein", {"quantization": "int8", "network": "lokr"}),
    # Large enough that its moments are kept in 8 bits; those of smaller tensors are kept in full.
    ("dev", {"optimizer": "adamw_8bit", "rank": 64, "train_text_encoder": True, "text_encoder_lr": 1e-2}),
]


@pytest.mark.parametrize(("name", "changes"), KILLED_AS)
def test_a_training_killed_in_the_middle_goes_on_bit_for_bit(elsewhere, bases, pictures, tmp_path, name, changes):
    # The same pictures in their own folder, as the killed process makes them again.
    base, folder = bases[name], pictures[0].path.parent
    own = tiny.pictures(folder)
    asked = {"steps": 4, "checkpoint_every": 2, "sample_prompts": ("a jar",)} | changes
    elsewhere.train_until_killed(base, folder, tmp_path / "killed", asked, at=3)
    checkpoint = checkpoints.folder_of(tmp_path / "killed" / "checkpoints", 2)
    resumed, recorder = train(base, own, tmp_path / "resumed", resume_from=checkpoint, **asked)
    whole, _ = train(base, own, tmp_path / "whole", **asked)
    assert [step.step for step in recorder.steps] == [3, 4]
    assert digest(resumed.weights) == digest(whole.weights)
    if changes.get("optimizer") == "adamw_8bit":
        states = checkpoints.read(checkpoint).optimizer["state"].values()
        held = {state["__bnb_optimizer_quant_state__"]["state1"].dtype for state in states}
        assert torch.uint8 in held, "nothing was held in 8 bits"


def test_activations_computed_twice_change_nothing(bases, pictures, tmp_path):
    for name in ("dev", "klein"):
        plain, _ = train(bases[name], pictures, tmp_path / "plain", steps=2)
        again, _ = train(bases[name], pictures, tmp_path / "again", steps=2, gradient_checkpointing=True)
        ours, theirs = load_file(plain.weights), load_file(again.weights)
        assert all(torch.allclose(ours[key], theirs[key], atol=1e-4) for key in ours)


@pytest.mark.parametrize(
    ("name", "changes"),
    [
        ("dev", {}),
        ("dev", {"quantization": "nf4", "network": "dora"}),
        ("klein", {"quantization": "int8", "target_modules": "all_layers"}),
        ("klein", {"quantization": "nf4", "network": "lokr", "sample_prompts": ("a [trigger] jar",)}),
    ],
)
def test_blocks_that_wait_their_turn_change_nothing(bases, pictures, tmp_path, monkeypatch, name, changes):
    asked = {"steps": 2, "batch_size": 2, "gradient_checkpointing": True} | changes
    plain, drawn = train(bases[name], pictures, tmp_path / "plain", **asked)
    blocks, come, init = [], block_swap._Block.come, block_swap._Block.__init__

    def note(self, *arguments):
        init(self, *arguments)
        blocks.append(self)

    def alone(self):
        come(self)
        for other in blocks:
            for put, held in other._slots if other is not self else ():
                if isinstance(held, torch.Tensor):
                    put(torch.zeros_like(held))  # would spoil every number that came of it

    monkeypatch.setattr(block_swap._Block, "__init__", note)
    monkeypatch.setattr(block_swap._Block, "come", alone)
    waited, others = train(bases[name], pictures, tmp_path / "waited", block_offload=True, **asked)
    assert len(blocks) > 2 and model_cache.current().block_swap is not None
    ours, theirs = load_file(waited.weights), load_file(plain.weights)
    assert ours.keys() == theirs.keys() and all(torch.equal(ours[key], theirs[key]) for key in ours)
    assert [step.loss for step in others.steps] == [step.loss for step in drawn.steps]
    pairs = zip(others.samples, drawn.samples, strict=True)
    assert all(one.path.read_bytes() == other.path.read_bytes() for one, other in pairs)


class Clocked(compiling.Trial):
    """With times of the test's, and a backend that generates no code, which takes minutes on a busy machine."""

    def __init__(self, model, compiled_takes=0.5):
        super().__init__(model, backend="aot_eager")
        self.compiled_takes, self.seen = compiled_takes, []

    def step(self, seconds):
        compiled = [block._compiled_call_impl is not None for block in self._blocks]
        self.seen.append(any(compiled))
        super().step(self.compiled_takes if any(compiled) else 1.0)


@pytest.mark.parametrize(("compiled_takes", "stays"), [(0.5, True), (1.5, False)])
def test_blocks_stay_compiled_only_where_that_is_faster(compiled_takes, stays):
    model = torch.nn.ModuleDict({"transformer_blocks": torch.nn.ModuleList([torch.nn.Linear(2, 2)])})
    trial = Clocked(model, compiled_takes)
    for _ in range(18):
        trial.step(0.0)
    assert trial.seen == [False] * 8 + [True] * 8 + [stays] * 2


def test_compiled_blocks_learn_the_same_and_are_left_as_they_were_found(bases, pictures, tmp_path, monkeypatch):
    asked = {"steps": 5, "gradient_checkpointing": True, "checkpoint_every": 99}
    plain, _ = train(bases["dev"], pictures, tmp_path / "plain", **asked)
    trials = []

    def clocked(model):
        trials.append(Clocked(model))
        return trials[-1]

    monkeypatch.setattr(compiling, "Trial", clocked)
    monkeypatch.setattr(compiling, "WARM_STEPS", 1)
    monkeypatch.setattr(compiling, "MEASURED_STEPS", 1)
    torch._dynamo.reset()
    counters.clear()
    made, _ = train(bases["dev"], pictures, tmp_path / "compiled", compile=True, **asked)
    (trial,) = trials
    assert trial.seen == [False] * 2 + [True] * 3
    assert counters["frames"]["ok"] > 0, "something was compiled indeed"
    assert all(block._compiled_call_impl is None for block in trial._blocks)
    ours, theirs = load_file(made.weights), load_file(plain.weights)
    for name, tensor in ours.items():
        torch.testing.assert_close(tensor.float(), theirs[name].float(), atol=2e-4, rtol=2e-2)


def test_a_base_whose_blocks_wait_is_loaded_anew_to_draw_with(bases, pictures, tmp_path):
    train(bases["dev"], pictures, tmp_path / "a", steps=1, gradient_checkpointing=True, block_offload=True)
    draw(bases["dev"], tmp_path / "b", count=1)
    assert model_cache.current().block_swap is None


def test_blocks_wait_only_where_they_are_computed_twice(bases, base, pictures, tmp_path):
    for one, twice in ((bases["dev"], False), (base, True)):
        with pytest.raises(EngineError) as raised:
            train(one, pictures, tmp_path, gradient_checkpointing=twice, block_offload=True)
        assert raised.value.code == "bad_order"


def test_samples_are_drawn_on_the_way_and_take_no_part_in_the_training(bases, pictures, tmp_path):
    plain, _ = train(bases["dev"], pictures, tmp_path / "plain", steps=2)
    recorder = tiny.Recorder()
    sampled, _ = train(
        bases["dev"], pictures, tmp_path / "sampled", steps=2, sample_prompts=("a [trigger] jar",), recorder=recorder
    )
    assert [(s.step, s.prompt) for s in recorder.samples] == [(0, "a brandx jar"), (2, "a brandx jar")]
    assert digest(plain.weights) == digest(sampled.weights) and plain.weights.read_bytes()


def test_a_cancelled_training_keeps_what_it_has_even_while_it_resumes(bases, pictures, tmp_path):
    # Its layers are read from the checkpoint, as no model has been loaded yet.
    class StopsInCaching(tiny.Recorder):
        def phase(self, phase):
            if phase == "caching":
                raise Cancelled

    stopped = tiny.Recorder()
    trained, _ = train(bases["dev"], pictures, tmp_path / "a", steps=3, checkpoint_every=2, recorder=stopped)
    folder = checkpoints.folder_of(tmp_path / "a" / "checkpoints", 2)
    half, _ = train(
        bases["dev"],
        pictures,
        tmp_path / "b",
        steps=3,
        checkpoint_every=2,
        resume_from=folder,
        recorder=StopsInCaching(),
    )
    assert (half.steps, half.finished, trained.finished) == (2, False, True)
    assert load_file(half.weights).keys() == load_file(trained.weights).keys()


@pytest.mark.parametrize(("name", "network"), [("dev", "dora"), ("klein", "dora"), ("klein", "rslora")])
def test_every_kind_of_adapter_with_pictures_of_its_class(bases, pictures, tmp_path, name, network):
    trained, _ = train(
        bases[name],
        pictures,
        tmp_path,
        steps=3,
        learning_rate=0.1,
        network=network,
        class_prompt="a jar",
        num_class_images=2,
    )
    adapter = AdapterFile("a", trained.weights, 1.0)
    changed = np.abs(
        pixels(draw(bases[name], tmp_path / "with", adapter, count=1)[0])
        - pixels(draw(bases[name], tmp_path / "without", count=1)[0])
    )
    assert changed.max() > 0


def test_what_a_flow_model_cannot_be_asked_is_refused(bases, pictures, tmp_path):
    with pytest.raises(EngineError, match="text encoders") as raised:
        train(bases["klein"], pictures, tmp_path, train_text_encoder=True)
    assert raised.value.code == "bad_order"


def test_the_layers_that_are_trained_lie_in_the_blocks():
    for make, module, feed_forward in (
        (tiny_flux.flux, flux, {"ff.net.0.proj", "ff.net.2", "proj_mlp", "proj_out"}),
        (tiny_flux.klein, flux2_klein, {"ff.linear_in", "ff_context.linear_out"}),
    ):
        transformer = make().transformer
        few = flow_models.layers_of(transformer, module.TRAINED, "attention")
        many = flow_models.layers_of(transformer, module.TRAINED, "attention_and_feed_forward")
        assert set(few) < set(many) and all("blocks." in name for name in many)
        more = set(many) - set(few)
        assert all(any(name.endswith(ending) for name in more) for ending in feed_forward)
        assert any(name.endswith("add_k_proj") for name in few)
        inside = {
            name
            for name, part in transformer.named_modules()
            if isinstance(part, torch.nn.Linear) and "blocks." in name
        }
        assert all(".norm" in name for name in inside - set(many))
        assert set(flow_models.layers_of(transformer, module.TRAINED, "all_layers")) == inside
        with pytest.raises(EngineError):
            flow_models.layers_of(transformer, module.TRAINED, "everything")


# Files ------------------------------------------------------------------------------------------------------------

# Knows nothing of Livery: diffusers alone.
READER = """
import json, sys
import numpy as np, torch, transformers.integrations.peft
from diffusers import DiffusionPipeline

torch.set_num_threads(1)
# The transformers of today asks for a PEFT of tomorrow before it lets an adapter into a text encoder.
transformers.integrations.peft.MIN_PEFT_VERSION = "0.21.0"
for source, file, out in json.loads(sys.argv[1]):
    pipeline = DiffusionPipeline.from_pretrained(source)
    pipeline.load_lora_weights(file)
    images = pipeline(
        prompt="brandx, a jar", width=64, height=64, num_inference_steps=3, guidance_scale=5.0,
        generator=torch.Generator().manual_seed(11), output_type="np",
    ).images
    np.save(out, images[0])
"""


def facts(name):
    """What the header says of an adapter of the real base."""
    return facts_for(
        brand="Brand",
        purpose="style",
        version=1,
        base=catalogue.get({"dev": "flux-1-dev", "klein": "flux-2-klein-base-4b"}[name]),
        rank=4,
        alpha=6.0,
        trigger_word="brandx",
        created_at=datetime(2026, 11, 24, tzinfo=UTC),
        training=None,
    )


def test_diffusers_alone_draws_the_same_with_the_file_in_a_fresh_process(elsewhere, bases, pictures, tmp_path):
    order, ours = [], {}
    for name in ("dev", "klein"):
        trained, _ = train(
            bases[name],
            pictures,
            tmp_path / name,
            steps=4,
            rank=4,
            alpha=6.0,
            learning_rate=4e-2,
            target_modules="attention_and_feed_forward",
            checkpoint_every=99,
            train_text_encoder=name == "dev",
            text_encoder_lr=5e-1,
        )
        with safe_open(trained.weights, "pt") as file:
            header = json.loads(file.metadata()["lora_adapter_metadata"])
        assert (header["transformer.r"], header["transformer.lora_alpha"]) == (4, 6.0)
        parts = {key.split(".")[0] for key in load_file(trained.weights)}
        assert parts == ({"transformer", "text_encoder"} if name == "dev" else {"transformer"})
        ours[name] = pixels(
            draw(bases[name], tmp_path / f"{name}-o", AdapterFile("t", trained.weights, 1.0), count=1)[0]
        )
        plain = pixels(draw(bases[name], tmp_path / f"{name}-p", count=1)[0])
        assert np.abs(ours[name] - plain).max() > 20
        handed_out = export.diffusers_file(trained.weights, tmp_path / f"{name}.safetensors", facts(name)).path
        order.append([bases[name].source, str(trained.weights), str(tmp_path / f"{name}.npy")])
        order.append([bases[name].source, str(handed_out), str(tmp_path / f"{name}-handed-out.npy")])
        programs = export.kohya_file(trained.weights, tmp_path / f"{name}-programs.safetensors", facts(name)).path
        starts = {"dev": ("lora_unet_", "lora_te1_"), "klein": ("diffusion_model.",)}[name]
        keys = load_file(programs)
        assert all(key.startswith(starts) for key in keys), name
        assert all(any(key.startswith(start) for key in keys) for start in starts), name
        if name == "dev":
            # What was learned in CLIP takes effect: without it the picture is another.
            alone = {
                key: tensor for key, tensor in load_file(trained.weights).items() if key.startswith("transformer.")
            }
            save_file(alone, tmp_path / "alone.safetensors", {"lora_adapter_metadata": json.dumps(header)})
            without = AdapterFile("alone", tmp_path / "alone.safetensors", 1.0)
            assert np.abs(pixels(draw(bases[name], tmp_path / "without", without, count=1)[0]) - ours[name]).max() > 2
    elsewhere.run(READER, json.dumps(order))
    for _, file, out in order:
        theirs = np.round(np.load(out) * 255).astype(int)
        picture = ours["klein" if "klein" in out else "dev"]
        assert np.abs(picture - theirs).max() <= 1, file


@pytest.fixture(scope="module")
def made(bases, pictures, tmp_path_factory):
    """Two adapters for each base that change every picture."""
    folder, found = tmp_path_factory.mktemp("made"), {}
    for name in ("dev", "klein"):
        for seed in (1, 2):
            trained, _ = train(bases[name], pictures, folder / f"{name}-{seed}", steps=3, learning_rate=5e-2, seed=seed)
            found[name, seed] = AdapterFile(f"{name}-{seed}", trained.weights, 1.0)
    model_cache.drop()
    return found


@both
def test_adapters_act_together_with_their_strengths_and_leave_the_base_as_it_was(bases, made, tmp_path, name):
    base, one, two = bases[name], made[name, 1], made[name, 2]

    def drawn(*adapters, **changes):
        return pixels(draw(base, tmp_path, *adapters, count=1, **changes)[0])

    plain = drawn()
    alone, together = drawn(one), drawn(one, two)
    half = drawn(one, AdapterFile(two.key, two.path, 0.5))
    assert len({picture.tobytes() for picture in (plain, alone, together, half)}) == 4
    assert np.array_equal(drawn(one, AdapterFile(two.key, two.path, 0.0)), alone)
    assert np.array_equal(drawn(), plain)
    strip = draw(base, tmp_path / "strip", one, count=3, strengths=(0, 1, 2))
    assert np.array_equal(pixels(strip[0]), plain) and np.array_equal(pixels(strip[1]), alone)
    quantised = [drawn(one, quantization="nf4"), drawn(quantization="nf4")]
    assert np.abs(quantised[0] - quantised[1]).max() > 0
    assert np.abs(quantised[0] - alone).mean() < 25


@both
def test_an_adapter_of_another_base_is_refused_and_leaves_nothing_behind(bases, made, tmp_path, name):
    base, good = bases[name], made[name, 1]
    reference = draw(base, tmp_path / "reference", good, count=1)[0].path.read_bytes()
    tensors = load_file(good.path)
    first = next(iter(tensors))

    def changed(title, change):
        copy = dict(tensors)
        change(copy)
        save_file(copy, tmp_path / f"{title}.safetensors")
        return AdapterFile(title, tmp_path / f"{title}.safetensors", 1.0)

    hostile = [
        made["klein" if name == "dev" else "dev", 1],
        changed("shape", lambda t: t.update({first: torch.zeros(t[first].shape[0], t[first].shape[1] + 1)})),
        changed("layer", lambda t: t.update({first.replace("blocks.0", "blocks.7"): t.pop(first)})),
        changed("nan", lambda t: t.update({first: torch.full_like(t[first], float("nan"))})),
        changed("half", lambda t: t.pop(first)),
    ]
    for adapter in hostile:
        with pytest.raises(EngineError) as raised:
            draw(base, tmp_path / "x", adapter, count=1)
        assert raised.value.code == "adapter_mismatch", adapter.key
        assert draw(base, tmp_path / "after", good, count=1)[0].path.read_bytes() == reference, adapter.key


# Room on the device ------------------------------------------------------------------------------------------------


class Model(torch.nn.Module):
    """Knows how large it is and where."""

    def __init__(self, gigabytes, where):
        super().__init__()
        self.bytes, self.device = gigabytes * 10**9, torch.device(where)

    def to(self, where):
        self.device = torch.device(where)
        return self


@pytest.fixture
def card(monkeypatch):
    """A card of 24 GB that is not there: what lies on it is what says so."""

    def made(**models):
        pipeline = SimpleNamespace(components=models, **models)
        loaded = model_cache.Loaded(
            Base("x", "flux", "/x"), pipeline, torch.device("cuda"), torch.bfloat16, multiple=16
        )

        def memory(_):
            used = sum(model.bytes for model in models.values() if model.device.type == "cuda")
            return 24 * 10**9 - used, 24 * 10**9

        monkeypatch.setattr(torch.cuda, "mem_get_info", memory)
        monkeypatch.setattr(torch.cuda, "empty_cache", lambda: None)
        monkeypatch.setattr(flow_models.quantization, "bytes_of", lambda model: model.bytes)
        return loaded

    return made


def places(loaded):
    return {name: model.device.type for name, model in loaded.pipeline.components.items()}


def test_encoders_are_on_the_card_only_while_they_are_needed(card):
    loaded = card(transformer=Model(7, "cuda"), text_encoder=Model(10, "cpu"), vae=Model(1, "cpu"))
    with flow_models.on_device(loaded, "text_encoder"):
        assert places(loaded) == {"transformer": "cuda", "text_encoder": "cuda", "vae": "cpu"}
        with flow_models.on_device(loaded, "text_encoder"):
            pass
        assert places(loaded)["text_encoder"] == "cuda", "it was there before"
    assert places(loaded) == {"transformer": "cuda", "text_encoder": "cpu", "vae": "cpu"}


def test_the_transformer_makes_room_where_both_do_not_fit(card):
    loaded = card(transformer=Model(17, "cuda"), text_encoder=Model(10, "cpu"))
    with flow_models.on_device(loaded, "text_encoder"):
        assert places(loaded) == {"transformer": "cpu", "text_encoder": "cuda"}
    assert places(loaded) == {"transformer": "cuda", "text_encoder": "cpu"}


def test_an_encoder_larger_than_the_card_works_on_the_processor(card):
    loaded = card(transformer=Model(7, "cuda"), text_encoder=Model(20, "cpu"))
    with flow_models.on_device(loaded, "text_encoder"):
        assert places(loaded) == {"transformer": "cuda", "text_encoder": "cpu"}


def test_all_stay_on_a_card_that_has_room_for_all(card):
    small = card(transformer=Model(7, "cuda"), text_encoder=Model(8, "cpu"))
    flow_models.settle(small)
    assert set(places(small).values()) == {"cuda"}
    large = card(transformer=Model(12, "cuda"), text_encoder=Model(10, "cpu"))
    flow_models.settle(large)
    assert places(large)["text_encoder"] == "cpu"


def test_models_that_take_turns_are_on_the_card_one_at_a_time(card):
    loaded = card(transformer=Model(7, "cuda"), text_encoder=Model(10, "cuda"), vae=Model(1, "cuda"))
    loaded.offload = "models"
    flow_models.settle(loaded)
    assert places(loaded) == {"transformer": "cuda", "text_encoder": "cpu", "vae": "cpu"}
    with flow_models.on_device(loaded, "vae"):
        assert places(loaded) == {"transformer": "cpu", "text_encoder": "cpu", "vae": "cuda"}
    loaded.offload = "none"
    flow_models.settle(loaded)
    assert set(places(loaded).values()) == {"cuda"}


def test_the_autoencoder_works_in_tiles_when_the_card_is_nearly_full(card):
    with_tiles = SimpleNamespace(use_tiling=False, device=torch.device("cuda"), bytes=0)
    roomy = card(transformer=Model(7, "cuda"), vae=with_tiles)
    assert not autoencoder._in_tiles(roomy, 1024 * 1024)
    roomy.tiled = True
    assert autoencoder._in_tiles(roomy, 1024 * 1024), "the plan says so"
    full = card(transformer=Model(21, "cuda"), vae=with_tiles)
    assert autoencoder._in_tiles(full, 1024 * 1024)
    full.tiled = False
    assert not autoencoder._in_tiles(full, 1024 * 1024)


@both
def test_encoders_and_autoencoder_rest_before_the_first_step(bases, pictures, tmp_path, name, monkeypatch):
    told = []
    real = model_cache.offload
    monkeypatch.setattr(model_cache, "offload", lambda loaded, *names: told.append(set(names)) or real(loaded, *names))

    class Watched(tiny.Recorder):
        def step(self, step):
            told.append("step")
            super().step(step)

    train(bases[name], pictures, tmp_path, steps=1, recorder=Watched())
    encoders = {"vae", "text_encoder", "text_encoder_2"}
    assert any(rested >= encoders for rested in told[: told.index("step")])


# Numbers ----------------------------------------------------------------------------------------------------------


def test_patches_and_tokens_are_those_of_the_pipelines():
    latents = torch.randn(2, 4, 6, 8)
    packed = tiny_flux.FluxPipeline._pack_latents(latents, 2, 4, 6, 8)
    assert torch.equal(flow.tokens(flow.patches(latents)), packed)
    assert torch.equal(flow.patches(latents), tiny_flux.Flux2KleinPipeline._patchify_latents(latents))
    assert torch.equal(flow.from_patches(flow.patches(latents)), latents)
    assert torch.equal(flow.from_tokens(packed, flow.patches(latents)), flow.patches(latents))


@pytest.mark.parametrize("taken", [5, 2])
def test_the_true_velocity_leads_back_to_the_picture(taken):
    picture, noise = torch.randn(1, 4, 2, 2), torch.randn(2, 4, 2, 2)
    scheduler = schedulers.flow("default", tiny_flux.scheduler(dynamic=True), 5, 0.7, torch.device("cpu"))
    levels, steps = [], []

    def velocity(latents, level):
        levels.append(level)
        assert torch.allclose(latents, (1 - level[0]) * picture + level[0] * noise, atol=1e-5)
        return noise - picture

    found = flow.denoise(scheduler, noise, velocity, lambda: steps.append(1), taken=taken, picture=picture)
    assert torch.allclose(found, picture.expand(2, -1, -1, -1), atol=1e-5)
    assert len(levels) == len(steps) == taken and (levels[0][0] == 1) == (taken == 5)
    half = torch.tensor([0.0, 1.0]).expand(1, 1, 2, 2)
    scheduler = schedulers.flow("default", tiny_flux.scheduler(dynamic=True), 5, 0.7, torch.device("cpu"))
    other = flow.denoise(
        scheduler, noise, lambda latents, _: -latents, lambda: None, taken=taken, picture=picture, inpaint_mask=half
    )
    assert torch.equal(other[..., 0], picture.expand(2, -1, -1, -1)[..., 0])
    assert not torch.allclose(other[..., 1], found[..., 1], atol=0.1)


def test_noise_levels_follow_the_recipe():
    def levels(own_shift=1.0, **changes):
        generator = torch.Generator().manual_seed(0)
        return flow.noise_levels(tiny.training_recipe(**changes), 20_000, own_shift, generator)

    even = levels(timestep_sampling="uniform")
    assert even.min() >= 0 and even.max() <= 1 and abs(even.mean() - 0.5) < 0.01 and abs(even.std() - 0.289) < 0.01
    middle = levels()
    assert abs(middle.mean() - 0.5) < 0.01 and middle.std() < 0.22
    # A shift s moves the median from 1/2 to s / (s + 1).
    assert abs(levels(timestep_shift=3.0).median() - 0.75) < 0.01
    assert torch.equal(levels(own_shift=3.0), levels(timestep_shift=3.0))


def test_the_shift_grows_with_the_picture_as_the_schedulers_own():
    scheduler = tiny_flux.scheduler(dynamic=True)
    assert flow.shift_of(scheduler, 256) == pytest.approx(np.exp(0.5))
    assert flow.shift_of(scheduler, 4096) == pytest.approx(np.exp(1.15))
    level, shift = torch.tensor([0.3]), flow.shift_of(scheduler, 1024)
    mu = flow.straight_mu(scheduler.config, 1024)
    assert shift * level / (1 + (shift - 1) * level) == pytest.approx(scheduler.time_shift(mu, 1.0, level))
    assert flow.shift_of(tiny_flux.scheduler(dynamic=False), 1024) == 1.0
