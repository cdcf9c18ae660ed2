"""What never comes has an end, and what comes slowly and honestly has time."""

import socket
import subprocess
import sys
import time
from collections.abc import Iterator

import pytest
from fastapi import FastAPI
from starlette.responses import Response

from app.web.gate.incoming import Pace
from app.web.gate.middleware import SESSION_COOKIE, Gate
from app.web.gate.protocol import TimedProtocol
from tests.conftest import SignedIn
from tests.servers import ROOT, wait_until
from tests.sockets import answer_on, closes_within, request_head, served

LONG_ENOUGH = 20.0
"""Seconds after which something that should have ended counts as never ending; only a failure takes so long."""


@pytest.fixture
def port(app: FastAPI, monkeypatch: pytest.MonkeyPatch) -> Iterator[int]:
    monkeypatch.setattr(TimedProtocol, "head_seconds", 1.0)
    monkeypatch.setattr(TimedProtocol, "linger_seconds", 1.0)
    gate = next(one for one in app.user_middleware if one.cls is Gate)
    gate.kwargs["pace"] = Pace(silent_seconds=1.0, grace_seconds=1.5, least_bytes_per_second=100)
    with served(app) as port:
        yield port


def connect(port: int) -> socket.socket:
    return socket.create_connection(("127.0.0.1", port), timeout=20)


def drip(connection: socket.socket, piece: bytes, every: float) -> bool:
    """Send ``piece`` again and again; whether the other side ends that."""
    connection.settimeout(every)
    deadline = time.monotonic() + LONG_ENOUGH
    while time.monotonic() < deadline:
        try:
            connection.sendall(piece)
            if not connection.recv(65536):
                return True
        except TimeoutError:
            continue
        except OSError:
            return True
    return False


@pytest.mark.parametrize("beginning", [b"", b"GET / HT", b"GET / HTTP/1.1\r\nHost: x\r\n"])
def test_a_head_that_never_ends(port: int, beginning: bytes) -> None:
    with connect(port) as connection:
        connection.sendall(beginning)
        assert closes_within(connection, LONG_ENOUGH)


def test_a_head_that_comes_byte_by_byte(port: int) -> None:
    with connect(port) as connection:
        connection.sendall(b"GET / HTTP/1.1\r\nHost: x\r\n")
        assert drip(connection, b"X-More: 1\r\n", 0.2)


def test_the_head_of_a_second_request_that_never_ends(port: int) -> None:
    with connect(port) as connection:
        connection.sendall(request_head("GET", "/health/live"))
        assert answer_on(connection).status == 200
        connection.sendall(b"GET / HT")
        assert closes_within(connection, LONG_ENOUGH)


def sign_in_head(length: int) -> bytes:
    kind = "Content-Type: application/x-www-form-urlencoded"
    return request_head("POST", "/sign-in", kind, f"Content-Length: {length}", "Accept: application/json")


def test_half_a_body(port: int) -> None:
    with connect(port) as connection:
        connection.sendall(sign_in_head(1000) + b"email=ada")
        answer = answer_on(connection)
        assert answer.status == 408
        assert b"in time" in answer.body
        assert closes_within(connection, LONG_ENOUGH)


def test_a_body_that_comes_byte_by_byte(port: int) -> None:
    with connect(port) as connection:
        connection.sendall(sign_in_head(60_000))
        assert drip(connection, b"x", 0.3)


def test_a_refused_body_is_not_waited_for(port: int) -> None:
    with connect(port) as connection:
        connection.sendall(request_head("POST", "/projects", "Content-Length: 1000000") + b"x" * 1000)
        assert answer_on(connection).status == 401
        assert drip(connection, b"x", 0.2)


def test_after_a_refused_body_the_connection_goes_on(port: int) -> None:
    with connect(port) as connection:
        connection.sendall(request_head("POST", "/projects", "Content-Length: 200000") + b"x" * 1000)
        assert answer_on(connection).status == 401
        connection.sendall(b"x" * 199_000 + request_head("GET", "/health/live"))
        assert answer_on(connection).status == 200


