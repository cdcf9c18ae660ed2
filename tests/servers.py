"""Real processes for tests: Livery itself, and servers of its own where a test stops or kills them."""

import contextlib
import json
import os
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import psutil
import pytest
from obstore.exceptions import BaseError
from obstore.store import S3Store

ROOT = Path(__file__).parents[1]


PORTS = range(10_000, 32_000)
"""Below those that the system gives to connections by itself: of these, one that was free a moment ago may carry a
connection of another test when the server comes to listen, and for as long as that lasts."""


def free_port() -> int:
    while True:
        port = secrets.choice(PORTS)
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            return port


PATIENCE = 4
"""Times as long as on a machine that does nothing else: another test runs beside this one."""


def wait_until(condition: Callable[[], object], *, seconds: float, what: str) -> None:
    """Ask again and again; a limit that is only there to end a test that hangs."""
    deadline = time.monotonic() + seconds * PATIENCE
    while not condition():
        assert time.monotonic() < deadline, f"waited {seconds * PATIENCE} s in vain: {what}"
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
        places = [Path(sys.executable).parent, *Path("/usr/lib/postgresql").glob("*/bin")]
        found = shutil.which(name) or shutil.which(name, path=os.pathsep.join(map(str, places)))
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
                "OMP_NUM_THREADS": "2",
                **clean,
                "DATA_DIR": str(folder / "data"),
                "PORT": str(self.port),
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
        """The processes that work, each beneath the one that keeps it."""
        return [child for child in self.family() if "--supervised" in _words(child)]

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


class Server:
    """A server of the test's own, which it may kill, pause and start again at the same address."""

    def __init__(
        self,
        command: list[str],
        is_ready: Callable[[], bool],
        *,
        ends_with: signal.Signals,
        leaves: Sequence[Path] = (),
    ) -> None:
        self._command, self._is_ready, self._ends_with, self._leaves = command, is_ready, ends_with, leaves
        self._said = tempfile.TemporaryFile()  # noqa: SIM115 (it is the process's for as long as there is one)
        self.start()

    def start(self) -> None:
        self.process = subprocess.Popen(self._command, stdout=self._said, stderr=self._said)

    def wait_until_ready(self) -> None:
        """Started again if it ended, as it may while something of a killed one is still there."""

        def is_ready() -> bool:
            if self.process.poll() is not None:
                time.sleep(0.5)
                self.start()
            return self._is_ready()

        try:
            wait_until(is_ready, seconds=60, what=f"{self._command[0]} to start")
        except AssertionError as error:
            self._said.seek(0)
            error.add_note(self._said.read().decode(errors="replace")[-3000:])
            raise

    def _family(self) -> list[psutil.Process]:
        parent = psutil.Process(self.process.pid)
        return [parent, *parent.children(recursive=True)]

    def kill(self) -> None:
        """At once and with its children, which in PostgreSQL's case would keep its memory occupied."""
        psutil.Process(self.process.pid).suspend()  # so that it makes no more children
        family = self._family()
        for process in family:
            with contextlib.suppress(psutil.NoSuchProcess):
                process.kill()
        self.process.wait()
        psutil.wait_procs(family[1:], timeout=10)

    def pause(self) -> None:
        for process in self._family():
            process.suspend()

    def resume(self) -> None:
        for process in self._family():
            process.resume()

    def stop(self) -> None:
        if self.process.poll() is None:
            self.resume()
            self.process.send_signal(self._ends_with)
            try:
                self.process.wait(timeout=20)
            except subprocess.TimeoutExpired:
                self.kill()
        for left in self._leaves:
            if left.is_dir():
                shutil.rmtree(left, ignore_errors=True)
            else:
                left.unlink(missing_ok=True)


def redis(folder: Path) -> tuple[Server, str]:
    """A Redis that keeps nothing, and its address."""
    port, name = free_port(), program("redis-server", "valkey-server")
    command = [name, "--port", str(port), "--bind", "127.0.0.1", "--save", "", "--dir", str(folder)]
    return Server(command, lambda: _listens(port), ends_with=signal.SIGTERM), f"redis://127.0.0.1:{port}/0"


