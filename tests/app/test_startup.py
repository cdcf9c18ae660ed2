"""What Livery writes is for its own user alone, also where an earlier version left it open."""

import logging
import os
import stat
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from app import startup
from app.settings import Settings
from tests.servers import ROOT, Livery, running, wait_until


def open_to_others(folder: Path) -> list[str]:
    """Everything in a folder, and itself, that anybody but its owner may read, write or enter."""
    return sorted(
        f"{stat.filemode(path.lstat().st_mode)} {path.relative_to(folder.parent)}"
        for path in (folder, *folder.rglob("*"))
        if path.lstat().st_mode & 0o077 and not path.is_symlink()
    )


def run(module: str, *arguments: str, data: Path, umask: int = 0o022) -> subprocess.CompletedProcess[str]:
    """A command of ours, started from a shell that lets everybody read."""
    return subprocess.run(
        [sys.executable, "-m", module, *arguments],
        cwd=ROOT,
        env={"PATH": os.environ["PATH"], "DATA_DIR": str(data), "HOME": str(data.parent)},
        capture_output=True,
        text=True,
        umask=umask,
    )


@pytest.mark.slow
def test_every_command_writes_for_its_own_user_alone(tmp_path: Path) -> None:
    data, backup, restored = tmp_path / "data", tmp_path / "deep" / "backup", tmp_path / "restored"
    assert run("app.migrate", data=data).returncode == 0
    assert (data / "livery.sqlite3").exists() and open_to_others(data) == []
    kept = data / "files" / "projects" / ("0" * 32) / "images" / "one.webp"
    kept.parent.mkdir(parents=True)
    kept.write_bytes(b"one")
    (data / "secret_key").write_text("x" * 64)
    for path in (kept, *kept.parents):
        if path == tmp_path:
            break
        path.chmod(0o777 if path.is_dir() else 0o666)
    done = run("app.backup", str(backup), data=data)
    assert done.returncode == 0, done.stderr
    assert open_to_others(data) == [], "what was left open is closed, too"
    assert open_to_others(tmp_path / "deep") == []
    done = run("app.restore", str(backup), data=restored)
    assert done.returncode == 0, done.stderr
    assert (restored / "files" / kept.relative_to(data / "files")).read_bytes() == b"one"
    assert open_to_others(restored) == []
    for path in (restored, restored / "livery.sqlite3"):
        path.chmod(0o755)
    assert run("app.erasure", "--person", "nobody@example.com", data=restored).returncode == 1
    assert open_to_others(restored) == []


@pytest.mark.slow
def test_a_running_livery_and_what_an_earlier_one_left_open(tmp_path: Path) -> None:
    data = tmp_path / "data"
    for folder in ("files/projects/a/images", "files/.aside", "worker-cache/base", "checkpoints"):
        (data / folder).mkdir(parents=True)
        (data / folder / "old").write_text("old")
    for path in (data, *data.rglob("*")):
        path.chmod(0o755 if path.is_dir() else 0o644)
    before = os.umask(0o022)
    try:
        livery = Livery(tmp_path, EMBEDDED_WORKERS="training+generation")
    finally:
        os.umask(before)
    with running(livery):
        wait_until(lambda: livery.workers(), seconds=60, what="a worker")
        assert {path.name for path in data.iterdir()} >= {"livery.sqlite3", "livery.sqlite3-wal", "livery.sqlite3-shm"}
        others = [line for line in open_to_others(data) if "checkpoints/" not in line and "checkpoints" not in line]
        assert others == []
    assert (data / "checkpoints" / "old").stat().st_mode & 0o777 == 0o644, "a person's own, behind the closed folder"


def test_what_is_gone_through_once_is_not_gone_through_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    settings = Settings(data_dir=tmp_path / "data")
    (settings.data_dir / "files" / "a").mkdir(parents=True)
    (settings.data_dir / "files").chmod(0o755)
    before = os.umask(0o022)
    try:
        startup.keep_private(settings)
        assert open_to_others(settings.data_dir) == []
        monkeypatch.setattr(os, "walk", lambda *_, **__: pytest.fail("the files are many"))
        startup.keep_private(settings)
    finally:
        os.umask(before)


def test_a_folder_of_everybodys_is_left_as_it_is(caplog: pytest.LogCaptureFixture) -> None:
    before, mode = os.umask(0o022), Path(tempfile.gettempdir()).stat().st_mode
    try:
        with tempfile.TemporaryDirectory() as name:
            folder = Path(name)
            folder.chmod(0o1777)
            startup.keep_private(Settings(data_dir=folder))
            assert stat.S_IMODE(folder.stat().st_mode) == 0o1777
    finally:
        os.umask(before)
    assert "belongs to everybody" in caplog.text
    assert Path(tempfile.gettempdir()).stat().st_mode == mode


def test_what_is_anothers_to_close_is_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise PermissionError("not yours")

    tmp_path.chmod(0o755)
    before = os.umask(0o022)
    monkeypatch.setattr(Path, "chmod", refuse)
    try:
        startup.keep_private(Settings(data_dir=tmp_path))
    finally:
        os.umask(before)
    assert f"{tmp_path} can be read by every user" in caplog.text


def test_links_are_not_followed(tmp_path: Path) -> None:
    outside, data = tmp_path / "outside", tmp_path / "data"
    (data / "files").mkdir(parents=True)
    outside.mkdir()
    (outside / "shared").write_text("shared")
    for path in (outside, outside / "shared", data / "files"):
        path.chmod(0o755)
    (data / "files" / "link").symlink_to(outside)
    (data / "worker-cache").symlink_to(outside)
    before = os.umask(0o022)
    try:
        startup.keep_private(Settings(data_dir=data))
    finally:
        os.umask(before)
    assert [stat.S_IMODE(path.stat().st_mode) for path in (outside, outside / "shared")] == [0o755, 0o755]
    assert stat.S_IMODE((data / "files").stat().st_mode) == 0o700


@pytest.mark.parametrize(
    ("version", "says"),
    [
        ((3, 11, 7), "3.11.14"),
        ((3, 11, 14), ""),
        ((3, 12, 3), "3.12.12"),
        ((3, 13, 7), "3.13.8"),
        ((3, 13, 8), ""),
        ((3, 14, 0), ""),
    ],
)
def test_an_old_python_is_said(version: tuple[int, ...], says: str, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING):
        startup.warn_of_old_python(version)
    assert (says in caplog.text) if says else caplog.text == ""
