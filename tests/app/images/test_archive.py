"""Reading ZIPs: what is taken, what is left out with a sentence, what is refused as a whole."""

import io
import stat
import struct
import tracemalloc
import unicodedata
import zipfile
from pathlib import Path

import pytest

from app.images import errors
from app.images.reading import archive
from app.images.reading.archive import MEMBER_TOO_LARGE, ArchiveLimits, ArchiveMember, SkippedMember, read_archive
from app.images.reading.notes import Note

PICTURE = b"\xff\xd8\xff picture bytes"


def zipped(*members: tuple[str | zipfile.ZipInfo, bytes], compression: int = zipfile.ZIP_DEFLATED) -> io.BytesIO:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", compression) as file:
        for name, data in members:
            file.writestr(name, data)
    buffer.seek(0)
    return buffer


def read(
    source: io.BytesIO | Path, limits: ArchiveLimits | None = None
) -> tuple[list[ArchiveMember], list[SkippedMember]]:
    members = list(read_archive(source, "brand.zip", limits))
    return (
        [member for member in members if isinstance(member, ArchiveMember)],
        [member for member in members if isinstance(member, SkippedMember)],
    )


def test_pictures_come_in_order_with_their_captions() -> None:
    source = zipped(
        ("set/b.jpg", PICTURE),
        ("set/", b""),
        ("set/b.txt", "a café".encode("utf-16")),
        ("set/a.png", PICTURE + b"2"),
        ("other/a.txt", b"belongs to nothing here"),
        ("A.PNG", PICTURE),
        ("a.png", PICTURE),
        ("a.txt", b"both of them"),
    )
    pictures, skipped = read(source)
    assert [(m.name, m.caption) for m in pictures] == [
        ("b.jpg", "a café"),
        ("a.png", None),
        ("A.PNG", "both of them"),
        ("a.png", "both of them"),
    ]
    assert pictures[1].data == PICTURE + b"2"
    assert [s.note.msgid for s in skipped] == [archive.LONE_CAPTION]


def test_a_path_is_read_like_a_file(tmp_path: Path) -> None:
    path = tmp_path / "x"
    path.write_bytes(zipped(("a.jpg", PICTURE)).getvalue())
    assert len(read(path)[0]) == 1


def test_what_systems_add_is_passed_over_silently() -> None:
    names = ("__MACOSX/._a.jpg", ".DS_Store", "set/._a.jpg", ".hidden/a.jpg", "Thumbs.db", "set/desktop.ini")
    assert read(zipped(*[(name, PICTURE) for name in names])) == ([], [])


@pytest.mark.parametrize(
    "name", ["../a.jpg", "set/../../a.jpg", "/etc/a.jpg", "C:\\a.jpg", "c:a.jpg", "..\\a.jpg", "\\\\host\\a.jpg"]
)
def test_names_that_point_outside_are_left_out_and_the_others_go_on(name: str) -> None:
    pictures, skipped = read(zipped((name, PICTURE), ("good.jpg", PICTURE)))
    assert [m.name for m in pictures] == ["good.jpg"]
    assert [s.note.msgid for s in skipped] == [archive.UNSAFE_NAME]
    assert "a.jpg" in str(skipped[0].note)


def test_links_are_left_out() -> None:
    link = zipfile.ZipInfo("link.jpg")
    link.create_system = 3
    link.external_attr = (stat.S_IFLNK | 0o777) << 16
    pictures, skipped = read(zipped((link, b"/etc/passwd"), ("good.jpg", PICTURE)))
    assert len(pictures) == 1
    assert [s.note.msgid for s in skipped] == [archive.LINK]


def test_archives_in_archives_are_left_out_by_name_and_by_content() -> None:
    inner = zipped(("a.jpg", PICTURE)).getvalue()
    pictures, skipped = read(zipped(("inner.zip", inner), ("disguised.jpg", inner), ("good.jpg", PICTURE)))
    assert len(pictures) == 1
    assert [s.note.msgid for s in skipped] == [archive.NESTED, archive.NESTED]


