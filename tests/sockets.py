"""The application behind a real server in this process, and requests written byte by byte."""

import re
import socket
import threading
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from fastapi import FastAPI

from app.web.serve import Server, configured
from tests.servers import wait_until


@contextmanager
def served(app: FastAPI) -> Iterator[int]:
    """The port that ``app`` answers at, listened to as the web process does it."""
    config = configured(app, app.state.settings.model_copy(update={"port": 0}))
    server = Server(config)
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    wait_until(lambda: server.started, seconds=20, what="the server")
    try:
        yield server.servers[0].sockets[0].getsockname()[1]
    finally:
        server.should_exit = True
        thread.join(timeout=30)


@dataclass
class Raw:
    """An answer as it came, and how many bytes of the body were sent until then."""

    status: int
    head: str
    body: bytes
    sent_bytes: int


def request_head(method: str, path: str, *headers: str) -> bytes:
    return "\r\n".join([f"{method} {path} HTTP/1.1", "Host: testserver", *headers, "", ""]).encode()


def talk(port: int, head: bytes, chunks: Iterable[bytes] = (), *, seconds: float = 20) -> Raw:
    """Send, piece by piece, until an answer comes or nothing is left to send."""
    sent = 0
    with socket.create_connection(("127.0.0.1", port), timeout=seconds) as connection:
        connection.sendall(head)
        for chunk in chunks:
            if _has_answer(connection):
                break
            try:
                connection.sendall(chunk)
            except OSError:
                break
            sent += len(chunk)
        return answer_on(connection, sent)


def answer_on(connection: socket.socket, sent_bytes: int = 0) -> Raw:
    """The next answer of a connection; a status of 0 where it was closed without one."""
    received = b""
    while b"\r\n\r\n" not in received:
        piece = _receive(connection)
        if not piece:
            return Raw(0, received.decode("latin-1"), b"", sent_bytes)
        received += piece
    head, _, body = received.partition(b"\r\n\r\n")
    length = re.search(rb"(?i)content-length: (\d+)", head)
    while length and len(body) < int(length[1]):
        piece = _receive(connection)
        if not piece:
            break
        body += piece
    return Raw(int(head.split()[1]), head.decode("latin-1"), body, sent_bytes)


def _receive(connection: socket.socket) -> bytes:
    try:
        return connection.recv(65536)
    except ConnectionError:
        return b""


def _has_answer(connection: socket.socket) -> bool:
    """Given a moment: what arrives there must be read by the server first."""
    connection.settimeout(0.02)
    try:
        return bool(connection.recv(1, socket.MSG_PEEK))
    except TimeoutError:
        return False
    except ConnectionError:
        return True
    finally:
        connection.settimeout(20)


def closes_within(connection: socket.socket, seconds: float) -> bool:
    """Whether the other side ends the connection; what it says before that is read away."""
    deadline = time.monotonic() + seconds
    connection.settimeout(0.2)
    while time.monotonic() < deadline:
        try:
            if not connection.recv(65536):
                return True
        except TimeoutError:
            continue
        except ConnectionError:
            return True
    return False
