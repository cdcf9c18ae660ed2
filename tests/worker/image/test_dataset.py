import numpy as np
import pytest
import torch
from PIL import Image

from worker.engines.contracts import EngineError, TrainingPicture
from worker.engines.image.training import dataset


@pytest.mark.parametrize(
    ("caption", "result"),
    [
        ("a jar", "brandx, a jar"),
        ("", "brandx"),
        ("a [trigger] jar", "a brandx jar"),
        ("A jar, BrandX style", "A jar, BrandX style"),
        ("a brandxylophone", "brandx, a brandxylophone"),
        ("(brandx), a jar", "(brandx), a jar"),
    ],
)
def test_every_caption_holds_the_trigger_word_once(caption, result):
    assert dataset.caption_with_trigger(caption, "brandx") == result
    assert dataset.caption_with_trigger(result, "brandx") == result


def test_a_batch_holds_one_size_and_an_epoch_every_picture_once():
    sizes = [(64, 64)] * 5 + [(64, 128)] * 3
    epoch = [dataset.batch_at(sizes, 2, seed=3, step=step) for step in range(5)]
    assert sorted(index for batch in epoch for index in batch) == list(range(8))
    assert all(len({sizes[index] for index in batch}) == 1 for batch in epoch)


def test_the_order_depends_on_seed_and_step_alone_and_changes_every_epoch():
    sizes = [(64, 64)] * 8
    first = [dataset.batch_at(sizes, 2, 0, step) for step in range(4)]
    assert first == [dataset.batch_at(sizes, 2, 0, step) for step in range(4)]
    assert first != [dataset.batch_at(sizes, 2, 0, step) for step in range(4, 8)]
    assert first != [dataset.batch_at(sizes, 2, 1, step) for step in range(4)]


def test_the_order_is_pinned():
    # A checkpoint written by an older version must go on with the batch that was next; change this only with care.
    assert [dataset.batch_at([(8, 8)] * 5, 2, 42, step) for step in range(3)] == [[2, 4], [0], [1, 3]]


def test_the_crop_is_cut_out_and_scaled(tmp_path):
    pixels = np.zeros((40, 60, 3), dtype=np.uint8)
    pixels[10:30, 20:40] = 255
    Image.fromarray(pixels).save(tmp_path / "a.png")
    tensor = dataset.load_pixels(TrainingPicture(tmp_path / "a.png", "", 20, 10, 20, 20, 16, 8))
    assert tensor.shape == (1, 3, 8, 16)
    assert torch.equal(tensor, torch.ones(1, 3, 8, 16))


def test_transparency_becomes_white(tmp_path):
    Image.new("RGBA", (8, 8), (255, 0, 0, 0)).save(tmp_path / "a.png")
    assert dataset.load_pixels(TrainingPicture(tmp_path / "a.png", "", 0, 0, 8, 8, 8, 8)).min() == 1


def test_a_broken_file_and_a_crop_outside_are_told_in_a_sentence(tmp_path):
    (tmp_path / "a.png").write_bytes(b"nothing")
    with pytest.raises(EngineError, match=r"a\.png cannot be read"):
        dataset.load_pixels(TrainingPicture(tmp_path / "a.png", "", 0, 0, 8, 8, 8, 8))
    Image.new("RGB", (8, 8)).save(tmp_path / "b.png")
    with pytest.raises(EngineError, match="outside"):
        dataset.load_pixels(TrainingPicture(tmp_path / "b.png", "", 4, 0, 8, 8, 8, 8))
