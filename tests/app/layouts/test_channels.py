import pytest

from app.generations.channels import CHANNELS as STUDIO
from app.layouts.channels import MM_PER_INCH, NoChannel, channel, channels, proportion_class, read
from app.layouts.values import PROPORTION_CLASSES, Canvas, Insets

GOOD = {"name": {"en": "Mine", "de": "Meins"}, "pixels": [600, 300], "class": "wide", "file_type": "png"}


def test_there_are_twenty_channels_each_with_its_own_key_and_a_name_in_both_languages() -> None:
    assert len({one.key for one in channels()}) == 20
    assert all(set(one.name) == {"en", "de"} and all(one.name.values()) for one in channels())
    assert {one.proportion for one in channels()} == set(PROPORTION_CLASSES)


def test_the_studio_draws_in_proportions_of_channels() -> None:
    drawn = {one.key: (one.across, one.down) for one in STUDIO}
    assert drawn == {"square": (1, 1), "portrait": (4, 5), "story": (9, 16), "banner": (16, 9)}


def test_prints_have_bleed_and_the_pixels_of_their_paper() -> None:
    prints = {one.key: one.paper for one in channels() if one.paper}
    assert {key: (paper.dpi, paper.bleed_mm) for key, paper in prints.items()} == {
        "print_a4": (300, 3),
        "print_a5": (300, 3),
        "roll_up": (100, 3),
    }
    assert channel("print_a4").canvas == Canvas(2480, 3508, Insets(), 36, 300)
    for one in channels():
        if one.paper:
            assert one.canvas.bleed_px / one.paper.dpi * MM_PER_INCH >= one.paper.bleed_mm, one.key
    assert {one.key for one in channels() if one.file_type == "pdf"} == set(prints)


def test_display_ads_weigh_what_ad_servers_take() -> None:
    display = [one for one in channels() if one.key.startswith("display_")]
    assert len(display) == 7
    assert {one.max_bytes for one in display} == {150_000}
    for one in display:
        assert one.key == f"display_{one.width_px}x{one.height_px}"


def test_a_channel_that_nobody_knows_is_not_found() -> None:
    with pytest.raises(NoChannel):
        channel("billboard_on_the_moon")


@pytest.mark.parametrize(
    ("width", "height", "expected"),
    [
        *((1080, 1920, "tall"), (1080, 1350, "tall"), (300, 600, "tall"), (1080, 1080, "square"), (300, 250, "square")),
        *((1200, 628, "wide"), (1920, 800, "wide"), (728, 90, "strip"), (970, 250, "strip"), (160, 600, "strip")),
    ],
)
def test_the_class_follows_from_the_pixels(width: int, height: int, expected: str) -> None:
    assert proportion_class(width, height) == expected


@pytest.mark.parametrize(
    "change",
    [
        {"pixels": [0, 300]},
        {"class": "tall"},
        {"safe": {"left": 300, "right": 300}},
        {"safe": {"top": -1}},
        {"file_type": "bmp"},
        {"paper": {"width_mm": 10, "height_mm": 10, "bleed_mm": 3, "dpi": 300}},
        {"colour": "red"},
    ],
)
def test_an_entry_that_contradicts_itself_is_refused(change: dict[str, object]) -> None:
    assert read("mine", GOOD).canvas == Canvas(600, 300)
    with pytest.raises(ValueError, match="mine"):
        read("mine", {**GOOD, **change})
