"""Real processes for tests: Livery itself, and servers of its own where a test stops or kills them."""

import os
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil
import pytest

ROOT = Path(__file__).parents[1]


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def wait_until(condition: Callable[[], object], *, seconds: float, what: str) -> None:
    """Ask again and again; a limit that is only there to end a test that hangs."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, f"waited {seconds} s in vain: {what}"
        time.sleep(0.1)


def answers(address: str) -> bool:
    try:
        with urllib.request.urlopen(address, timeout=5) as response:
            return bool(response.status == 200)
    except (OSError, urllib.error.URLError):
        return False


def program(*names: str) -> str:
    """The first of these programs that is there; skips the test by name where none is, which CI does not allow."""
    for name in names:
        found = shutil.which(name) or next((str(p) for p in Path("/usr/lib/postgresql").glob(f"*/bin/{name}")), None)
        if found:
            return found
    if os.environ.get("CI"):
        pytest.fail(f"{names[0]} is missing on this machine")
    pytest.skip(f"{names[0]} is missing on this machine")


class Livery:
    """``python -m app`` (or another module of ours) as a process group with its own data folder."""

    def __init__(
        self, folder: Path, *, module: str = "app", arguments: tuple[str, ...] = (), **environment: str
    ) -> None:
        self.port = int(environment.get("PORT") or free_port())
        self.address = f"http://127.0.0.1:{self.port}"
        self.log = folder / f"{module.replace('.', '-')}-{self.port}.log"
        folder.mkdir(parents=True, exist_ok=True)
        clean = {
            key: value for key, value in os.environ.items() if not key.startswith(("DATABASE_", "BROKER_", "STORAGE_"))
        }
        self.process = subprocess.Popen(
            [sys.executable, "-m", module, *arguments],
            cwd=ROOT,
            stdin=subprocess.DEVNULL,
            stdout=self.log.open("wb"),
            stderr=subprocess.STDOUT,
            env={
                **clean,
                "DATA_DIR": str(folder / "data"),
                "PORT": str(self.port),
                "OMP_NUM_THREADS": "2",
                **environment,
            },
            start_new_session=True,
        )

    def wait_until_ready(self) -> None:
        wait_until(lambda: answers(f"{self.address}/health/ready"), seconds=120, what=f"Livery to start\n{self.tail()}")

    def family(self) -> list[psutil.Process]:
        """Our process and all below it."""
        parent = psutil.Process(self.process.pid)
        return [parent, *parent.children(recursive=True)]

    def workers(self) -> list[psutil.Process]:
        return [child for child in self.family() if "worker" in _words(child)]

    def tail(self) -> str:
        return self.log.read_text(errors="replace")[-3000:]

    def stop(self) -> None:
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            try:
                self.process.wait(timeout=60)
            except subprocess.TimeoutExpired:
                for process in self.family():
                    process.kill()


def _words(process: psutil.Process) -> list[str]:
    """The command of a process, empty when it is about to be gone."""
    try:
        return process.cmdline()
    except psutil.Error:
        return []


@contextmanager
def running(livery: Livery) -> Iterator[Livery]:
    try:
        livery.wait_until_ready()
        yield livery
    finally:
        livery.stop()


@contextmanager
def redis_server(folder: Path) -> Iterator[str]:
    """A Redis of the test's own; yields its address."""
    port = free_port()
    server = subprocess.Popen(
        [
            program("redis-server", "valkey-server"),
            "--port",
            str(port),
            "--bind",
            "127.0.0.1",
            "--save",
            "",
            "--dir",
            str(folder),
        ],
        stdout=subprocess.DEVNULL,
    )
    try:
        wait_until(lambda: _listens(port), seconds=20, what="Redis to start")
        yield f"redis://127.0.0.1:{port}/0"
    finally:
        server.kill()
        server.wait()


@contextmanager
def postgres_server(folder: Path) -> Iterator[str]:
    """A PostgreSQL of the test's own; yields the address of an empty database."""
    port, data = free_port(), folder / "postgres"
    as_user: list[str] = []
    if os.geteuid() == 0:  # PostgreSQL refuses to run as root
        as_user = ["setpriv", "--reuid=postgres", "--regid=postgres", "--clear-groups"]
        data.mkdir()
        for path in (*folder.parents, folder):
            if path.stat().st_uid == os.geteuid() and path != Path("/"):
                path.chmod(path.stat().st_mode | 0o011)
        shutil.chown(data, "postgres", "postgres")
    subprocess.run(
        [*as_user, program("initdb"), "-D", str(data), "-U", "livery", "--auth=trust", "-E", "UTF8"],
        check=True,
        capture_output=True,
    )
    server = subprocess.Popen(
        [
            *as_user,
            program("postgres"),
            "-D",
            str(data),
            "-p",
            str(port),
            "-c",
            "listen_addresses=127.0.0.1",
            "-k",
            str(data),
        ],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        ready = [program("pg_isready"), "-q", "-h", "127.0.0.1", "-p", str(port), "-U", "livery"]
        wait_until(lambda: subprocess.run(ready).returncode == 0, seconds=60, what="PostgreSQL to start")
        yield f"postgresql+psycopg://livery@127.0.0.1:{port}/postgres"
    finally:
        server.send_signal(signal.SIGINT)
        server.wait(timeout=30)


@contextmanager
def s3_server() -> Iterator[str]:
    """An S3-compatible server with the bucket ``livery``; yields its address."""
    port = free_port()
    address = f"http://127.0.0.1:{port}"
    server = subprocess.Popen(
        [sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", str(port)],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        wait_until(lambda: _listens(port), seconds=60, what="the S3 server to start")
        request = urllib.request.Request(f"{address}/livery", method="PUT")
        request.add_header("Authorization", "AWS4-HMAC-SHA256 Credential=test/20260101/us-east-1/s3/aws4_request")
        urllib.request.urlopen(request, timeout=20).close()
        yield address
    finally:
        server.terminate()
        server.wait()


def _listens(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0
