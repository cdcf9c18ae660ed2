"""The cut that training sees."""

import random

import pytest

from app.images.crops import Box, bucket_sizes, training_crop


@pytest.mark.parametrize(("resolution", "step"), [(1024, 64), (768, 64), (512, 64), (128, 16)])
def test_buckets_keep_area_step_and_proportion(resolution: int, step: int) -> None:
    sizes = bucket_sizes(resolution, step)
    assert (resolution, resolution) in sizes
    assert len(sizes) == len(set(sizes)) >= 5
    for width, height in sizes:
        assert width % step == height % step == 0
        assert width * height <= resolution**2
        assert max(width, height) / min(width, height) <= 2
        assert (height, width) in sizes
        assert width * height > 0.75 * resolution**2


@pytest.mark.parametrize(("resolution", "step"), [(1000, 64), (0, 64), (64, 0), (-64, 64)])
def test_a_resolution_off_the_step_is_refused(resolution: int, step: int) -> None:
    with pytest.raises(ValueError):
        bucket_sizes(resolution, step)


def test_a_square_is_taken_whole() -> None:
    assert training_crop(1500, 1500, bucket_sizes(1024)) == Box(0, 0, 1500, 1500, 1024, 1024)


def test_a_photo_goes_to_the_nearest_proportion_and_loses_little() -> None:
    box = training_crop(2048, 1365, bucket_sizes(1024))
    assert (box.target_width, box.target_height) == (1216, 832)
    assert box.width * box.height / (2048 * 1365) > 0.95
    assert abs(box.width / box.height - 1216 / 832) < 0.002


def test_a_banner_is_cut_at_the_sides_around_the_focus() -> None:
    buckets = bucket_sizes(1024)
    centre = training_crop(2000, 400, buckets)
    assert (centre.top, centre.height) == (0, 400)
    assert centre.left == (2000 - centre.width) // 2
    assert training_crop(2000, 400, buckets, focus=(0, 0.5)).left == 0
    right = training_crop(2000, 400, buckets, focus=(1, 0.5))
    assert right.left + right.width == 2000
    near = training_crop(2000, 400, buckets, focus=(0.3, 0.5))
    assert near.left <= 600 <= near.left + near.width


def test_a_given_size_can_be_the_only_bucket() -> None:
    assert training_crop(200, 100, [(128, 128)]) == Box(50, 0, 100, 100, 128, 128)


def test_every_cut_lies_inside_and_has_the_target_proportion() -> None:
    rng = random.Random(1)
    for resolution, step in ((1024, 64), (128, 16)):
        buckets = bucket_sizes(resolution, step)
        for _ in range(300):
            width, height = rng.randint(64, 2048), rng.randint(64, 2048)
            box = training_crop(width, height, buckets, (rng.random(), rng.random()))
            assert box.left >= 0
            assert box.top >= 0
            assert box.left + box.width <= width
            assert box.top + box.height <= height
            assert box.width == width or box.height == height
            assert abs(box.width * box.target_height - box.height * box.target_width) <= max(
                box.target_width, box.target_height
            )


@pytest.mark.parametrize(
    ("width", "height", "buckets", "focus"),
    [(0, 10, [(64, 64)], None), (10, 10, [], None), (10, 10, [(64, 64)], (1.1, 0.5)), (10, 10, [(64, 64)], (-1, 0))],
)
def test_impossible_orders_are_refused(
    width: int, height: int, buckets: list[tuple[int, int]], focus: tuple[float, float] | None
) -> None:
    with pytest.raises(ValueError):
        training_crop(width, height, buckets, focus)