@pytest.mark.slow
def test_a_bomb_is_left_out_by_its_ratio_with_little_memory() -> None:
    source = zipped(("zeros.jpg", bytes(300 * 1024 * 1024)), ("good.jpg", PICTURE))
    assert len(source.getvalue()) < 400_000
    tracemalloc.start()
    pictures, skipped = read(source)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert [m.name for m in pictures] == ["good.jpg"]
    assert [s.note.msgid for s in skipped] == [archive.SUSPICIOUS]
    assert peak < 80 * 1024 * 1024


@pytest.mark.parametrize("compression", [zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_what_the_library_would_unpack_in_one_step_is_left_out_unread(compression: int) -> None:
    packed = bytearray(zipped(("a.png", bytes(60_000_000)), compression=compression).getvalue())
    struct.pack_into("<I", packed, packed.rfind(b"PK\x01\x02") + 24, 900_000)  # what it says that it unpacks to
    tracemalloc.start()
    (left_out,) = read_archive(io.BytesIO(bytes(packed)), "brand.zip")
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert isinstance(left_out, SkippedMember)
    assert left_out.note.msgid == archive.UNUSUAL
    assert peak < 5_000_000


def test_a_member_over_its_limit_is_left_out() -> None:
    source = zipped(("large.jpg", bytes(range(256)) * 8192), ("good.jpg", PICTURE), compression=zipfile.ZIP_STORED)
    pictures, skipped = read(source, ArchiveLimits(max_member_bytes=1024 * 1024))
    assert len(pictures) == 1
    assert skipped[0].note == Note(MEMBER_TOO_LARGE, {"name": "large.jpg", "limit_mb": 1})


def test_too_much_in_sum_is_refused_before_anything_is_read() -> None:
    source = zipped(*[(f"{n}.jpg", bytes(100_000)) for n in range(20)])
    with pytest.raises(errors.ArchiveTooLarge) as refused:
        read_archive(source, "brand.zip", ArchiveLimits(max_total_bytes=1_500_000))
    assert refused.value.status == 413


def test_false_sizes_do_not_get_round_the_sum() -> None:
    source = zipped(("a.jpg", bytes(90_000)), ("b.jpg", bytes(90_000)), compression=zipfile.ZIP_STORED)
    data = bytearray(source.getvalue())
    at = 0
    while (at := data.find(b"PK\x01\x02", at)) >= 0:  # directory: state 10 bytes unpacked
        struct.pack_into("<I", data, at + 24, 10)
        at += 4
    # zipfile stops at the stated size, so what is stated falsely small is cut and fails its checksum.
    pictures, skipped = read(io.BytesIO(bytes(data)), ArchiveLimits(max_total_bytes=100_000))
    assert pictures == []
    assert {s.note.msgid for s in skipped} == {archive.DAMAGED}


def test_the_sum_is_counted_while_reading() -> None:
    source = zipped(("a.jpg", bytes(600_000)), ("b.jpg", bytes(600_000)), compression=zipfile.ZIP_STORED)
    members = read_archive(source, "brand.zip", ArchiveLimits(max_total_bytes=1_300_000))
    assert isinstance(next(members), ArchiveMember)
    with zipfile.ZipFile(source) as file:
        reader = archive._Reader(file, "brand.zip", ArchiveLimits(max_total_bytes=1_000_000))
        infos = file.infolist()
        assert isinstance(reader.read(infos[0], "a.jpg", 10**9), bytes)
        with pytest.raises(errors.ArchiveTooLarge):
            reader.read(infos[1], "b.jpg", 10**9)


def test_too_many_entries_are_refused() -> None:
    with pytest.raises(errors.TooManyEntries) as refused:
        read_archive(zipped(*[(f"{n}.jpg", b"") for n in range(2001)]), "brand.zip")
    assert (refused.value.params["count"], refused.value.params["limit"]) == (2001, 2000)


def test_a_huge_directory_is_refused_before_it_is_loaded() -> None:
    data = bytearray(zipped(("a.jpg", PICTURE)).getvalue())
    end = data.rfind(b"PK\x05\x06")
    struct.pack_into("<I", data, end + 12, 500_000_000)
    with pytest.raises(errors.TooManyEntries):
        read_archive(io.BytesIO(bytes(data)), "brand.zip")


def test_a_zip64_archive_is_read_and_its_directory_is_measured() -> None:
    buffer = zipped(("a.jpg", PICTURE))
    data = buffer.getvalue()
    end = data.rfind(b"PK\x05\x06")
    start, length = data.index(b"PK\x01\x02"), end - data.index(b"PK\x01\x02")

    def with_directory(count: int, size: int) -> io.BytesIO:
        record = b"PK\x06\x06" + struct.pack("<QHHIIQQQQ", 44, 45, 45, 0, 0, count, count, size, start)
        locator = b"PK\x06\x07" + struct.pack("<IQI", 0, end, 1)
        closing = b"PK\x05\x06" + struct.pack("<HHHHIIH", 0, 0, 0xFFFF, 0xFFFF, 0xFFFFFFFF, 0xFFFFFFFF, 0)
        return io.BytesIO(data[:end] + record + locator + closing)

    assert len(read(with_directory(1, length))[0]) == 1
    with pytest.raises(errors.TooManyEntries):
        read_archive(with_directory(5_000_000, 500_000_000), "brand.zip")


def test_an_encrypted_archive_is_refused() -> None:
    data = bytearray(zipped(("a.jpg", PICTURE)).getvalue())
    data[data.index(b"PK\x01\x02") + 8] |= 1
    data[6] |= 1
    with pytest.raises(errors.EncryptedArchive):
        read_archive(io.BytesIO(bytes(data)), "brand.zip")


@pytest.mark.parametrize("data", [b"", b"not a zip", b"PK\x03\x04" + b"\0" * 50, b"PK\x05\x06" + b"\xff" * 18])
def test_other_files_are_refused(data: bytes) -> None:
    with pytest.raises((errors.UnreadableArchive, errors.TooManyEntries)):
        read_archive(io.BytesIO(data), "brand.zip")


def test_half_an_archive_is_refused() -> None:
    data = zipped(("a.jpg", PICTURE * 100), ("b.jpg", PICTURE)).getvalue()
    with pytest.raises(errors.UnreadableArchive):
        read_archive(io.BytesIO(data[: len(data) // 2]), "brand.zip")


def test_a_damaged_member_is_left_out_and_the_others_go_on() -> None:
    data = bytearray(zipped(("a.jpg", PICTURE), ("b.jpg", PICTURE), compression=zipfile.ZIP_STORED).getvalue())
    data[data.index(PICTURE) + 5] ^= 0xFF
    pictures, skipped = read(io.BytesIO(bytes(data)))
    assert [m.name for m in pictures] == ["b.jpg"]
    assert [s.note.msgid for s in skipped] == [archive.DAMAGED]


@pytest.mark.parametrize(
    "name", ["🚀 launch.jpg", "شعار.jpg", "a" * 300 + ".jpg", "two\nlines.jpg", "CON.jpg", "-rf.jpg", "Grüße.jpg"]
)
def test_any_name_is_only_text(name: str) -> None:
    pictures, skipped = read(zipped((name, PICTURE)))
    assert skipped == []
    assert len(pictures) == 1
    assert len(pictures[0].name) <= 80
    assert "\n" not in pictures[0].name


def test_names_of_macos_are_read_as_their_author_wrote_them() -> None:
    decomposed = unicodedata.normalize("NFD", "Grüße.jpg")
    data = bytearray(zipped((decomposed, PICTURE), (unicodedata.normalize("NFC", "Grüße.txt"), b"hello")).getvalue())
    for mark, offset in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        at = 0
        while (at := data.find(mark, at)) >= 0:
            flags = struct.unpack_from("<H", data, at + offset)[0]
            struct.pack_into("<H", data, at + offset, flags & ~0x800)
            at += 4
    pictures, _ = read(io.BytesIO(bytes(data)))
    assert unicodedata.normalize("NFC", pictures[0].name) == "Grüße.jpg"
    assert pictures[0].caption == "hello"
