"""File names are text: shown safely, never used."""

import pytest

from app.images.reading.names import MAX_SHOWN, shown_name


@pytest.mark.parametrize(
    ("given", "shown"),
    [
        ("logo.png", "logo.png"),
        ("C:\\Users\\me\\logo.png", "logo.png"),
        ("../../etc/passwd", "passwd"),
        ("Grüße 🚀.jpg", "Grüße 🚀.jpg"),
        ("شعار.png", "شعار.png"),
        ("evil\u202egnp.exe", "evil gnp.exe"),
        ("two\nlines.png", "two lines.png"),
        ("👩‍🚀.png", "👩‍🚀.png"),
        ("-rf.png", "-rf.png"),
        ("CON", "CON"),
        ("", "?"),
        ("\0\0", "?"),
        ("..", ".."),
    ],
)
def test_names_are_shown_on_one_line(given: str, shown: str) -> None:
    assert shown_name(given) == shown


def test_long_names_keep_their_ending() -> None:
    shown = shown_name("a" * 300 + ".png")
    assert len(shown) == MAX_SHOWN
    assert shown.endswith("aaa.png")
    assert "…" in shown
