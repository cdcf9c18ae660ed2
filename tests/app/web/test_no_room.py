"""A disk that is nearly full: uploads are refused before they are read, everything else works."""

import errno
from collections.abc import Iterator

import pytest
from fastapi import FastAPI
from starlette.testclient import TestClient

from app.errors import AppError
from app.machine import disk
from app.machine.disk import MB, DiskWatch
from tests.conftest import SignedIn, SignUp


@pytest.fixture
def brand(owner: SignedIn) -> str:
    answer = owner.client.post("/projects", data={"name": "Nordlicht", "trigger_word": "nordlicht"})
    return answer.headers["location"].split("/")[2]


def upload(client: TestClient, brand: str, **more: object) -> int:
    return client.post(
        f"/projects/{brand}/images",
        files={"file": ("note.txt", b"words", "text/plain")},
        headers={"accept": "application/json"},
        **more,  # type: ignore[arg-type]
    ).status_code


def test_uploads_are_refused_with_a_sentence(owner: SignedIn, brand: str, monkeypatch: pytest.MonkeyPatch) -> None:
    assert upload(owner.client, brand) != 507
    monkeypatch.setattr(disk, "free_bytes", lambda folder: 499 * MB)
    answer = owner.client.post(f"/projects/{brand}/images", files={"file": ("a.png", b"x", "image/png")})
    assert answer.status_code == 507
    assert "disk" in answer.text
    assert owner.client.get(f"/projects/{brand}/images").status_code == 200
    renamed = owner.client.post(f"/projects/{brand}/name", data={"name": "Südlicht"})
    assert renamed.status_code == 303, "what needs no room goes on"


def test_the_body_is_not_read(app: FastAPI, owner: SignedIn, brand: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(disk, "free_bytes", lambda folder: 499 * MB)
    read = []

    def body() -> Iterator[bytes]:
        read.append(1)
        yield b"x"

    class Watched:
        """Between the client and the application: notes whether anybody asks for the body."""

        async def __call__(self, scope, receive, send) -> None:  # type: ignore[no-untyped-def]
            async def noted():  # type: ignore[no-untyped-def]
                read.append(1)
                return await receive()

            await app(scope, noted if scope["type"] == "http" else receive, send)

    client = TestClient(Watched(), follow_redirects=False, cookies=owner.client.cookies)
    client.headers.update(owner.client.headers)
    assert upload(client, brand) == 507
    assert read == []


def test_an_upload_larger_than_what_is_left_is_refused(
    owner: SignedIn, brand: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(disk, "free_bytes", lambda folder: 600 * MB)
    assert upload(owner.client, brand) != 507
    headers = {"content-type": "multipart/form-data; boundary=x", "content-length": str(700 * MB)}
    answer = owner.client.post(f"/projects/{brand}/images", content=b"", headers=headers)
    assert answer.status_code == 507


def test_a_disk_that_fills_up_in_the_middle(sign_up: SignUp, app: FastAPI, monkeypatch: pytest.MonkeyPatch) -> None:
    owner = sign_up()
    client = TestClient(app, raise_server_exceptions=False, follow_redirects=False, cookies=owner.client.cookies)

    def full(*_: object, **__: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("app.operations.queries.overview", full)
    answer = client.get("/operations", headers={"accept": "application/json"})
    assert answer.status_code == 507
    assert "disk" in answer.json()["sentence"]


def test_short_until_there_is_clearly_room(monkeypatch: pytest.MonkeyPatch, tmp_path) -> None:  # type: ignore[no-untyped-def]
    free = 501 * MB
    monkeypatch.setattr(disk, "free_bytes", lambda folder: free)
    watch = DiskWatch(tmp_path, floor_mb=500)
    assert not watch.is_short()
    free = 499 * MB
    assert watch.is_short()
    free = 550 * MB
    assert watch.is_short(), "no stop and go around one number"
    free = 600 * MB
    assert not watch.is_short()
    free = 0
    assert not DiskWatch(tmp_path, floor_mb=0).is_short()


def test_free_bytes_of_a_folder_that_is_not_there_yet(tmp_path) -> None:  # type: ignore[no-untyped-def]
    assert disk.free_bytes(tmp_path / "not" / "yet") > 0
    assert issubclass(disk.NoRoom, AppError)