def test_what_comes_slowly_and_honestly_has_time(port: int, owner: SignedIn) -> None:
    """Three times as long as the longest silence, and longer than a head may take."""
    cookie = f"Cookie: {SESSION_COOKIE}={owner.client.cookies[SESSION_COOKIE]}"
    token = f"X-CSRF-Token: {owner.client.headers['x-csrf-token']}"
    kind = "Content-Type: application/x-www-form-urlencoded"
    body = b"name=Nordlicht&trigger_word=nordlicht&" + b"z" * 2962
    with connect(port) as connection:
        connection.sendall(request_head("POST", "/projects", cookie, token, kind, f"Content-Length: {len(body)}"))
        for start in range(0, len(body), 250):
            connection.sendall(body[start : start + 250])
            time.sleep(0.25)
        answer = answer_on(connection)
    assert answer.status == 303, answer


def test_a_live_page_stays(port: int, owner: SignedIn) -> None:
    cookie = f"Cookie: {SESSION_COOKIE}={owner.client.cookies[SESSION_COOKIE]}"
    with connect(port) as connection:
        connection.sendall(request_head("GET", "/live?board=1", cookie))
        assert answer_on(connection).status == 200
        assert not closes_within(connection, 4)


def test_a_request_after_another_in_one_piece(port: int) -> None:
    with connect(port) as connection:
        connection.sendall(request_head("GET", "/health/live") * 3)
        assert [answer_on_exactly(connection) for _ in range(3)] == [200, 200, 200]
        assert closes_within(connection, LONG_ENOUGH), "uvicorn's own time-out between requests"


def answer_on_exactly(connection: socket.socket) -> int:
    """The next answer byte by byte, so that nothing of the one after it is lost."""
    head = b""
    while not head.endswith(b"\r\n\r\n"):
        head += connection.recv(1)
    length = int(head.lower().split(b"content-length: ")[1].split(b"\r\n")[0])
    while length:
        length -= len(connection.recv(length))
    return int(head.split()[1])


LARGE = bytes(20_000_000)


def ask_for_much(port: int) -> socket.socket:
    """A connection that asked for more than the machine's own buffers hold, and has a small one itself."""
    connection = socket.socket()
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    connection.settimeout(20)
    connection.connect(("127.0.0.1", port))
    connection.sendall(request_head("GET", "/health/much"))
    return connection


@pytest.fixture
def much(app: FastAPI, port: int, monkeypatch: pytest.MonkeyPatch) -> Iterator[set]:
    """The server's open connections, where an answer is large and taking it is watched each half second."""
    monkeypatch.setattr(TimedProtocol, "taking_seconds", 0.5)
    held: set = set()
    made, lost = TimedProtocol.connection_made, TimedProtocol.connection_lost
    monkeypatch.setattr(
        TimedProtocol, "connection_made", lambda self, transport: (held.add(self), made(self, transport))
    )
    monkeypatch.setattr(TimedProtocol, "connection_lost", lambda self, error: (held.discard(self), lost(self, error)))
    app.add_route("/health/much", lambda request: Response(LARGE))
    yield held


def test_an_answer_that_nobody_takes(much: set, port: int) -> None:
    with ask_for_much(port):
        wait_until(lambda: much, seconds=LONG_ENOUGH, what="the connection")
        wait_until(lambda: not much, seconds=LONG_ENOUGH, what="its end")


def test_an_answer_that_is_taken_slowly_and_honestly(much: set, port: int) -> None:
    with ask_for_much(port) as connection:
        taken = 0
        while taken < len(LARGE):
            piece = connection.recv(200_000)
            assert piece, taken
            if taken // 1_000_000 < (taken + len(piece)) // 1_000_000:
                time.sleep(0.1)
            taken += len(piece)


def test_more_connections_than_a_system_begins_with() -> None:
    asked = (
        "import resource; from app.web.serve import allow_connections; resource.setrlimit(resource.RLIMIT_NOFILE,"
        "(256, 5000)); allow_connections(); print(resource.getrlimit(resource.RLIMIT_NOFILE))"
    )
    told = subprocess.run([sys.executable, "-c", asked], cwd=ROOT, capture_output=True, text=True, check=True)
    assert told.stdout.strip() == "(5000, 5000)"
