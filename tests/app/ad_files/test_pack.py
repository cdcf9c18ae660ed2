"""A pack of many files: byte-equal when made twice, written entry by entry, whole or not at all."""

import hashlib
import io
import json
import random
import subprocess
import sys
import textwrap
import tracemalloc
from collections.abc import Iterable
from pathlib import Path
from zipfile import ZIP_DEFLATED, ZIP_STORED, ZipFile

import pytest

from app.ad_files.manifest import ManifestRow
from app.ad_files.pack import PROGRAM_TABLE, TABLE, PackEntry, of_bytes, of_file, write_pack

FILES = {
    "instagram_story/de/b.jpg": b"jpeg" * 900,
    "instagram_story/de/a.jpg": b"JPEG" * 900,
    "display_300x250/ar/صيف.png": b"png" * 900,
    "instagram_story/de/a.psd": b"psd" * 900,
}
ENTRIES = [of_bytes(path, content) for path, content in FILES.items()]
ROWS = [ManifestRow(path, headline=f"Zeile {number}") for number, path in enumerate(FILES)]


def test_a_pack_made_twice_has_the_same_bytes(tmp_path: Path) -> None:
    entries, rows = list(ENTRIES), list(ROWS)
    write_pack(tmp_path / "one.zip", entries, rows)
    random.Random(3).shuffle(entries)
    random.Random(4).shuffle(rows)
    write_pack(tmp_path / "other.zip", entries, rows)
    assert (tmp_path / "one.zip").read_bytes() == (tmp_path / "other.zip").read_bytes()


def test_it_holds_the_files_in_order_and_the_tables_last(tmp_path: Path) -> None:
    made = write_pack(tmp_path / "pack.zip", ENTRIES, ROWS)
    with ZipFile(tmp_path / "pack.zip") as archive:
        assert archive.testzip() is None
        assert archive.namelist() == [*sorted(FILES), TABLE, PROGRAM_TABLE]
        kinds = {entry.filename: entry.compress_type for entry in archive.infolist()}
        assert {entry.date_time[0] for entry in archive.infolist()} == {1980}
        for path, content in FILES.items():
            assert archive.read(path) == content
        told = json.loads(archive.read(PROGRAM_TABLE))
    assert kinds["instagram_story/de/a.jpg"] == ZIP_STORED
    assert kinds["instagram_story/de/a.psd"] == kinds[TABLE] == ZIP_DEFLATED
    assert made.byte_count == (tmp_path / "pack.zip").stat().st_size
    assert {row["file"]: (row["byte_count"], row["sha256"]) for row in told} == {
        path: (len(content), hashlib.sha256(content).hexdigest()) for path, content in FILES.items()
    }
    assert [row.file for row in made.rows] == sorted(FILES)


def test_an_ad_that_could_not_be_made_is_told_of(tmp_path: Path) -> None:
    lost = ManifestRow("", channel="x_post", findings=("Too heavy",))
    made = write_pack(tmp_path / "pack.zip", ENTRIES, [*ROWS, lost])
    assert made.rows[0] == lost


def test_files_are_read_one_after_the_other(tmp_path: Path) -> None:
    """Forty files of a megabyte never lie in memory together."""
    large = tmp_path / "large.bin"
    large.write_bytes(random.Random(1).randbytes(1 << 20))
    entries = [of_file(f"{number:03}.png", large) for number in range(40)]
    tracemalloc.start()
    write_pack(tmp_path / "pack.zip", entries, [])
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 8 << 20
    assert (tmp_path / "pack.zip").stat().st_size > 40 << 20


def test_a_failure_leaves_the_old_pack_and_nothing_else(tmp_path: Path) -> None:
    target = tmp_path / "pack.zip"
    write_pack(target, ENTRIES, ROWS)
    before = target.read_bytes()

    def broken() -> Iterable[bytes]:
        yield b"x"
        raise OSError

    with pytest.raises(OSError):
        write_pack(target, [*ENTRIES, PackEntry("z.png", broken)], ROWS)
    assert target.read_bytes() == before
    assert list(tmp_path.iterdir()) == [target]


def test_after_a_kill_it_is_written_anew(tmp_path: Path) -> None:
    """The process dies in the middle of the second file, as a kill makes it."""
    code = """
        import os, sys
        from pathlib import Path
        from app.ad_files.pack import PackEntry, of_bytes, write_pack
        def dying():
            yield b"half"
            os._exit(9)
        write_pack(Path(sys.argv[1]), [of_bytes("a.png", b"a" * 99), PackEntry("b.png", dying)], [])
    """
    target = tmp_path / "pack.zip"
    died = subprocess.run([sys.executable, "-c", textwrap.dedent(code), str(target)], check=False)
    assert died.returncode == 9
    assert not target.exists()
    write_pack(target, ENTRIES, ROWS)
    write_pack(tmp_path / "other.zip", ENTRIES, ROWS)
    assert target.read_bytes() == (tmp_path / "other.zip").read_bytes()
    assert {path.name for path in tmp_path.iterdir()} == {"pack.zip", "other.zip"}


@pytest.mark.parametrize(
    "path",
    ["../a.png", "/a.png", "a//b.png", "a\\b.png", "c:a.png", "a/./b.png", "", "a\x00.png", "Manifest.CSV"],
    ids=["climbing", "root", "gap", "backslash", "drive", "dot", "empty", "null", "table"],
)
def test_a_path_out_of_the_pack_is_refused(tmp_path: Path, path: str) -> None:
    with pytest.raises(ValueError):
        write_pack(tmp_path / "pack.zip", [of_bytes(path, b"")], [])
    assert list(tmp_path.iterdir()) == []


def test_a_path_is_there_once_and_every_row_has_its_file(tmp_path: Path) -> None:
    for entries, rows in (
        ([of_bytes("a.png", b""), of_bytes("A.png", b"")], []),
        ([of_bytes("a.png", b"")], [ManifestRow("b.png")]),
    ):
        with pytest.raises(ValueError, match=r"twice|without"):
            write_pack(tmp_path / "pack.zip", entries, rows)


def test_an_empty_pack_is_a_pack(tmp_path: Path) -> None:
    write_pack(tmp_path / "pack.zip", [], [])
    with ZipFile(io.BytesIO((tmp_path / "pack.zip").read_bytes())) as archive:
        assert archive.namelist() == [TABLE, PROGRAM_TABLE]
