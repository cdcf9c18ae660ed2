"""``python -m app.install``: puts the packages of the lock files into this Python, each checked by its hash.

Shows how far it is and says in a sentence what went wrong. It needs nothing but the standard library and pip, because
nothing else is there yet.
"""

import argparse
import hashlib
import importlib.metadata
import json
import queue
import re
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TextIO
from urllib.parse import unquote, urlsplit

ROOT = Path(__file__).parents[1]
ENTRY = re.compile(r"^([a-z0-9][a-z0-9._-]*)==(\S+)(?:.*\\\n)(?: +--hash=\S+(?: \\)?\n)+", re.MULTILINE)
TAKEN = re.compile(r"^(?:Collecting|Processing|Requirement already satisfied:|Ignoring) (\S+)")
SIZE = re.compile(r"^ *(?:Downloading|Using cached) .*\(([\d.]+) (bytes|kB|MB|GB)\)")
BYTES = {"bytes": 1, "kB": 1e3, "MB": 1e6, "GB": 1e9}
PIP = (sys.executable, "-m", "pip", "install", "--progress-bar", "off", "--disable-pip-version-check")
MODEL_LIBRARIES = {
    *("accelerate", "bitsandbytes", "diffusers", "gguf", "hf-xet", "huggingface-hub", "peft", "tokenizers", "torch"),
    "transformers",
}
"""What the worker needs and the web process does not."""
AWAY = (
    "NewConnectionError|NameResolutionError|ConnectTimeoutError|ReadTimeoutError|ProxyError|ConnectionResetError|"
    "Temporary failure in name resolution|Name or service not known|Network is unreachable|Connection refused|"
    "RemoteDisconnected|Could not fetch URL"
)
FROM_SOURCE = {"pyvips"}
"""Packages that the index has no wheel of. pyvips is Python alone; its library comes with pyvips-binary."""
STRANGE = "A strange build of torch:"
REASONS = (
    (
        STRANGE,
        "The build of torch that pip finds here is none that Livery knows. Look at what pip is set up with (an index, "
        "a folder of files), or lock it with `make lock`.",
    ),
    (
        "THESE PACKAGES DO NOT MATCH THE HASHES",
        "A package is not the one that Livery was made with (its hash differs), so nothing was installed. Try again "
        "later. If it stays so, ask whoever runs your package index.",
    ),
    (
        "No space left on device",
        "The disk is full. Livery and its packages need about 2 GB, and 8 GB with CUDA. Make room, then try again.",
    ),
    (
        "CERTIFICATE_VERIFY_FAILED",
        "The package index shows a certificate that this machine does not trust. Behind a proxy that looks into "
        "connections, give pip its certificate (PIP_CERT), then try again.",
    ),
    (
        AWAY,
        "The package index cannot be reached. Check this machine's connection to the internet, or HTTPS_PROXY behind a "
        "proxy, then try again. What was fetched is kept.",
    ),
    (
        "No matching distribution found",
        "The package index has no file of a package for this machine and its version of Python. Livery runs on Linux "
        "(x86-64, ARM) and macOS (Apple silicon) with Python 3.11 to 3.14.",
    ),
    ("Permission denied", "This folder belongs to another user. Install Livery as the user who owns it."),
)


Run = Callable[[Sequence[str]], "subprocess.CompletedProcess[str]"]


def _run_pip(command: Sequence[str]) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False)  # noqa: S603


@dataclass
class Display:
    """One line that is written again on a terminal, and a line now and then elsewhere."""

    out: TextIO
    total: int
    began: float = field(default_factory=time.monotonic)
    taken: int = 0
    byte_count: float = 0.0
    doing: str = ""
    _told: int = -1

    def hear(self, line: str) -> None:
        """Take in a line of pip's."""
        if found := TAKEN.match(line):
            self.taken = min(self.total, self.taken + 1)
            self.doing = f"Fetching {self.taken} of {self.total} packages, {_megabytes(self.byte_count)}"
            name = found[1].rsplit("/", 1)[-1].rstrip(":")
            self.show(name)
        elif size := SIZE.match(line):
            self.byte_count += float(size[1]) * BYTES[size[2]]
        elif line.startswith("Installing collected packages"):
            self.doing = f"Unpacking {line.count(',') + 1} packages, {_megabytes(self.byte_count)} as they came"
            self._told = -1
            self.show()

    def show(self, name: str = "") -> None:
        """Say how far it is; ``name`` is what is being fetched."""
        if self.out.isatty():
            text = f"  {self.doing}, {_clock(time.monotonic() - self.began)}{f': {name}' if name else ''}"
            self.out.write(f"\r\033[K{text[:100]}")
        elif self._told < 0 or self.taken * 5 // max(1, self.total) > self._told:
            self._told = self.taken * 5 // max(1, self.total)
            self.out.write(f"  {self.doing}\n")
        self.out.flush()

    def end(self) -> None:
        if self.out.isatty():
            self.out.write("\r\033[K")
            self.out.flush()


def _megabytes(count: float) -> str:
    return f"{count / 1e9:.1f} GB" if count >= 1e9 else f"{count / 1e6:.0f} MB"


def _clock(seconds: float) -> str:
    return f"{int(seconds) // 60}:{int(seconds) % 60:02}"


def entries(*locks: Path, without: frozenset[str] = frozenset()) -> dict[str, str]:
    """The entries of lock files by package, each with its hashes as it stands there."""
    found = [match for lock in locks for match in ENTRY.finditer(lock.read_text())]
    return {match[1]: match[0] for match in found if match[1] not in without}


