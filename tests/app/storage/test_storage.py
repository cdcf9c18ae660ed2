"""Both storages keep the same promises; the bucket is a real S3 server on this machine."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from pydantic import SecretStr

from app.settings import Settings
from app.storage import Storage, open_storage
from app.storage.keys import StorageKeyError
from tests.servers import s3_server


@pytest.fixture(scope="module")
def s3_endpoint() -> Iterator[str]:
    with s3_server() as address:
        yield address


@pytest.fixture(params=["local", "s3"])
def kept(request: pytest.FixtureRequest, tmp_path: Path) -> Storage:
    if request.param == "local":
        return open_storage(Settings(data_dir=tmp_path))
    return open_storage(
        Settings(
            data_dir=tmp_path,
            storage_url=f"s3://livery/{tmp_path.name.replace('_', '-')}",
            s3_endpoint_url=request.getfixturevalue("s3_endpoint"),
            s3_access_key_id="test",
            s3_secret_access_key=SecretStr("test"),
        )
    )


def test_what_is_put_comes_back(kept: Storage, tmp_path: Path) -> None:
    content = os.urandom(3_000_000)
    source = tmp_path / "source"
    source.write_bytes(content)
    kept.put("projects/a/one.bin", b"small")
    kept.put("projects/a/two.bin", source)
    assert kept.get("projects/a/one.bin") == b"small"
    assert b"".join(kept.chunks("projects/a/two.bin")) == content
    assert b"".join(kept.chunks("projects/a/two.bin", 1_000_000, 1_000_010)) == content[1_000_000:1_000_010]
    assert kept.size("projects/a/two.bin") == len(content)
    kept.fetch("projects/a/two.bin", tmp_path / "target")
    assert (tmp_path / "target").read_bytes() == content


def test_listing_and_deleting_stay_in_their_folder(kept: Storage) -> None:
    for key in ("projects/a/one.bin", "projects/a/deep/two.bin", "projects/ab/three.bin"):
        kept.put(key, b"x")
    assert sorted(kept.keys_under("projects/a")) == ["projects/a/deep/two.bin", "projects/a/one.bin"]
    assert kept.delete_under("projects/a") == 2
    assert list(kept.keys_under("projects/a")) == []
    assert kept.exists("projects/ab/three.bin")
    kept.delete("projects/ab/three.bin")
    kept.delete("projects/ab/three.bin")
    assert not kept.exists("projects/ab/three.bin")


def test_what_is_not_there(kept: Storage, tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        kept.get("projects/none.bin")
    with pytest.raises(FileNotFoundError):
        kept.size("projects/none.bin")
    with pytest.raises(FileNotFoundError):
        list(kept.chunks("projects/none.bin"))


KEYS_THAT_LEAVE = [
    "",
    "/etc/passwd",
    "../x",
    "a/../b",
    "a//b",
    "a/./b",
    "A/b",
    "a\\b",
    "a b",
    "a/b\x00",
    ".aside/x",
    "a/.b",
]


@pytest.mark.parametrize("key", [*KEYS_THAT_LEAVE, "x" * 301])
def test_a_key_never_leaves_its_folder(kept: Storage, key: str) -> None:
    with pytest.raises(StorageKeyError):
        kept.put(key, b"x")
    with pytest.raises(StorageKeyError):
        kept.get(key)


def test_a_failed_put_leaves_what_was_there(tmp_path: Path) -> None:
    kept = open_storage(Settings(data_dir=tmp_path))
    kept.put("a/b.bin", b"before")
    with pytest.raises(FileNotFoundError):
        kept.put("a/b.bin", tmp_path / "missing")
    assert kept.get("a/b.bin") == b"before"
    assert list((tmp_path / "files" / ".aside").iterdir()) == []
