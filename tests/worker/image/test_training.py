import hashlib
import json

import pytest
import torch
from diffusers import StableDiffusionPipeline
from safetensors import safe_open
from safetensors.torch import load_file

from tests.worker.image import tiny
from worker.engines import checkpoints
from worker.engines.contracts import Base, Cancelled, EngineError, GiveBack, TrainingInputs
from worker.engines.image.base import lora, prompts
from worker.engines.image.base import model_cache as kept
from worker.engines.image.drawing import unet_drawing
from worker.engines.image.families import stable_diffusion
from worker.engines.image.training import dataset, losses, schedule

pytestmark = pytest.mark.slow


def train(base, tmp_path, *, resume_from=None, out="out", recorder=None, inputs=None, **changes):
    recorder = recorder or tiny.Recorder()
    inputs = inputs or TrainingInputs(base, tiny.pictures(tmp_path / "pictures"), resume_from)
    trained = stable_diffusion.train(tiny.training_recipe(**changes), inputs, tmp_path / out, recorder)
    return trained, recorder


def digest(path):
    """Of names and bytes of all tensors; the library writes its header's entries in any order."""
    tensors = load_file(path)
    content = b"".join(name.encode() + tensor.numpy().tobytes() for name, tensor in sorted(tensors.items()))
    return hashlib.sha256(content).hexdigest()


def test_training_lowers_the_loss_on_a_fixed_batch_and_leaves_the_base_alone(base, tmp_path):
    pictures = tiny.pictures(tmp_path / "pictures")
    loaded = stable_diffusion.load(base)
    before = {name: tensor.clone() for name, tensor in loaded.pipeline.unet.state_dict().items()}

    def loss_now() -> float:
        pipeline = loaded.pipeline
        generator = torch.Generator().manual_seed(99)
        clean = torch.cat([unet_drawing.encoded(loaded, dataset.load_pixels(picture)) for picture in pictures])
        noise = torch.randn(clean.shape, generator=generator)
        timesteps = torch.tensor([100, 400, 700, 900])
        share = losses.signal_share(pipeline.scheduler.alphas_cumprod, timesteps)
        words = prompts.embed(pipeline, "brandx").expand(4, -1, -1)
        with torch.no_grad():
            predicted = pipeline.unet(losses.add_noise(clean, noise, share), timesteps, words).sample
        return losses.weighted_mse(predicted, noise, torch.ones(4)).item()

    start = loss_now()
    trained, _ = train(base, tmp_path, steps=30, checkpoint_every=100, learning_rate=1e-2, min_snr_gamma=None)
    after = loaded.pipeline.unet.state_dict()
    assert before.keys() == after.keys()
    assert all(torch.equal(before[name], after[name]) for name in before)
    loaded.pipeline.load_lora_weights(trained.weights.parent, weight_name=trained.weights.name, adapter_name="trained")
    assert loss_now() < 0.95 * start


def test_what_is_returned_and_told(base, tmp_path):
    trained, recorder = train(base, tmp_path, sample_prompts=("a [trigger] jar", "a tin"), steps=5, checkpoint_every=2)
    assert (trained.steps, trained.finished, trained.rank, trained.alpha) == (5, True, 4, 2.0)
    assert trained.device == "cpu" and trained.peak_memory_bytes > 2**20 and trained.seconds_per_step > 0
    assert [step.step for step in recorder.steps] == [1, 2, 3, 4, 5]
    assert recorder.steps[-1].peak_memory_bytes == trained.peak_memory_bytes
    assert trained.final_loss == recorder.steps[-1].loss
    assert [step for _, step in recorder.checkpoints] == [2, 4, 5]
    assert [(s.step, s.index) for s in recorder.samples] == [(k, i) for k in (0, 2, 4, 5) for i in (0, 1)]
    assert recorder.samples[0].prompt == "a brandx jar"
    assert {sample.seed for sample in recorder.samples} == {0}
    assert recorder.phases[:2] == ["loading", "caching"] and {"sampling", "training", "saving"} <= set(recorder.phases)
    assert sorted(p.name for p in (tmp_path / "out" / "checkpoints").iterdir()) == ["step-000004", "step-000005"]


