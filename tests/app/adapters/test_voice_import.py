"""ZIPs of voices that are damaged, or made to cost more than they weigh."""

import io
import struct
import tracemalloc
import zipfile

import pytest

from app.adapters.voice.imports import NotAVoice, read_voice

NAMES = ("adapter_config.json", "adapter_model.safetensors")


def packed(configuration: bytes, tensors: bytes, compression: int = zipfile.ZIP_DEFLATED) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", compression) as archive:
        for name, content in zip(NAMES, (configuration, tensors), strict=True):
            archive.writestr(name, content)
    return out.getvalue()


def damaged() -> bytes:
    content = bytearray(packed(b"{}", bytes(range(256)) * 400))
    at = content.rfind(b"PK\x01\x02") - 30
    content[at : at + 20] = b"\xff" * 20
    return bytes(content)


def before_the_beginning() -> bytes:
    content = bytearray(packed(b"{}", b"x"))
    struct.pack_into("<I", content, content.rfind(b"PK\x05\x06") + 16, 2**31)
    return bytes(content)


@pytest.mark.parametrize(
    "content",
    [
        pytest.param(damaged(), id="damaged inside"),
        pytest.param(before_the_beginning(), id="a directory before the beginning"),
        pytest.param(packed(b"[" * 50_000, b"x"), id="a deep configuration"),
        pytest.param(b"PK\x03\x04 and PK\x05\x06" + bytes(18), id="nothing but an end"),
    ],
)
def test_a_broken_zip_is_refused_in_words(content: bytes) -> None:
    with pytest.raises(NotAVoice):
        read_voice(io.BytesIO(content), [])


@pytest.mark.parametrize("compression", [zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_a_voice_that_would_be_unpacked_in_one_step_is_refused_unread(compression: int) -> None:
    content = packed(b"{}", bytes(60_000_000), compression)
    tracemalloc.start()
    with pytest.raises(NotAVoice):
        read_voice(io.BytesIO(content), [])
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 5_000_000


def test_a_directory_of_very_many_files_is_refused_before_it_is_loaded() -> None:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        for number in range(20_000):
            archive.writestr(str(number), b"")
    tracemalloc.start()
    with pytest.raises(NotAVoice):
        read_voice(io.BytesIO(out.getvalue()), [])
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 3_000_000