def build_of_torch(run: Run = _run_pip) -> tuple[dict[str, str], str]:
    """What to install before the rest, because torch's build is the one for CUDA; and a sentence where none fits.

    That is what pip would take on this machine: a processor's build from a folder or an index that pip was told of, or
    what the usual index has, which for Linux is the build for CUDA.
    """
    for_processors, for_cuda = entries(ROOT / "requirements.lock"), entries(ROOT / "requirements-cuda.lock")
    version = ENTRY.match(for_cuda["torch"])[2]  # type: ignore[index]
    if (there := _torch_here()) is not None and there[0] == version:
        return (for_cuda if there[1] else {}), ""
    with tempfile.TemporaryDirectory() as folder:
        report = Path(folder, "report.json")
        options = ["--dry-run", "--no-deps", "--ignore-installed", "--report", str(report)]
        done = run([*PIP, *options, f"torch=={version}"])
        if done.returncode != 0:
            return {}, done.stdout
        place = json.loads(report.read_text())["install"][0]["download_info"]
    digest = _digest(place)
    if digest in for_processors["torch"]:
        return {}, ""
    return (for_cuda, "") if digest in for_cuda["torch"] else ({}, f"{STRANGE} {place['url']}")


def _torch_here() -> tuple[str, bool] | None:
    """The version that is installed, and whether it asks for CUDA."""
    try:
        version, needed = importlib.metadata.version("torch"), importlib.metadata.requires("torch") or []
    except importlib.metadata.PackageNotFoundError:
        return None
    return version.split("+")[0], any(one.startswith("nvidia-") for one in needed)


def _digest(place: dict[str, Any]) -> str:
    """The SHA-256 of the file that pip would take, as a lock writes it."""
    told = place.get("archive_info", {}).get("hashes", {}).get("sha256")
    parts = urlsplit(place["url"])
    if told is None and parts.scheme == "file":
        with Path(unquote(parts.path)).open("rb") as file:
            told = hashlib.file_digest(file, "sha256").hexdigest()
    return f"sha256:{told}"


def put_in(wanted: dict[str, str], display: Display, log: Path) -> str:
    """Install these entries; the sentence that says why it failed, or none.

    Wheels first, which run no code of theirs. What there is as source alone is built by the setuptools among them, so
    that nothing is fetched for it that no lock knows.
    """
    wheels = {name: entry for name, entry in wanted.items() if name not in FROM_SOURCE}
    sources = {name: entry for name, entry in wanted.items() if name in FROM_SOURCE}
    return _run_through(wheels, "--only-binary=:all:", display, log) or (
        _run_through(sources, "--no-build-isolation", display, log) if sources else ""
    )


def _run_through(wanted: dict[str, str], how: str, display: Display, log: Path) -> str:
    with tempfile.TemporaryDirectory() as folder:
        lock = Path(folder, "lock.txt")
        lock.write_text("".join(wanted.values()))
        process = subprocess.Popen(  # noqa: S603 - our own arguments
            [*PIP, "--require-hashes", "--no-deps", how, "-r", str(lock)],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
        )
        said: list[str] = []
        with log.open("a") as file:
            for line in _lines(process, display):
                said.append(line)
                file.write(line)
                display.hear(line)
        display.end()
        return "" if process.wait() == 0 else reason(said, log)


def _lines(process: subprocess.Popen[str], display: Display) -> Iterator[str]:
    """What pip says, line by line; while it is silent the clock goes on."""
    heard: queue.Queue[str | None] = queue.Queue()
    assert process.stdout is not None
    told = process.stdout

    def listen() -> None:
        for line in told:
            heard.put(line)
        heard.put(None)

    threading.Thread(target=listen, daemon=True).start()
    while True:
        try:
            line = heard.get(timeout=1)
        except queue.Empty:
            if display.doing and display.out.isatty():
                display.show()
            continue
        if line is None:
            return
        yield line


def reason(said: Sequence[str], log: Path) -> str:
    """Why pip gave up, in a sentence, with its last words where we have none."""
    text = "".join(said)
    for pattern, sentence in REASONS:
        if re.search(pattern, text):
            return f"{sentence}\n(All that pip said is in {log}.)"
    return f"The packages could not be installed. pip's last words, all of them in {log}:\n\n{''.join(said[-15:])}"


def main(arguments: list[str] | None = None, out: TextIO = sys.stdout) -> int:
    parser = argparse.ArgumentParser(prog="python -m app.install", description=__doc__)
    parser.add_argument("--tests", action="store_true", help="what the tests need, too")
    parser.add_argument("--web", action="store_true", help="what the web process needs, without the model libraries")
    given = parser.parse_args(arguments)
    log = Path(sys.prefix, "install.log")
    log.unlink(missing_ok=True)
    began = time.monotonic()
    trouble = install(out, log, web=given.web, tests=given.tests)
    if trouble:
        sys.stderr.write(f"\nLivery was not installed. {trouble}\n")
        return 1
    out.write(f"Installed in {_clock(time.monotonic() - began)} minutes.\n")
    return 0


def install(out: TextIO, log: Path, *, web: bool, tests: bool) -> str:
    """Install what is wanted, saying so; the sentence that says why it failed, or none."""
    wanted: dict[str, str] = {}
    if not web:
        out.write("Asking the package index for the build of torch that fits this machine.\n")
        out.flush()
        wanted, trouble = build_of_torch()
        if trouble:
            log.write_text(trouble)
            return reason([trouble], log)
    names = ["requirements.lock", *([] if web else ["requirements-data.lock"])]
    names += ["requirements-dev.lock"] if tests else []
    rest = entries(*(ROOT / name for name in names), without=frozenset(MODEL_LIBRARIES if web else ()))
    wanted = {**rest, **wanted}
    out.write(f"Installing {len(wanted)} packages, each checked by its hash. This happens once and takes minutes.\n")
    out.flush()
    return put_in(wanted, Display(out, len(wanted)), log)


if __name__ == "__main__":
    sys.exit(main())