def test_the_file_is_half_precision_with_the_true_alpha_in_its_header(base, tmp_path):
    trained, _ = train(base, tmp_path, alpha=3.0)
    with safe_open(trained.weights, "pt") as file:
        names, header = list(file.keys()), json.loads(file.metadata()["lora_adapter_metadata"])
        assert file.get_tensor(names[0]).dtype == torch.float16
    assert header["unet.lora_alpha"] == 3.0 and header["unet.r"] == 4
    assert all(name.startswith("unet.") and ".lora_" in name for name in names)


@pytest.mark.parametrize(
    ("size_of_b", "held"),
    [
        ((1e-2, 1e-2, 1e-2), torch.float16),
        ((1e-2, 1e-2, 1e-9), torch.float16),  # has learned nothing that shows
        ((1e-2, 1e-2, 1e-5), torch.float16),
        ((1e-7, 1e-7, 1e-7), torch.float32),  # all of it would be lost
        ((1e-2, 1e-2, 1e5), torch.float32),  # above what float16 can hold
    ],
)
def test_a_file_is_in_half_precision_where_nothing_that_counts_is_lost(size_of_b, held, tmp_path):
    random = torch.Generator().manual_seed(0)
    tensors = {}
    for number, size in enumerate(size_of_b):
        tensors[f"mid_block.{number}.to_q.lora_A.weight"] = torch.randn(4, 32, generator=random)
        tensors[f"mid_block.{number}.to_q.lora_B.weight"] = torch.randn(32, 4, generator=random) * size
    lora.save({"unet": tensors}, 4, 4.0, {"unet": ["to_q"]}, tmp_path / "adapter.safetensors")
    assert {tensor.dtype for tensor in load_file(tmp_path / "adapter.safetensors").values()} == {held}


def test_the_feed_forward_layers_are_trained_on_request(base, tmp_path):
    narrow, _ = train(base, tmp_path, steps=1)
    wide, _ = train(base, tmp_path, steps=1, out="wide", target_modules="attention_and_feed_forward")
    assert len(load_file(wide.weights)) > len(load_file(narrow.weights))
    assert any("ff.net.0.proj" in name for name in load_file(wide.weights))


def test_convolutions_are_trained_on_request_and_their_adapter_has_kohyas_shapes(base, tmp_path):
    trained, _ = train(base, tmp_path, steps=2, target_modules="all_layers")
    tensors = load_file(trained.weights)
    down = tensors["unet.down_blocks.0.resnets.0.conv1.lora_A.weight"]
    up = tensors["unet.down_blocks.0.resnets.0.conv1.lora_B.weight"]
    assert down.shape[0] == 4 and down.shape[2:] == (3, 3), down.shape
    assert up.shape[1:] == (4, 1, 1) and up.abs().max() > 0
    assert "unet.conv_in.lora_A.weight" in tensors and "unet.conv_out.lora_A.weight" in tensors


def test_the_same_order_gives_the_same_weights_whatever_the_processs_random_state(base, tmp_path):
    first, _ = train(base, tmp_path)
    torch.manual_seed(1234)
    untouched = torch.get_rng_state()
    second, _ = train(base, tmp_path, out="again", sample_prompts=("a jar",), recorder=tiny.Recorder())
    assert digest(first.weights) == digest(second.weights), "drawing samples must not take part in the training"
    assert torch.equal(torch.get_rng_state(), untouched)
    other, _ = train(base, tmp_path, out="other", seed=8)
    assert digest(other.weights) != digest(first.weights)


