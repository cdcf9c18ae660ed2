"""A model hub on this machine, as far as ours asks one: listing, files with ranges, licences to accept, and faults."""

import hashlib
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import unquote, urlsplit

COMMIT = "c0ffee" + "0" * 34
LARGE = (".safetensors", ".bin")
"""Endings of what lies in the large file storage, where the hub names a SHA-256."""


@dataclass
class FakeHub:
    """One repository for each name; the faults are set by the test."""

    repositories: dict[str, dict[str, bytes]] = field(default_factory=dict)
    gated: dict[str, str] = field(default_factory=dict)
    """Repository → the token that may read it."""
    cut_at: dict[str, int] = field(default_factory=dict)
    """File → the connection breaks off once after so many bytes."""
    stall_at: dict[str, int] = field(default_factory=dict)
    """File → nothing more comes after so many bytes."""
    sent_to: dict[str, str] = field(default_factory=dict)
    """File → where it is sent on to; the file's path below ``/files`` is added, where no token is asked for."""
    too_long: set[str] = field(default_factory=set)
    """Files that do not end where they should."""
    forged: set[str] = field(default_factory=set)
    """Files whose bytes are not those that are announced."""
    asked: list[tuple[str, str, str]] = field(default_factory=list)
    """Path, range and authorization of every request."""
    url: str = ""
    stalling: threading.Event = field(default_factory=threading.Event)
    closing: threading.Event = field(default_factory=threading.Event)

    def ranges_of(self, file: str) -> list[str]:
        return [given for path, given, _ in self.asked if path.endswith(f"/{file}")]


def git_hash(content: bytes) -> str:
    return hashlib.sha1(f"blob {len(content)}\0".encode() + content, usedforsecurity=False).hexdigest()


def _sibling(path: str, content: bytes) -> dict[str, Any]:
    told: dict[str, Any] = {"rfilename": path, "size": len(content), "blobId": git_hash(content)}
    if path.endswith(LARGE):
        told["lfs"] = {"sha256": hashlib.sha256(content).hexdigest(), "size": len(content), "pointerSize": 134}
    return told


def _handler(hub: FakeHub) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def log_message(self, *_: Any) -> None: ...

        def do_GET(self) -> None:
            path = unquote(urlsplit(self.path).path)
            hub.asked.append((path, self.headers.get("range", ""), self.headers.get("authorization", "")))
            is_signed, path = path.startswith("/files/"), path.removeprefix("/files")
            name = "/".join(path.removeprefix("/api/models/").strip("/").split("/")[:2])
            files = hub.repositories.get(name)
            if files is None:
                return self._refuse(401, "RepoNotFound")
            wanted, is_open = hub.gated.get(name), is_signed or path.startswith("/api/")
            if wanted and self.headers.get("authorization") != f"Bearer {wanted}" and not is_open:
                return self._refuse(403 if self.headers.get("authorization") else 401, "GatedRepo")
            if path.startswith("/api/models/"):
                siblings = [_sibling(one, content) for one, content in files.items()]
                return self._answer(200, json.dumps({"id": name, "sha": COMMIT, "siblings": siblings}).encode())
            file = path.split(f"/resolve/{COMMIT}/", 1)[-1]
            if file not in files:
                return self._refuse(404, "EntryNotFound")
            if file in hub.sent_to and not is_signed:
                return self._answer(302, b"", {"location": f"{hub.sent_to[file]}/files{self.path}"})
            return self._send(file, files[file])

        do_HEAD = do_GET

        def _refuse(self, status: int, code: str) -> None:
            self._answer(status, b"{}", {"X-Error-Code": code, "X-Error-Message": code})

        def _answer(self, status: int, body: bytes, headers: dict[str, str] | None = None) -> None:
            self.send_response(status)
            for key, value in ({"content-length": str(len(body))} | (headers or {})).items():
                self.send_header(key, value)
            self.end_headers()
            self.wfile.write(body)

        def _send(self, file: str, content: bytes) -> None:
            if file in hub.forged:
                content = bytes(len(content))
            if file in hub.too_long:
                content += bytes(5 * len(content) + 5_000_000)
            asked, start, end = self.headers.get("range", ""), 0, len(content)
            if asked:
                first, last = asked.removeprefix("bytes=").split("-")
                start, end = int(first), min(end, int(last) + 1) if last else end
            self.send_response(206 if asked else 200)
            self.send_header("content-length", str(end - start))
            self.end_headers()
            cut = hub.cut_at.pop(file, None) if not asked.endswith(tuple("0123456789")) else None
            if cut is not None and cut < end:
                self.wfile.write(content[start:cut])
                self.wfile.flush()
                self.close_connection = True
                self.connection.shutdown(2)
                return
            stall = hub.stall_at.get(file)
            if stall is not None and not asked.endswith(tuple("0123456789")):
                self.wfile.write(content[start:stall])
                self.wfile.flush()
                hub.stalling.set()
                hub.closing.wait(60)
                return
            self.wfile.write(content[start:end])

    return Handler


@contextmanager
def serving(hub: FakeHub) -> Iterator[FakeHub]:
    """The hub answers at ``hub.url`` meanwhile."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(hub))
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    hub.url = f"http://127.0.0.1:{server.server_port}"
    try:
        yield hub
    finally:
        hub.closing.set()
        server.shutdown()
        server.server_close()
