"""Captions without a model."""

import unicodedata

import pytest
from PIL import Image, ImageDraw

from app.images.captions import (
    decode_caption,
    export_captions,
    find_and_replace,
    pair_captions,
    propose_caption,
    subject_from_name,
    uniform_border,
    with_trigger,
)
from tests.app.images.make_pictures import encoded, scene


@pytest.mark.parametrize(
    ("filename", "subject"),
    [
        ("rocket.png", "rocket"),
        ("RedRocket_Launch-02.jpg", "red rocket launch"),
        ("ACME_logo_final_v2_RGB.svg", "ACME logo"),
        ("Brötchen-auf-Holz (3).jpeg", "brötchen auf holz"),
        (unicodedata.normalize("NFD", "Grüße.jpg"), "grüße"),
        ("ÄpfelUndBirnen.jpg", "äpfel und birnen"),
        ("summer 2024 campaign 1200x800.jpg", "summer campaign"),
        ("coffee-cup@2x.png", "coffee cup"),
        ("team photo.jpg", "team photo"),
        ("people-in-office.heic", "people in office"),
        ("scanner-on-desk.png", "scanner on desk"),
        ("l'été.jpg", "l'été"),
        ("C:\\bilder\\Tasse.png", "tasse"),
        ("杯子.png", "杯子"),
        ("IMG_1234.HEIC", ""),
        ("IMG_1234-edited.jpg", ""),
        ("IMG-20240501-WA0003.jpg", ""),
        ("DSC0001.JPG", ""),
        ("DSC_0042.NEF.jpg", ""),
        ("_DSC1234.jpg", ""),
        ("PXL_20240501_101112345.jpg", ""),
        ("Screenshot 2024-05-01 at 10.11.12.png", ""),
        ("Bildschirmfoto 2024-05-01 um 10.11.12.png", ""),
        ("WhatsApp Image 2024-05-01 at 10.11.12.jpeg", ""),
        ("P1010023.jpg", ""),
        ("20240501_101112.jpg", ""),
        ("a3f4b2c1d5e6f7a8.png", ""),
        ("3fa85f64-5717-4562-b3fc-2c963f66afa6.png", ""),
        ("image (3).png", ""),
        ("download.jpg", ""),
        ("001.jpg", ""),
        ("?", ""),
    ],
)
def test_a_file_name_gives_words_or_nothing(filename: str, subject: str) -> None:
    assert subject_from_name(filename) == subject


@pytest.mark.parametrize(
    ("filename", "background", "caption"),
    [
        ("rocket.png", "#ffffff", "rocket, on a white background"),
        ("rocket.png", "#f58216", "rocket, on an orange background"),
        ("rocket.png", None, "rocket"),
        ("IMG_1234.jpg", "#fefefe", "on a white background"),
        ("IMG_1234.jpg", None, ""),
    ],
)
def test_a_proposal_is_plain(filename: str, background: str | None, caption: str) -> None:
    assert propose_caption(filename, background) == caption


def test_a_border_of_one_colour_is_seen_through_compression() -> None:
    image = Image.new("RGB", (256, 200), "#f4f4f2")
    ImageDraw.Draw(image).ellipse((60, 50, 200, 160), fill="#c81e2d")
    border = uniform_border(encoded(image, "WEBP", quality=80))
    assert border is not None
    assert propose_caption("cup.jpg", border) == "cup, on a white background"


def test_a_border_of_many_colours_is_none() -> None:
    assert uniform_border(encoded(scene(), "WEBP")) is None
    half = Image.new("RGB", (100, 100), "white")
    half.paste((0, 0, 0), (0, 0, 50, 100))
    assert uniform_border(encoded(half, "PNG")) is None