@pytest.mark.parametrize("at", [1, 3, 5])
def test_a_training_given_back_at_any_step_goes_on_bit_for_bit(base, tmp_path, at):
    order = {"sample_prompts": ("a jar",), "noise_offset": 0.05, "flip": True, "lr_scheduler": "cosine"}
    whole, _ = train(base, tmp_path, **order)
    stopped = tiny.Recorder(stop=GiveBack, at=at)
    with pytest.raises(GiveBack):
        train(base, tmp_path, out="first", recorder=stopped, **order)
    folder, step = stopped.checkpoints[-1]
    assert step == at
    kept.drop()
    resumed, recorder = train(base, tmp_path, out="second", resume_from=folder, **order)
    assert digest(resumed.weights) == digest(whole.weights)
    assert recorder.steps[0].step == at + 1
    assert resumed.final_loss == whole.final_loss
    last = [
        load_file(checkpoints.folder_of(tmp_path / out / "checkpoints", 6) / "adapter.safetensors")
        for out in ("out", "second")
    ]
    assert all(torch.equal(last[0][name], last[1][name]) for name in last[0])


def test_samples_that_a_give_back_swallowed_are_drawn_on_going_on(base, tmp_path):
    stopped = tiny.Recorder(stop=GiveBack, at=3)
    with pytest.raises(GiveBack):
        train(base, tmp_path, recorder=stopped, sample_prompts=("a jar",))
    assert {sample.step for sample in stopped.samples} == {0}
    _, recorder = train(base, tmp_path, resume_from=stopped.checkpoints[-1][0], out="on", sample_prompts=("a jar",))
    assert [sample.step for sample in recorder.samples] == [3, 6]


def test_a_cancelled_training_keeps_what_it_has(base, tmp_path):
    trained, _ = train(base, tmp_path, recorder=tiny.Recorder(stop=Cancelled, at=2))
    assert (trained.steps, trained.finished) == (2, False)
    whole, _ = train(base, tmp_path, out="two", steps=2)
    ours, theirs = load_file(trained.weights), load_file(whole.weights)
    assert all(torch.equal(ours[name], theirs[name]) for name in ours)


class StopsInPhase(tiny.Recorder):
    def phase(self, name):
        super().phase(name)
        if name == "caching":
            raise Cancelled


def test_cancelled_before_the_first_step_there_is_nothing_to_keep(base, tmp_path):
    with pytest.raises(Cancelled):
        train(base, tmp_path, recorder=StopsInPhase())


def test_cancelled_while_it_resumes_keeps_the_checkpoints_adapter(base, tmp_path):
    _, first = train(base, tmp_path, steps=3, checkpoint_every=2)
    folder = next(folder for folder, step in first.checkpoints if step == 2)
    trained, _ = train(
        base, tmp_path, out="on", steps=3, checkpoint_every=2, resume_from=folder, recorder=StopsInPhase()
    )
    assert (trained.steps, trained.finished) == (2, False)
    assert trained.weights.is_file()


def test_a_loss_that_is_no_number_ends_it_with_a_sentence_and_keeps_the_checkpoint(base, tmp_path, monkeypatch):
    real, calls = losses.weighted_mse, []

    def breaks(*arguments):
        calls.append(1)
        return real(*arguments) * (float("nan") if len(calls) == 5 else 1.0)

    monkeypatch.setattr(losses, "weighted_mse", breaks)
    recorder = tiny.Recorder()
    with pytest.raises(EngineError, match="diverged at step 5") as raised:
        train(base, tmp_path, recorder=recorder)
    assert raised.value.code == "diverged"
    kept = checkpoints.read(recorder.checkpoints[-1][0])
    assert kept.step == 3 and all(torch.isfinite(tensor).all() for tensor in kept.adapter.values())


