"""Uploads share the disk and the threads with everything else: what they may take of both is bounded."""

import socket
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from fastapi import FastAPI
from starlette.testclient import TestClient

from app.machine import disk
from app.machine.disk import MB
from app.web.gate.incoming import UploadLimits, Uploads
from app.web.gate.middleware import SESSION_COOKIE, Gate
from tests.conftest import SignedIn
from tests.servers import wait_until
from tests.sockets import Raw, answer_on, request_head, served

LIMITS = UploadLimits(on_their_way=3, worked_on=1, patience_seconds=1)


@pytest.fixture
def uploads(app: FastAPI) -> Uploads:
    gate = next(one for one in app.user_middleware if one.cls is Gate)
    gate.kwargs["uploads"] = Uploads(app.state.disk, LIMITS)
    return gate.kwargs["uploads"]


@pytest.fixture
def port(app: FastAPI, uploads: Uploads) -> Iterator[int]:
    with served(app) as port:
        yield port


def begin(port: int, owner: SignedIn, brand: str, size: str) -> socket.socket:
    """The head of an upload; its body stays away."""
    connection = socket.create_connection(("127.0.0.1", port), timeout=20)
    cookie = f"Cookie: {SESSION_COOKIE}={owner.client.cookies[SESSION_COOKIE]}"
    path, kind = f"/projects/{brand}/images", "Content-Type: multipart/form-data; boundary=x"
    connection.sendall(request_head("POST", path, cookie, kind, size, "Accept: application/json"))
    return connection


def answer_to(connection: socket.socket) -> Raw:
    with connection:
        return answer_on(connection)


@pytest.fixture
def brand(owner: SignedIn) -> str:
    answer = owner.client.post("/projects", data={"name": "Nordlicht", "trigger_word": "nordlicht"})
    return answer.headers["location"].split("/")[2]


@pytest.mark.parametrize("size", ["Content-Length: 500000000", "Transfer-Encoding: chunked"])
def test_what_is_on_its_way_takes_room_already(
    port: int, uploads: Uploads, owner: SignedIn, brand: str, monkeypatch: pytest.MonkeyPatch, size: str
) -> None:
    """Without a length it may be as large as an archive: 1,000 MB and the form around it."""
    monkeypatch.setattr(disk, "free_bytes", lambda folder: 1_200 * MB)
    with begin(port, owner, brand, size):
        wait_until(lambda: len(uploads._bodies) == 1, seconds=20, what="the first to be let in")
        second = begin(port, owner, brand, "Content-Length: 800000000")
        refused = answer_to(second)
        assert refused.status == 507, refused
        assert b"disk" in refused.body
    wait_until(lambda: not uploads._bodies, seconds=20, what="the first to be gone")
    with begin(port, owner, brand, "Content-Length: 800000000"):
        wait_until(lambda: len(uploads._bodies) == 1, seconds=20, what="the room to be free again")


def test_only_so_many_are_on_their_way(port: int, uploads: Uploads, owner: SignedIn, brand: str) -> None:
    waiting = [begin(port, owner, brand, "Content-Length: 1000") for _number in range(LIMITS.on_their_way)]
    wait_until(lambda: len(uploads._bodies) == LIMITS.on_their_way, seconds=20, what="all to be let in")
    refused = answer_to(begin(port, owner, brand, "Content-Length: 1000"))
    assert refused.status == 503
    assert "retry-after: 1" in refused.head.lower()
    for connection in waiting:
        connection.close()


def test_one_that_is_worked_on_keeps_no_page_and_the_next_is_told_to_come_back(
    app: FastAPI, uploads: Uploads, owner: SignedIn, brand: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    go_on, working = threading.Event(), threading.Event()

    def wait(*_: Any, **__: Any) -> Any:
        working.set()
        go_on.wait(60)
        raise disk.NoRoom()

    monkeypatch.setattr("app.images.upload_target.ingest", wait)

    def send() -> Any:
        client = TestClient(app, follow_redirects=False, cookies=owner.client.cookies)
        return client.post(
            f"/projects/{brand}/images",
            files={"file": ("a.png", b"x", "image/png")},
            headers={"accept": "application/json", "x-csrf-token": owner.client.headers["x-csrf-token"]},
        )

    with ThreadPoolExecutor(8) as pool:
        first = pool.submit(send)
        assert working.wait(20)
        told = send()
        assert told.status_code == 503
        assert told.headers["retry-after"] == "1"
        assert "many files" in told.json()["sentence"]
        assert TestClient(app).get("/health/live").status_code == 200
        assert not first.done()
        go_on.set()
        assert first.result().status_code == 507
    assert send().status_code == 507, "its turn is free again"
    assert not uploads._bodies
