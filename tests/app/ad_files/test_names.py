"""Names by a team's pattern: different from each other, safe on every system, and never a way out of the pack."""

from dataclasses import replace
from datetime import date

import pytest

from app.ad_files.names import (
    DEFAULT_PATTERN,
    LONGEST_STEM,
    PLACEHOLDERS,
    NamedAd,
    NoPattern,
    UnknownPlaceholder,
    UnsafePattern,
    check_pattern,
    paths,
    safe,
)

AD = NamedAd(
    campaign="Sommer am Wasser",
    channel="instagram_story",
    locale="de",
    audience="Familien",
    layout="poster",
    number=7,
    date=date(2026, 12, 4),
    version=2,
    ending="jpg",
)


def test_every_placeholder_says_something() -> None:
    pattern = ".".join(f"{{{name}}}" for name in PLACEHOLDERS)
    expected = "Sommer-am-Wasser.instagram_story.de.Familien.poster.007.2026-12-04.v2.jpg"
    assert paths(pattern, [AD]) == [f"instagram_story/de/{expected}"]


def test_what_is_empty_leaves_no_gap() -> None:
    assert paths(DEFAULT_PATTERN, [replace(AD, audience="")]) == [
        "instagram_story/de/Sommer-am-Wasser_instagram_story_de_poster.jpg"
    ]
    assert paths("{audience}", [replace(AD, audience="")]) == ["instagram_story/de/ad_007.jpg"]
    assert paths("x", [replace(AD, channel="", locale="..")]) == ["all/all/x.jpg"]


def test_names_that_would_be_the_same_get_their_number() -> None:
    ads = [
        replace(AD, number=1),
        replace(AD, number=2, campaign="sommer am wasser"),
        replace(AD, number=3, locale="en"),
    ]
    assert [path.rsplit("/", 1)[1] for path in paths("{campaign}", ads)] == [
        "Sommer-am-Wasser_001.jpg",
        "sommer-am-wasser_002.jpg",
        "Sommer-am-Wasser.jpg",
    ]


def test_names_differ_even_where_numbers_do_not() -> None:
    made = paths("{layout}", [AD, AD, replace(AD, layout="poster_007-2"), AD])
    assert len({path.casefold() for path in made}) == 4


def test_the_same_ads_get_the_same_names() -> None:
    ads = [replace(AD, number=number % 3) for number in range(9)]
    assert paths("{campaign}", ads) == paths("{campaign}", ads)


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ("../../etc/passwd", "etc-passwd"),
        ("..\\..\\boot.ini", "boot-ini"),
        ("C:\\x", "C-x"),
        ("a\x00b\nc", "a-b-c"),
        ("Größe Ärger ẞ", "Groesse-Aerger-SS"),
        ("Café crème №1", "Cafe-creme-No1"),
        ("صيف جديد", "صيف-جديد"),
        ("\u202egpj.exe", "gpj-exe"),
        ("NUL", "_NUL"),
        ("com1", "_com1"),
        ("...", ""),
        ("/", ""),
    ],
    ids=["climbing", "backslashes", "drive", "control", "german", "accents", "arabic", "turned", *"ndps"],
)
def test_what_people_write_is_never_a_path(given: str, expected: str) -> None:
    assert safe(given, 60) == expected
    (path,) = paths("{campaign}", [replace(AD, campaign=given)])
    folders = path.split("/")
    assert len(folders) == 3
    assert not {"", ".", ".."} & set(folders)
    assert not set("\\:\x00\n") & set(path)


def test_names_are_never_too_long_for_a_file_system() -> None:
    for campaign in ("wort " * 90, "صيف" * 90, "é" * 500):
        (path,) = paths("{campaign}_{campaign}", [replace(AD, campaign=campaign, channel="c" * 90)])
        *folders, name = path.split("/")
        assert len(name.encode()) <= LONGEST_STEM + 4
        assert all(len(folder) <= 40 for folder in folders)


def test_a_pattern_with_an_unknown_placeholder_is_refused() -> None:
    with pytest.raises(UnknownPlaceholder) as refused:
        check_pattern("{campaign}_{colour}")
    assert refused.value.params["name"] == "colour"
    assert "{channel}" in str(refused.value)


@pytest.mark.parametrize(
    "pattern", ["a/b", "..{date}", "{date}..", "a\\b", "{campaign", "campaign}", "a b", "a:b", "{{date}}", "ä"]
)
def test_a_pattern_that_could_lead_elsewhere_is_refused(pattern: str) -> None:
    with pytest.raises(UnsafePattern):
        check_pattern(pattern)


@pytest.mark.parametrize("pattern", ["", "  ", "x" * 201], ids=["empty", "blank", "long"])
def test_a_pattern_has_a_length(pattern: str) -> None:
    with pytest.raises(NoPattern):
        paths(pattern, [AD])
