"""The table of a pack: for people in a spreadsheet, for programs as JSON, and never a formula."""

import csv
import io
import json

import pytest

from app.ad_files.manifest import COLUMNS, ManifestRow, as_csv, as_json

ROW = ManifestRow(
    file="instagram_story/de/a.jpg",
    channel="instagram_story",
    width_px=1080,
    height_px=1920,
    type="image/jpeg",
    headline="Größe; „zählt“\r\nmehr",
    alt_text='=HYPERLINK("https://example.org";"x")',
    seed=4294967295,
    adapter_version=3,
    findings=("A", "B"),
)


def cells(content: bytes, separator: str = ";") -> dict[str, str]:
    (row,) = csv.DictReader(io.StringIO(content.decode("utf-8-sig"), newline=""), delimiter=separator)
    return row


@pytest.mark.parametrize("separator", [";", ","], ids=["german", "english"])
def test_a_spreadsheet_reads_it_as_it_was_written(separator: str) -> None:
    content = as_csv([ROW], separator=separator)
    assert content.startswith(b"\xef\xbb\xbf")
    row = cells(content, separator)
    assert tuple(row) == COLUMNS
    assert row["headline"] == "Größe; „zählt“\nmehr"
    assert (row["width_px"], row["seed"], row["byte_count"], row["findings"]) == ("1080", "4294967295", "", "A B")


@pytest.mark.parametrize("start", ["=", "+", "-", "@", "\t", "\r"], ids=["is", "plus", "minus", "at", "tab", "return"])
def test_no_cell_begins_a_formula(start: str) -> None:
    row = cells(as_csv([ManifestRow("a", headline=f"{start}1+1", findings=(f"{start}1",))]))
    assert row["headline"][0] == row["findings"][0] == "'"


def test_programs_get_the_same_columns_with_their_types() -> None:
    (row,) = json.loads(as_json([ROW]))
    assert tuple(row) == COLUMNS
    assert row["alt_text"] == ROW.alt_text
    assert row["findings"] == ["A", "B"]
    assert (row["seed"], row["kit_version"]) == (4294967295, None)


def test_what_no_file_can_hold_is_left_out() -> None:
    odd = ManifestRow("a", headline="a\x00b\ud800c", findings=("\x00",))
    assert cells(as_csv([odd]))["headline"] == "abc"
    assert json.loads(as_json([odd]))[0]["headline"] == "abc"
