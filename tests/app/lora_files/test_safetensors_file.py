import json
import struct

import numpy as np
import pytest
import safetensors
import safetensors.numpy

from app.lora_files import safetensors_file
from app.lora_files.safetensors_file import Tensor, UnsafeFile, float32_tensor


def raw(header, data=b"", length=None):
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    return struct.pack("<Q", len(text) if length is None else length) + text + data


def entry(start, end, shape=None, dtype="F32"):
    return {"dtype": dtype, "shape": shape if shape is not None else [(end - start) // 4], "data_offsets": [start, end]}


TWIN = b'{"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]},"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}}'
HOSTILE = {
    "empty": b"",
    "too short": b"\x01\x00",
    "header of 2^60 bytes": raw({}, length=2**60),
    "header over 8 MB": raw(b'{"a": "' + b"x" * 8_100_000 + b'"}'),
    "longer than the file": raw({}, length=500),
    "not JSON": raw(b"{not json}"),
    "not UTF-8": raw(b"\xff\xfe\xff"),
    "deeply nested": raw(b"[" * 200_000),
    "a list": raw([1, 2]),
    "no tensors": raw({"__metadata__": {"a": "b"}}),
    "metadata not text": raw({"__metadata__": {"a": 1}, "a": entry(0, 4)}, bytes(4)),
    "metadata a list": raw({"__metadata__": ["a"], "a": entry(0, 4)}, bytes(4)),
    "overlap": raw({"a": entry(0, 8), "b": entry(4, 12)}, bytes(12)),
    "twice the same bytes": raw({"a": entry(0, 4), "b": entry(0, 4)}, bytes(4)),
    "a gap": raw({"a": entry(0, 4), "b": entry(8, 12)}, bytes(12)),
    "out of bounds": raw({"a": entry(0, 400)}, bytes(8)),
    "bytes after the last tensor": raw({"a": entry(0, 4)}, bytes(400)),
    "negative": raw({"a": entry(-4, 0, [1])}, bytes(4)),
    "end before start": raw({"a": entry(4, 0, [1])}, bytes(4)),
    "huge shape": raw({"a": entry(0, 4, [2**62, 2**62])}, bytes(4)),
    "shape and length disagree": raw({"a": entry(0, 4, [2])}, bytes(4)),
    "truth as a number": raw({"a": entry(0, 4, [True])}, bytes(4)),
    "a fraction": raw({"a": entry(0, 4, [1.0])}, bytes(4)),
    "unknown dtype": raw({"a": entry(0, 4, [1], "X9")}, bytes(4)),
    "dtype a list": raw({"a": entry(0, 4, [1], ["F32"])}, bytes(4)),
    "entry not a map": raw({"a": 1}, bytes(4)),
    "three offsets": raw({"a": {"dtype": "F32", "shape": [1], "data_offsets": [0, 4, 4]}}, bytes(4)),
    "a name twice": raw(TWIN, bytes(4)),
    "more tensors than any LoRA has": raw({str(n): entry(0, 0, [0], "U8") for n in range(20_001)}),
    "not a number": raw(b'{"a":{"dtype":"F32","shape":[NaN],"data_offsets":[0,4]}}', bytes(4)),
    "infinity": raw(b'{"a":{"dtype":"F32","shape":[1],"data_offsets":[0,Infinity]}}', bytes(4)),
    "a number of 5,000 digits": raw(
        b'{"a":{"dtype":"F32","shape":[' + b"9" * 5000 + b'],"data_offsets":[0,4]}}', bytes(4)
    ),
    "a pickle": b"\x80\x04\x95" + bytes(100),
}


@pytest.mark.parametrize("title", HOSTILE)
def test_a_hostile_file_is_refused_in_a_sentence(title, tmp_path):
    path = tmp_path / "a.safetensors"
    path.write_bytes(HOSTILE[title])
    with pytest.raises(UnsafeFile) as raised:
        safetensors_file.read(path)
    assert raised.value.params["reason"]


def test_what_the_library_writes_is_read(tmp_path):
    arrays = {
        "b": np.arange(6, dtype=np.float16).reshape(2, 3),
        "a": np.float32([[1.5]]),
        "c": np.array(2.5, np.float32),
    }
    path = tmp_path / "a.safetensors"
    path.write_bytes(safetensors.numpy.save(arrays, {"key": "wört"}))
    tensors, metadata = safetensors_file.read(path)
    assert metadata == {"key": "wört"}
    for name, array in arrays.items():
        assert tensors[name].shape == array.shape
        np.testing.assert_array_equal(tensors[name].as_float32(), array.astype(np.float32))


def test_the_library_reads_what_is_written_and_lays_it_out_the_same(tmp_path):
    arrays = {
        "z": np.float32([1, 2]), "a": np.float16([3]), "m": np.float32([4]), "i": np.int64([5]), "h": np.float64([6]),
        "b": np.uint8([7]), "é": np.float16([8]), "w": np.int32([9]),
    }  # fmt: skip
    theirs = safetensors.numpy.save(arrays, {"k": "v"})
    path = tmp_path / "a.safetensors"
    path.write_bytes(theirs)
    tensors, metadata = safetensors_file.read(path)
    ours = safetensors_file.to_bytes(tensors, metadata)
    assert ours == theirs
    for name, array in safetensors.numpy.load(ours).items():
        np.testing.assert_array_equal(array, arrays[name])


def test_the_same_content_gives_the_same_bytes_in_any_order():
    one, two = float32_tensor([1.0]), float32_tensor([2.0])
    first = safetensors_file.to_bytes({"a": one, "b": two}, {"x": "1", "y": "2"})
    assert first == safetensors_file.to_bytes({"b": two, "a": one}, {"y": "2", "x": "1"})


def test_bfloat16_is_read_exactly_and_kept_as_it_is(tmp_path):
    values = np.float32([1.0, -2.5, 3.140625, 0.0])
    data = (values.view("<u4") >> 16).astype("<u2").tobytes()
    tensor = Tensor("BF16", (2, 2), data)
    path = tmp_path / "a.safetensors"
    path.write_bytes(safetensors_file.to_bytes({"a": tensor}, {}))
    read, _ = safetensors_file.read(path)
    assert read["a"] == tensor
    np.testing.assert_array_equal(read["a"].as_float32(), values.reshape(2, 2))


def test_a_file_beyond_the_limit_is_refused_unread(tmp_path):
    path = tmp_path / "a.safetensors"
    with path.open("wb") as file:
        file.truncate(safetensors_file.MAX_FILE_BYTES + 1)
    with pytest.raises(UnsafeFile, match="larger than 4 GB"):
        safetensors_file.read_header(path)
