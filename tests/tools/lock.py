"""Writes the lock files: every package that Livery needs, in one version, with the SHA-256 of its files.

``requirements.lock`` is what Livery runs on, with torch's build for processors; ``requirements-cuda.lock`` is torch's
build for CUDA with all it needs, to be installed before. ``requirements-dev.lock`` is what the tests need on top, and
``requirements-data.lock`` what is installed without its own requirements, for a file in it.

torch has a lock for each build because pip prefers a file whose hash the index tells: with all hashes in one lock it
would never take the smaller build from a folder. uv resolves for all supported systems and versions of Python at once,
from the index that pip is set up with, and within the constraints that pip is set up with. Versions stay as they are
where pyproject.toml still allows them; ``--upgrade`` takes the newest.
"""

import argparse
import hashlib
import json
import os
import re
import subprocess
import sys
import tempfile
import tomllib
from collections.abc import Iterable
from dataclasses import dataclass, replace
from itertools import product
from pathlib import Path
from urllib.parse import unquote, urlsplit

from packaging.markers import Marker

ROOT = Path(__file__).parents[2]
PROCESSOR_BUILDS = Path(__file__).with_name("processor_builds.toml")
LOCKS = {
    "requirements.lock": "What Livery runs on, with torch's build for processors.",
    "requirements-cuda.lock": "torch's build for CUDA and all it needs, installed before the other lock.",
    "requirements-dev.lock": "What the tests need on top.",
    "requirements-audit.lock": "What `make audit` and `make sbom` need, in an environment of their own.",
    "requirements-data.lock": "Installed for the files in them, without their own requirements.",
}
OF_CUDA = re.compile(r"nvidia-.*|cuda-.*|triton")
SYSTEMS = (("linux", "Linux", "x86_64"), ("linux", "Linux", "aarch64"), ("darwin", "Darwin", "arm64"))
PYTHONS = ("3.11.2", "3.11.14", "3.12.12", "3.13.8", "3.14.0")


@dataclass(frozen=True)
class Pin:
    name: str
    version: str
    marker: str
    hashes: tuple[str, ...]

    def __str__(self) -> str:
        condition = f" ; {self.marker}" if self.marker else ""
        return " \\\n".join((f"{self.name}=={self.version}{condition}", *(f"    --hash={one}" for one in self.hashes)))


def read(text: str) -> list[Pin]:
    """The pins of a lock file. Raises ``ValueError`` for anything else that stands in it."""
    found = []
    lines = [line for line in text.splitlines() if not line.startswith("#")]
    for entry in "\n".join(lines).replace("\\\n", " ").split("\n"):
        if not entry.strip():
            continue
        given, *hashes = re.split(r"\s+--hash=", entry.strip())
        requirement, _, marker = given.partition(";")
        name, is_pinned, version = requirement.strip().partition("==")
        if not is_pinned or not hashes:
            raise ValueError(f"{entry[:80]} is no pin with hashes")
        found.append(Pin(name, version, marker.strip(), tuple(sorted(set(hashes)))))
    return found


def supported(pins: Iterable[Pin]) -> list[Pin]:
    """Without what no supported system needs, and without a condition that all of them meet."""
    kept = []
    for pin in pins:
        fits = [Marker(pin.marker).evaluate(one) for one in _environments()] if pin.marker else [True]
        if any(fits):
            kept.append(replace(pin, marker="" if all(fits) else pin.marker))
    return kept


def _environments() -> list[dict[str, str]]:
    return [
        {
            "sys_platform": platform,
            "platform_system": system,
            "platform_machine": machine,
            "os_name": "posix",
            "implementation_name": "cpython",
            "platform_python_implementation": "CPython",
            "python_full_version": python,
            "python_version": ".".join(python.split(".")[:2]),
            "extra": "",
        }
        for (platform, system, machine), python in product(SYSTEMS, PYTHONS)
    ]