def postgres(folder: Path) -> tuple[Server, str]:
    """A PostgreSQL with an empty database, and its address."""
    port, data = free_port(), folder / "postgres"
    as_user: list[str] = []
    if os.geteuid() == 0:  # PostgreSQL refuses to run as root, and its user may not enter pytest's folders
        as_user = ["setpriv", "--reuid=postgres", "--regid=postgres", "--clear-groups"]
        data = Path(tempfile.mkdtemp(prefix="livery-postgres-"))
        shutil.chown(data, "postgres", "postgres")
    subprocess.run(
        [*as_user, program("initdb"), "-D", str(data), "-U", "livery", "--auth=trust", "-E", "UTF8"],
        check=True,
        capture_output=True,
    )
    listens = ["-c", "listen_addresses=127.0.0.1", "-k", str(data)]
    ready = [program("pg_isready"), "-q", "-h", "127.0.0.1", "-p", str(port), "-U", "livery"]
    server = Server(
        [*as_user, program("postgres"), "-D", str(data), "-p", str(port), *listens],
        lambda: subprocess.run(ready).returncode == 0,
        ends_with=signal.SIGINT,
        leaves=[data],
    )
    return server, f"postgresql+psycopg://livery@127.0.0.1:{port}/postgres"


def s3(folder: Path) -> tuple[Server, str]:
    """A SeaweedFS, which keeps its files in ``folder`` and speaks S3, and its address."""
    folder.mkdir(parents=True, exist_ok=True)
    configuration = folder / "s3.json"
    identity = {"name": "test", "credentials": [{"accessKey": "test", "secretKey": "test"}], "actions": ["Admin"]}
    configuration.write_text(json.dumps({"identities": [identity]}))
    parts = ("master", "volume", "filer", "s3")
    ports = {name: free_port() for part in parts for name in (f"{part}.port", f"{part}.port.grpc")}
    (folder / "data").mkdir(exist_ok=True)
    options = {
        **ports,
        "dir": folder / "data",
        "ip": "127.0.0.1",
        "ip.bind": "127.0.0.1",
        "filer": "true",
        "s3": "true",
        "s3.config": configuration,
        "s3.iam": "false",
        "s3.port.iceberg": 0,
        "s3.port.lance": 0,
        # One master alone has nobody to wait for; by default it is back half a minute after it was killed.
        "master.electionTimeout": "1s",
        "master.heartbeatInterval": "200ms",
        "master.telemetry": "false",
        "master.volumeSizeLimitMB": 64,
        "volume.max": 0,
        "volume.minFreeSpace": 0,
    }
    command = [program("weed"), "server", *(f"-{name}={value}" for name, value in options.items())]
    address = f"http://127.0.0.1:{ports['s3.port']}"
    sockets = [
        Path(f"/tmp/seaweedfs-{name.replace('.port', '').replace('.', '-')}-{port}.sock")
        for name, port in ports.items()
    ]
    # Asked to end it takes its time, and nobody needs what is in this one any more.
    return Server(command, lambda: _takes_files(address), ends_with=signal.SIGKILL, leaves=sockets), address


def bucket(address: str) -> S3Store:
    """The bucket ``livery`` of a test's S3 server, which makes it with its first file."""
    return S3Store(
        "livery",
        endpoint=address,
        region="us-east-1",
        access_key_id="test",
        secret_access_key="test",
        virtual_hosted_style_request=False,
        client_options={"allow_http": True, "timeout": "10s"},
        retry_config={"max_retries": 0},
    )


def _takes_files(address: str) -> bool:
    """Its port opens before it can write."""
    try:
        bucket(address).put("ready", b"")
    except BaseError:
        return False
    return True


@contextmanager
def redis_server(folder: Path) -> Iterator[str]:
    """A Redis of the test's own; yields its address."""
    with _serving(*redis(folder)) as address:
        yield address


@contextmanager
def postgres_server(folder: Path) -> Iterator[str]:
    """A PostgreSQL of the test's own; yields the address of an empty database."""
    with _serving(*postgres(folder)) as address:
        yield address


@contextmanager
def s3_server() -> Iterator[str]:
    """An S3-compatible server with the bucket ``livery``; yields its address."""
    with tempfile.TemporaryDirectory(prefix="livery-s3-") as folder, _serving(*s3(Path(folder))) as address:
        yield address


@contextmanager
def _serving(server: Server, address: str) -> Iterator[str]:
    try:
        server.wait_until_ready()
        yield address
    finally:
        server.stop()


def _listens(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0
