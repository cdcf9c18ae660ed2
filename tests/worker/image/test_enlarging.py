"""The last step of drawing where a base draws small pictures: four times as wide and as high."""

import hashlib
import struct

import numpy as np
import pytest
import torch
from PIL import Image, ImageFilter
from safetensors.numpy import load_file

from tests.worker.image import tiny
from worker.engines.contracts import EngineError, GenerationInputs, TrainingInputs
from worker.engines.image.drawing import frame
from worker.engines.image.enlarging import convert
from worker.engines.image.enlarging.network import WEIGHTS, enlarged, network
from worker.engines.image.families import stable_diffusion

CPU = torch.device("cpu")


def test_the_file_that_ships_is_the_authors_with_their_licence():
    assert (
        hashlib.sha256(WEIGHTS.read_bytes()).hexdigest()
        == "d6a1e6171b9bbf74e1070d32fcec44535a615bf0e9432a63f063fc412db6a445"
    )
    assert WEIGHTS.stat().st_size < 1_300_000
    licence = (WEIGHTS.parent / "LICENSE").read_text()
    assert "BSD 3-Clause License" in licence and "Copyright (c) 2021, Xintao Wang" in licence
    assert "Redistributions in binary form must reproduce" in licence and "ADVISED OF THE POSSIBILITY" in licence


def by_hand(pixels):
    """What the authors' file says of (3, height, width) in 0..1, in float64 and with numpy alone."""
    tensors = {name: value.astype(np.float64) for name, value in load_file(WEIGHTS).items()}
    passed = pixels
    for place in range(35):
        weight = tensors[f"body.{place}.weight"]
        if weight.ndim == 1:
            passed = np.where(passed > 0, passed, passed * weight[:, None, None])
            continue
        framed = np.pad(passed, ((0, 0), (1, 1), (1, 1)))
        _, height, width = passed.shape
        passed = tensors[f"body.{place}.bias"][:, None, None] + sum(
            np.einsum("oi,ihw->ohw", weight[:, :, y, x], framed[:, y : y + height, x : x + width])
            for y in range(3)
            for x in range(3)
        )
    _, height, width = passed.shape
    detail = passed.reshape(3, 4, 4, height, width).transpose(0, 3, 1, 4, 2).reshape(3, height * 4, width * 4)
    return detail + pixels.repeat(4, axis=1).repeat(4, axis=2)


def test_its_numbers_are_those_of_the_authors_file_layer_by_layer():
    pixels = np.random.default_rng(1).random((3, 7, 5))
    with torch.no_grad():
        ours = network(CPU)(torch.from_numpy(pixels).float()[None])[0].numpy()
    assert ours.shape == (3, 28, 20)
    assert np.abs(ours - by_hand(pixels)).max() < 1e-4
    of_ncnn = [0.64976764, 0.5849795, 0.48089677, 0.48238862]  # as ncnn 1.0.20261020 computes the authors' own file
    assert ours[0, 3, :4] == pytest.approx(of_ncnn, abs=1e-5)
    assert np.abs(ours - pixels.repeat(4, axis=1).repeat(4, axis=2)).max() > 0.1, "or the layers do nothing"


def test_flat_grounds_stay_flat_and_keep_their_colour():
    for colour, most in (((255, 255, 255), 1), ((0, 0, 0), 1), ((20, 33, 84), 5), ((250, 208, 50), 5), ((128,) * 3, 5)):
        picture = np.asarray(enlarged(Image.new("RGB", (24, 24), colour), 4, CPU)).astype(int)
        assert np.abs(picture - colour).max() <= most, colour
        assert picture.std((0, 1)).max() < 1, colour


def test_soft_edges_become_sharp():
    hard = Image.new("RGB", (32, 32), "white")
    hard.paste((20, 33, 84), (0, 0, 16, 32))
    soft = hard.filter(ImageFilter.GaussianBlur(1))

    def steepest(picture):
        return np.abs(np.diff(np.asarray(picture.convert("L")).astype(int), axis=1)).max()

    plain = soft.resize((128, 128), Image.Resampling.BICUBIC)
    assert steepest(enlarged(soft, 4, CPU)) > 2 * steepest(plain)


def test_it_enlarges_four_times_or_not_at_all():
    picture = Image.new("RGB", (8, 6), "red")
    assert enlarged(picture, 1, CPU) is picture
    assert enlarged(picture, 4, CPU).size == (32, 24)
    with pytest.raises(ValueError, match="2"):
        enlarged(picture, 2, CPU)


def ncnn(*, flag=convert.FLOAT16_FLAG):
    """A convolution from one channel to three, and a PReLU, as ncnn keeps them; 27 half numbers are filled up."""
    layers = (
        "7767517\n3 3\nInput i 0 1 a\nConvolution c 1 1 a b 0=3 1=3 4=1 5=1 6=27\nPReLU p 1 1 b out 0=3\n"
        "PixelShuffle s 1 1 out shuffled 0=4\n"
    )
    kind = "e" if flag == convert.FLOAT16_FLAG else "f"
    weights = struct.pack(f"<I27{kind}", flag, *(n / 8 for n in range(27)))
    weights += bytes(-len(weights) % 4)
    return layers, weights + struct.pack("<6f", 1, 2, 3, 0.1, 0.2, 0.3)