def test_a_damaged_checkpoint_is_refused(base, tmp_path):
    _, recorder = train(base, tmp_path)
    folder = recorder.checkpoints[-1][0]
    content = bytearray((folder / "optimizer.pt").read_bytes())
    content[len(content) // 2] ^= 1
    (folder / "optimizer.pt").write_bytes(content)
    with pytest.raises(EngineError) as raised:
        train(base, tmp_path, resume_from=folder, out="on")
    assert raised.value.code == "bad_checkpoint"


def test_a_checkpoint_of_another_order_is_refused(base, tmp_path):
    _, recorder = train(base, tmp_path)
    with pytest.raises(EngineError, match="another recipe"):
        train(base, tmp_path, resume_from=recorder.checkpoints[-1][0], out="on", learning_rate=5e-4)


@pytest.mark.parametrize("size", [(36, 32), (32, 4)])
def test_a_size_that_the_model_cannot_draw_is_refused(base, tmp_path, size):
    inputs = TrainingInputs(base, tiny.pictures(tmp_path / "pictures", size=size))
    with pytest.raises(EngineError, match="steps of 8 pixels"):
        train(base, tmp_path, inputs=inputs)


def test_pictures_of_several_shapes_are_trained_together(base, tmp_path):
    wide = tiny.pictures(tmp_path / "a", size=(48, 32))
    inputs = TrainingInputs(base, (*wide, *tiny.pictures(tmp_path / "b", count=3)))
    trained, _ = train(base, tmp_path, inputs=inputs, steps=4)
    assert trained.finished


@pytest.mark.parametrize(("kind", "zero_snr"), [("v_prediction", False), ("v_prediction", True), ("epsilon", True)])
def test_every_prediction_type_trains(tmp_path, kind, zero_snr):
    tiny.pipeline(prediction_type=kind, zero_terminal_snr=zero_snr).save_pretrained(tmp_path / "model")
    trained, _ = train(Base("other", "stable_diffusion", str(tmp_path / "model")), tmp_path)
    assert trained.finished and trained.final_loss > 0


def test_a_model_that_predicts_something_else_is_refused(tmp_path):
    tiny.pipeline(prediction_type="sample").save_pretrained(tmp_path / "model")
    with pytest.raises(EngineError) as raised:
        train(Base("other", "stable_diffusion", str(tmp_path / "model")), tmp_path)
    assert raised.value.code == "model_unsupported"


def test_no_pictures_and_no_model_are_told_in_a_sentence(base, tmp_path):
    with pytest.raises(EngineError, match="no pictures"):
        train(base, tmp_path, inputs=TrainingInputs(base, ()))
    missing = Base("gone", "stable_diffusion", str(tmp_path / "nowhere"))
    with pytest.raises(EngineError) as raised:
        train(missing, tmp_path, inputs=TrainingInputs(missing, tiny.pictures(tmp_path / "pictures")))
    assert raised.value.code == "model_unavailable"


def test_short_of_memory_it_goes_on_in_smaller_parts_to_the_same_result(base, tmp_path, monkeypatch):
    whole, _ = train(base, tmp_path, batch_size=4)
    real, sizes, checkpointed = losses.weighted_mse, [], []

    def small_card(prediction, wanted, weights):
        sizes.append(len(weights))
        unet = kept.current().pipeline.unet
        checkpointed.append(unet.is_gradient_checkpointing)
        if len(weights) > 1 or not unet.is_gradient_checkpointing:
            raise torch.OutOfMemoryError("CUDA out of memory")
        return real(prediction, wanted, weights)

    monkeypatch.setattr(losses, "weighted_mse", small_card)
    small, recorder = train(base, tmp_path, batch_size=4, out="small")
    assert recorder.shortages == [(2, False), (1, False), (1, True)], "told once each, not at every step"
    assert sizes[:5] == [4, 2, 1, 1, 1] and set(sizes[3:]) == {1} and all(checkpointed[3:])
    ours, theirs = load_file(small.weights), load_file(whole.weights)
    for name, tensor in ours.items():
        torch.testing.assert_close(tensor.float(), theirs[name].float(), atol=2e-4, rtol=2e-2)
    assert not kept.current().pipeline.unet.is_gradient_checkpointing


def test_with_a_coarser_base_it_goes_on_from_its_checkpoint(base, tmp_path):
    stopped = tiny.Recorder(stop=GiveBack, at=3)
    with pytest.raises(GiveBack):
        train(base, tmp_path, recorder=stopped, batch_size=2)
    held = {"quantization": "nf4", "gradient_checkpointing": True}
    folder, _ = stopped.checkpoints[-1]
    trained, recorder = train(
        base, tmp_path, out="coarser", resume_from=folder, batch_size=1, gradient_accumulation_steps=2, **held
    )
    assert [step.step for step in recorder.steps] == [4, 5, 6] and trained.finished
    with pytest.raises(EngineError, match="another recipe"):
        train(base, tmp_path, out="fewer", resume_from=folder, batch_size=1, **held)


def test_class_pictures_are_drawn_fewer_at_once_when_the_memory_is_short(base, tmp_path, monkeypatch):
    asked = {"class_prompt": "a jar", "num_class_images": 5, "steps": 1}
    whole, _ = train(base, tmp_path, **asked)
    real, drawn = StableDiffusionPipeline.__call__, []

    def small_card(pipeline, *, latents, **asked):
        drawn.append(len(latents))
        if len(latents) > 2:
            raise torch.OutOfMemoryError("CUDA out of memory")
        return real(pipeline, latents=latents, **asked)

    monkeypatch.setattr(StableDiffusionPipeline, "__call__", small_card)
    small, recorder = train(base, tmp_path, out="small", **asked)
    assert drawn == [4, 2, 2, 1] and recorder.shortages == []
    ours, theirs = load_file(small.weights), load_file(whole.weights)
    for name, tensor in ours.items():
        torch.testing.assert_close(tensor.float(), theirs[name].float(), atol=2e-4, rtol=2e-2)


def test_pictures_are_encoded_in_tiles_when_the_memory_is_short(base, tmp_path, monkeypatch):
    loaded = stable_diffusion.load(base)
    vae, seen = loaded.pipeline.vae, []
    real = vae.encode

    def small_card(pixels):
        seen.append(vae.use_tiling)
        if not vae.use_tiling:
            raise torch.OutOfMemoryError("CUDA out of memory")
        return real(pixels)

    monkeypatch.setattr(vae, "encode", small_card)
    trained, _ = train(base, tmp_path, steps=1)
    assert trained.finished and seen[:2] == [False, True] and all(seen[1:]), "it goes on in tiles"


def test_what_went_wrong_first_is_told_though_the_memory_is_not_enough_to_tidy_up(base, tmp_path, monkeypatch):
    def full(*_arguments):
        raise torch.OutOfMemoryError("CUDA out of memory")

    def astray(*_arguments):
        monkeypatch.setattr(kept, "to_device", full)
        raise EngineError("diverged", "not a number")

    monkeypatch.setattr(losses, "weighted_mse", astray)
    with pytest.raises(EngineError) as raised:
        train(base, tmp_path)
    assert raised.value.code == "diverged" and kept.current() is None


def test_running_out_of_memory_is_told_in_a_sentence(base, tmp_path, monkeypatch):
    def full(*_arguments):
        raise torch.OutOfMemoryError("CUDA out of memory")

    monkeypatch.setattr(losses, "weighted_mse", full)
    with pytest.raises(EngineError, match="smaller") as raised:
        train(base, tmp_path)
    assert raised.value.code == "out_of_memory"


def test_the_learning_rate_rises_and_falls():
    recipe = tiny.training_recipe(steps=10, warmup_steps=2, lr_scheduler="cosine", learning_rate=1.0)
    rates = [schedule.learning_rates_at(recipe, step)[0] for step in range(10)]
    assert rates[:3] == [0.5, 1.0, 1.0]
    assert rates[6] == pytest.approx(0.5)
    assert rates == sorted(rates[:2]) + sorted(rates[2:], reverse=True)