def resolve(source: str, *arguments: str, prefer: Iterable[Pin] = (), constraints: Iterable[str] = ()) -> list[Pin]:
    """What ``source`` needs, by uv. ``source`` is a file of the project, or lines of requirements."""
    with tempfile.TemporaryDirectory() as folder:
        out, limits, given = Path(folder, "out.txt"), Path(folder, "limits.txt"), Path(folder, "given.in")
        out.write_text("\n".join(map(str, prefer)))  # uv keeps the versions that stand there
        limits.write_text("\n".join(constraints))
        given.write_text(source)
        index = os.environ.get("PIP_INDEX_URL") or _pip_setting("index-url")
        what = ROOT / source if source == "pyproject.toml" else given
        command = [
            *("uv", "pip", "compile", str(what), *arguments, "--constraints", str(limits), "--output-file", str(out)),
            *("--universal", "--python-version", "3.11", "--no-config", "--system-certs", "--quiet"),
            *("--generate-hashes", "--no-annotate", "--no-header"),
            *(("--default-index", index) if index else ()),
        ]
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL, env={**os.environ, "PATH": _path()})
        return supported(read(out.read_text()))


def _path() -> str:
    return os.pathsep.join((str(Path(sys.executable).parent), os.environ.get("PATH", "")))


def _pip_setting(name: str) -> str:
    asked = [sys.executable, "-m", "pip", "config", "get", f"global.{name}"]
    return subprocess.run(asked, capture_output=True, text=True).stdout.strip()


def pips_constraints() -> list[str]:
    """What pip is told to stay below on this machine, for every version of Python, so that there is one lock."""
    files = [Path(name) for name in _pip_setting("constraint").split()]
    lines = [line for file in files if file.exists() for line in file.read_text().splitlines()]
    return [line.split(";")[0].strip() for line in lines if line.strip() and not line.startswith("#")]


def processor_builds(version: str) -> list[str]:
    """Hashes of torch's builds for processors: those of its makers, and of the file that pip takes on this machine."""
    hashes = [f"sha256:{one}" for one in tomllib.loads(PROCESSOR_BUILDS.read_text()).get(version, {}).values()]
    if not hashes:
        print(f"{PROCESSOR_BUILDS} has no builds of torch {version} for processors; add those of its makers.")
    asked = [sys.executable, "-m", "pip", "install", "--dry-run", "--no-deps", "--ignore-installed", "--quiet"]
    told = subprocess.run([*asked, "--report", "-", f"torch=={version}"], capture_output=True, text=True, check=True)
    place = urlsplit(json.loads(told.stdout)["install"][0]["download_info"]["url"])
    if place.scheme == "file":
        with Path(unquote(place.path)).open("rb") as file:
            hashes.append(f"sha256:{hashlib.file_digest(file, 'sha256').hexdigest()}")
    return hashes


def _for_processors(pin: Pin) -> Pin:
    return replace(pin, hashes=tuple(sorted(set(processor_builds(pin.version))))) if pin.name == "torch" else pin


def write(name: str, pins: Iterable[Pin]) -> None:
    chosen = sorted(pins, key=lambda pin: pin.name)
    text = f"# {LOCKS[name]} Written by `make lock`; installed with `pip install --require-hashes`.\n"
    (ROOT / name).write_text(text + "".join(f"{pin}\n" for pin in chosen))
    print(f"{name}: {len(chosen)} packages, {sum(len(pin.hashes) for pin in chosen)} hashes")


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.tools.lock", description=__doc__)
    parser.add_argument("--upgrade", action="store_true", help="take the newest versions that pyproject.toml allows")
    upgrade = parser.parse_args().upgrade
    there = [ROOT / name for name in LOCKS if (ROOT / name).exists() and not upgrade]
    kept = [pin for path in there for pin in read(path.read_text())]
    limits = pips_constraints()
    everything = resolve("pyproject.toml", "--extra=gpu", "--extra=dev", prefer=kept, constraints=limits)
    versions = [f"{pin.name}=={pin.version}" for pin in everything]
    runs = resolve("pyproject.toml", "--extra=gpu", constraints=versions)
    names = {pin.name for pin in runs}
    write("requirements.lock", (_for_processors(pin) for pin in runs if not OF_CUDA.fullmatch(pin.name)))
    write("requirements-cuda.lock", resolve("torch", constraints=versions))
    write("requirements-dev.lock", (pin for pin in everything if pin.name not in names))
    extras = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["optional-dependencies"]
    write("requirements-audit.lock", resolve("\n".join(extras["audit"]), prefer=kept))
    write("requirements-data.lock", resolve("\n".join(extras["data"]), "--no-deps", prefer=kept))


if __name__ == "__main__":
    main()