@pytest.mark.parametrize("flag", [convert.FLOAT16_FLAG, convert.FLOAT32_FLAG])
def test_ncnns_files_are_read_number_by_number(flag):
    found = convert.tensors_of(*ncnn(flag=flag))
    assert list(found) == ["body.0.weight", "body.0.bias", "body.1.weight"]
    assert found["body.0.weight"].shape == (3, 1, 3, 3) and found["body.0.weight"][2, 0, 2, 2] == 26 / 8
    assert found["body.0.weight"].dtype == (torch.float16 if flag else torch.float32)
    assert found["body.0.bias"].tolist() == [1, 2, 3]
    assert found["body.1.weight"].tolist() == pytest.approx([0.1, 0.2, 0.3])


def test_files_that_do_not_belong_together_are_refused():
    layers, weights = ncnn()
    with pytest.raises(ValueError, match="bytes"):
        convert.tensors_of(layers, weights + bytes(4))
    with pytest.raises(ValueError, match="0x0000002a"):
        convert.tensors_of(layers, struct.pack("<I", 42) + weights[4:])


def draw(base, out, *, enlargement, image=None, mask=None, **changes):
    inputs = GenerationInputs(base, image=image, mask=mask, enlargement=enlargement)
    return list(stable_diffusion.generate(tiny.generation_recipe(**changes), inputs, out, tiny.Recorder()))


@pytest.mark.slow
def test_what_is_drawn_comes_out_four_times_as_large_and_is_the_same_picture(base, tmp_path):
    small = draw(base, tmp_path / "small", enlargement=1, count=2, width=96, height=64)
    large = draw(base, tmp_path / "large", enlargement=4, count=2, width=96, height=64)
    assert [(one.width, one.height, one.seed) for one in large] == [(384, 256, one.seed) for one in small]
    for one, other in zip(small, large, strict=True):
        with Image.open(one.path) as drawn, Image.open(other.path) as opened:
            assert (opened.format, opened.size, opened.info) == ("PNG", (384, 256), {})
            assert np.array_equal(np.asarray(opened), np.asarray(enlarged(drawn, 4, CPU)))


@pytest.mark.slow
def test_what_the_mask_keeps_stays_to_the_pixel_in_the_enlarged_picture(base, tmp_path):
    noise = np.random.default_rng(5).integers(0, 255, (256, 256, 3), dtype=np.uint8)
    Image.fromarray(noise).save(tmp_path / "start.png")
    mask = Image.new("L", (256, 256), 0)
    mask.paste(255, (129, 0, 256, 256))
    mask.save(tmp_path / "mask.png")
    files = {"image": tmp_path / "start.png", "mask": tmp_path / "mask.png"}
    [drawn] = draw(base, tmp_path / "drawn", enlargement=4, **files, strength=1.0, count=1)
    with Image.open(drawn.path) as opened:
        pixels = np.asarray(opened).astype(int)
    assert np.array_equal(pixels[:, :129], noise[:, :129])
    assert np.abs(pixels[:, 140:] - noise[:, 140:]).mean() > 5


@pytest.mark.slow
def test_samples_of_a_training_are_enlarged_and_nothing_else_of_it_changes(base, tmp_path):
    pictures = tiny.pictures(tmp_path / "pictures")
    recipe = tiny.training_recipe(steps=2, sample_prompts=("a [trigger] jar",))
    adapters, samples = [], []
    for enlargement in (1, 4):
        recorder, inputs = tiny.Recorder(), TrainingInputs(base, pictures, enlargement=enlargement)
        trained = stable_diffusion.train(recipe, inputs, tmp_path / str(enlargement), recorder)
        adapters.append(load_file(trained.weights))
        samples.append([Image.open(one.path) for one in recorder.samples])
    assert all(np.array_equal(value, adapters[1][name]) for name, value in adapters[0].items())
    assert len(samples[0]) == len(samples[1]) > 1
    for one, other in zip(*samples, strict=True):
        assert other.size == (recipe.resolution * 4,) * 2
        assert np.array_equal(np.asarray(other), np.asarray(enlarged(one, 4, CPU)))


@pytest.mark.slow
def test_short_of_memory_while_enlarging_is_told_like_any_other_shortage(base, tmp_path, monkeypatch):
    def full(*_):
        raise torch.OutOfMemoryError("CUDA out of memory")

    monkeypatch.setattr(frame, "enlarged", full)
    with pytest.raises(EngineError) as raised:
        draw(base, tmp_path, enlargement=4, count=1)
    assert raised.value.code == "out_of_memory"