def test_find_and_replace_is_literal() -> None:
    captions = ["a red cup, red lid", "A Redwood table", "a.b"]
    assert find_and_replace(captions, "red", "blue", whole_words=True, match_case=False) == [
        "a blue cup, blue lid",
        "A Redwood table",
        "a.b",
    ]
    assert find_and_replace(captions, "red", "blue", whole_words=False, match_case=False)[1] == "A bluewood table"
    assert find_and_replace(captions, "red", "blue", whole_words=False, match_case=True)[1] == "A Redwood table"
    assert find_and_replace(captions, ".", r"\1", whole_words=False, match_case=True)[2] == r"a\1b"
    assert find_and_replace(captions, "", "x", whole_words=False, match_case=True) == captions


def test_taking_words_out_leaves_no_gaps() -> None:
    captions = ["a cup, on a table, close-up", "  untouched ,, caption"]
    assert find_and_replace(captions, "on a table", "", whole_words=True, match_case=True) == [
        "a cup, close-up",
        "  untouched ,, caption",
    ]
    assert find_and_replace(["größe grö"], "grö", "x", whole_words=True, match_case=True) == ["größe x"]


@pytest.mark.parametrize(
    ("caption", "expected"),
    [
        ("a cup", "acmebrand, a cup"),
        ("", "acmebrand"),
        ("a cup of acmebrand", "a cup of acmebrand"),
        ("Acmebrand cup", "Acmebrand cup"),
        ("a [trigger] cup", "a acmebrand cup"),
        ("acmebrandish cup", "acmebrand, acmebrandish cup"),
    ],
)
def test_the_trigger_word_is_there_once(caption: str, expected: str) -> None:
    assert with_trigger(caption, " acmebrand ") == expected
    assert with_trigger(expected, "acmebrand") == expected


def test_without_a_trigger_word_the_placeholder_goes() -> None:
    assert with_trigger("[trigger], a cup", "") == "a cup"


@pytest.mark.parametrize(
    "data",
    [
        "eine Tasse für Tee".encode(),
        "eine Tasse für Tee".encode("utf-8-sig"),
        "eine Tasse für Tee".encode("utf-16"),
        "eine Tasse für Tee".encode("utf-16-le"),
        "eine Tasse für Tee".encode("utf-16-be"),
        "eine Tasse für Tee".encode("latin-1"),
        "\r\neine Tasse\r\n für\tTee \n\n".encode(),
        unicodedata.normalize("NFD", "eine Tasse für Tee").encode(),
    ],
)
def test_caption_files_of_any_editor_are_read(data: bytes) -> None:
    assert decode_caption(data) == "eine Tasse für Tee"


def test_odd_caption_files_do_no_harm() -> None:
    assert decode_caption(b"") == ""
    assert decode_caption(b"\xff\xfe\x00") != "\0"
    assert len(decode_caption(b"a" * 10_000)) == 2000
    assert "\x1b" not in decode_caption(b"a\x1b[31mb")


def test_captions_are_paired_by_folder_and_stem() -> None:
    files = {"set/A.txt": b"one", "b.txt": b"two", "c.md": b"three", unicodedata.normalize("NFD", "ö.txt"): b"four"}
    pictures = ["set/a.JPG", "a.jpg", "b.tar.png", "b.png", "c.png", "ö.png"]
    assert pair_captions(pictures, files) == {"set/a.JPG": "one", "b.png": "two", "ö.png": "four"}


def test_exported_names_pair_again_and_clash_nowhere() -> None:
    names = [
        "logo.png",
        "logo.jpg",
        "LOGO.webp",
        "CON.png",
        "../../x.png",
        'a<b>:"c.png',
        "Grüße 🚀.jpg",
        ".png",
        "logo-2.gif",
    ]
    exported = export_captions((name, f"caption {n}") for n, name in enumerate(names))
    stems = [item.text_name.removesuffix(".txt") for item in exported]
    assert len({stem.casefold() for stem in stems}) == len(names)
    assert stems[:4] == ["logo", "logo-2", "LOGO-3", "CON-file"]
    assert all(not set(item.picture_name) & set('/\\<>:"|?*') for item in exported)
    again = pair_captions([item.picture_name for item in exported], {item.text_name: item.text for item in exported})
    assert list(again.values()) == [f"caption {n}" for n in range(len(names))]
