from typing import Annotated

import pytest
from pydantic import BaseModel, Field, ValidationError

from app.web.text import LONGEST_LINE, Line, Name, RowId, Text


class Everything(BaseModel):
    line: Line = ""
    text: Text = ""
    short: Annotated[Line, Field(min_length=1, max_length=5)] = "-"
    name: Name = "-"
    row: RowId = "0" * 32
    maybe: Line | None = None
    several: Annotated[list[Line], Field(max_length=2)] = []


@pytest.mark.parametrize(
    ("written", "kept"),
    [
        ("  Nordlicht \r\n  Tee\t ", "Nordlicht Tee"),
        ("a\x00b\x07c\x7fd", "abcd"),
        ("half \ud83c a tree 🌲", "half a tree 🌲"),
        ("safe\u202eexe.gnp", "safeexe.gnp"),
        ("Cafe\u0301", "Café"),
        ("👩\u200d🎨", "👩\u200d🎨"),
        ("a \x00 b", "a b"),
        ("\x00 \x01", ""),
    ],
)
def test_a_line_is_one_clean_line(written: str, kept: str) -> None:
    assert Everything(line=written).line == kept


def test_a_text_keeps_its_lines() -> None:
    assert Everything(text="\r\nWarm.\r\n\r\n\tCalm.\rQuiet.\x00 \n").text == "Warm.\n\n\tCalm.\nQuiet."


def test_lengths_count_after_the_cleaning() -> None:
    assert Everything(short="  12345\x00\x00 ").short == "12345"
    for wrong in ("123456", " \x00 "):
        with pytest.raises(ValidationError):
            Everything(short=wrong)
    with pytest.raises(ValidationError):
        Everything(line="x" * (LONGEST_LINE + 1))
    with pytest.raises(ValidationError):
        Everything(name="\x00")


@pytest.mark.parametrize("wrong", [True, 10**30, ["x"], {"a": 1}, b"x" * 400])
def test_only_text_is_text(wrong: object) -> None:
    with pytest.raises(ValidationError):
        Everything.model_validate({"line": wrong})


@pytest.mark.parametrize("wrong", ["", "0" * 31, "0" * 32 + "\n", "G" * 32, "\x00" * 32, "\ud800"])
def test_an_id_looks_like_one(wrong: str) -> None:
    with pytest.raises(ValidationError):
        Everything.model_validate({"row": wrong})


def test_the_bounds_are_in_the_schema() -> None:
    fields = Everything.model_json_schema()["properties"]
    assert (fields["short"]["minLength"], fields["short"]["maxLength"]) == (1, 5)
    assert fields["row"]["pattern"] == "^[0-9a-f]{32}$"
