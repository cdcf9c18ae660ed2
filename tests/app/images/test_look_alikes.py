"""Pictures that look alike, and the word on the badge."""

import random

import pytest
from PIL import Image, ImageEnhance

from app.images.judging.look_alikes import (
    STATUS_ADVICE,
    STATUS_WORDS,
    LookAlikes,
    PictureStatus,
    StatusThresholds,
    advice_for,
    find_look_alikes,
    status_of,
)
from app.images.reading.intake import inspect, prepare
from tests.app.images.make_pictures import encoded, scene


def hash_of(image: Image.Image, image_format: str = "PNG", **options: object) -> str:
    return prepare(inspect(encoded(image, image_format, **options), "x")).dhash


@pytest.mark.slow
def test_the_same_photo_in_another_size_format_and_light_is_found() -> None:
    original = scene(640, 400, seed=5)
    hashes = [
        hash_of(original),
        hash_of(original.resize((300, 188)), "JPEG", quality=60),
        hash_of(scene(640, 400, seed=6)),
        hash_of(ImageEnhance.Brightness(original).enhance(0.85), "WEBP"),
        hash_of(scene(640, 400, seed=7)),
    ]
    assert {(pair.first, pair.second) for pair in find_look_alikes(hashes)} == {(0, 1), (0, 3), (1, 3)}


def test_distances_are_counted_and_the_nearest_come_first() -> None:
    base = 0x0F0F_F0F0_3333_CCCC
    hashes = [f"{value:016x}" for value in (base, base ^ 0b111111, base ^ (1 << 63), base ^ 0x7F)]
    assert find_look_alikes(hashes)[:2] == [LookAlikes(0, 2, 1), LookAlikes(1, 3, 1)]
    assert LookAlikes(0, 1, 6) in find_look_alikes(hashes)
    assert all(pair.distance <= 6 for pair in find_look_alikes(hashes))
    assert find_look_alikes(hashes, max_distance=0) == []


def test_flat_pictures_are_nobodys_twin() -> None:
    white, grey = (hash_of(Image.new("RGB", (100, 100), colour)) for colour in ("white", "grey"))
    assert white == grey == "0" * 16
    assert find_look_alikes([white, grey]) == []


def test_two_thousand_pictures_agree_with_the_plain_way() -> None:
    rng = random.Random(1)
    values = [rng.getrandbits(64) for _ in range(1900)]
    values += [value ^ (1 << rng.randrange(64)) for value in values[:100]]
    found = find_look_alikes([f"{value:016x}" for value in values])
    assert [(pair.first, pair.second) for pair in found] == [(n, 1900 + n) for n in range(100)]


@pytest.mark.parametrize("hashes", [[], ["0f0f0f0f0f0f0f0f"]])
def test_none_and_one_have_no_pairs(hashes: list[str]) -> None:
    assert find_look_alikes(hashes) == []


@pytest.mark.parametrize(
    ("width", "height", "sharpness", "is_twin", "status"),
    [
        (2000, 1500, 400.0, False, PictureStatus.GOOD),
        (2000, 767, 400.0, False, PictureStatus.SMALL),
        (768, 2000, 400.0, False, PictureStatus.GOOD),
        (2000, 1500, 5.0, False, PictureStatus.BLURRY),
        (500, 500, 5.0, False, PictureStatus.SMALL),
        (500, 500, 5.0, True, PictureStatus.TWIN),
    ],
)
def test_the_most_useful_word_wins(
    width: int, height: int, sharpness: float, is_twin: bool, status: PictureStatus
) -> None:
    assert status_of(width, height, sharpness, is_twin=is_twin) is status


def test_thresholds_follow_the_base_model() -> None:
    assert status_of(130, 130, 400.0, is_twin=False, thresholds=StatusThresholds(small_side=96)) is PictureStatus.GOOD


def test_every_status_has_a_word_and_advice() -> None:
    assert set(STATUS_WORDS) == set(STATUS_ADVICE) == set(PictureStatus)
    assert str(advice_for(PictureStatus.SMALL, 500, 700)).startswith("Only 500 pixels")
    assert all("%(" not in str(advice_for(status, 500, 700)) for status in PictureStatus)
