"""The locks hold all that Livery needs, each in one version and with the hashes of its files."""

import re
import tomllib
from importlib.metadata import PackageNotFoundError, requires
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from app import install
from tests.tools import lock
from tests.tools.lock import Pin

ROOT = Path(__file__).parents[2]
PINS = {name: lock.read((ROOT / name).read_text()) for name in lock.LOCKS}
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
WANTED = {
    "requirements.lock": [*PROJECT["dependencies"], *PROJECT["optional-dependencies"]["gpu"]],
    "requirements-dev.lock": PROJECT["optional-dependencies"]["dev"],
    "requirements-data.lock": PROJECT["optional-dependencies"]["data"],
    "requirements-audit.lock": PROJECT["optional-dependencies"]["audit"],
    "requirements-cuda.lock": ["torch"],
}


def versions(*names: str) -> dict[str, str]:
    return {pin.name: pin.version for name in names for pin in PINS[name]}


@pytest.mark.parametrize("name", lock.LOCKS)
def test_every_line_is_a_pin_with_hashes(name: str) -> None:
    pins = PINS[name]
    assert pins and len({pin.name for pin in pins}) == len(pins)
    for pin in pins:
        assert re.fullmatch(r"[\w.!]+", pin.version), f"{pin.name}: no local version, no range"
        assert all(re.fullmatch(r"sha256:[0-9a-f]{64}", one) for one in pin.hashes), pin.name
    text = (ROOT / name).read_text()
    assert "://" not in text
    assert set(install.entries(ROOT / name)) == {pin.name for pin in pins}, "as the installer reads it"


@pytest.mark.parametrize("name", WANTED)
def test_what_the_project_asks_for_is_locked_within_its_ranges(name: str) -> None:
    there = versions(name) if name != "requirements-dev.lock" else versions("requirements.lock", name)
    for one in map(Requirement, WANTED[name]):
        version = there.get(canonicalize_name(one.name))
        assert version is not None, f"{one.name} is not locked: make lock"
        assert one.specifier.contains(version), f"{one} is locked as {version}: make lock"


def test_what_the_locked_packages_ask_for_is_locked_too() -> None:
    """As installed here, where the same versions are; with hashes pip takes nothing else."""
    there = versions("requirements.lock", "requirements-dev.lock")
    missing = set()
    for name in there:
        try:
            needed = requires(name) or []
        except PackageNotFoundError:
            continue
        for one in map(Requirement, needed):
            if (one.marker is None or one.marker.evaluate({"extra": ""})) and not lock.OF_CUDA.fullmatch(one.name):
                found = there.get(canonicalize_name(one.name))
                if found is None or not one.specifier.contains(found, prereleases=True):
                    missing.add(f"{name} needs {one}, locked is {found}")
    assert missing == set()


def test_torch_is_locked_once_for_processors_and_once_for_cuda() -> None:
    """The same version; builds for Linux in one of them alone, since pip prefers what the index knows the hash of."""
    torch = {
        name: next(pin for pin in PINS[name] if pin.name == "torch")
        for name in ("requirements.lock", "requirements-cuda.lock")
    }
    processors, cuda = torch["requirements.lock"], torch["requirements-cuda.lock"]
    assert processors.version == cuda.version
    builds = tomllib.loads(lock.PROCESSOR_BUILDS.read_text())[processors.version]
    assert {f"sha256:{one}" for one in builds.values()} <= set(processors.hashes)
    both = set(processors.hashes) & set(cuda.hashes)
    assert both == {f"sha256:{one}" for name, one in builds.items() if name.endswith("macOS")}
    assert {"triton", "nvidia-cublas"} <= {pin.name for pin in PINS["requirements-cuda.lock"]}
    assert not [pin.name for pin in PINS["requirements.lock"] if lock.OF_CUDA.fullmatch(pin.name)]
    assert versions("requirements-cuda.lock").items() & versions("requirements.lock").items(), "no version twice"
    shared = set(versions("requirements-cuda.lock")) & set(versions("requirements.lock"))
    assert {name: versions("requirements-cuda.lock")[name] for name in shared} == {
        name: versions("requirements.lock")[name] for name in shared
    }


def test_what_is_built_from_source_is_built_by_what_is_locked() -> None:
    assert {*install.FROM_SOURCE, "setuptools", "cffi"} <= set(versions("requirements.lock"))


def test_conditions_that_every_supported_system_meets_are_left_out() -> None:
    hashes = ("sha256:" + "0" * 64,)
    given = [
        Pin("colorama", "1", "sys_platform == 'win32'", hashes),
        Pin("httpcore2", "1", "sys_platform != 'emscripten'", hashes),
        Pin("async-timeout", "1", "python_full_version < '3.11.3'", hashes),
    ]
    kept = lock.supported(given)
    assert [(pin.name, pin.marker) for pin in kept] == [("httpcore2", ""), ("async-timeout", given[2].marker)]
    assert lock.read("\n".join(map(str, kept))) == kept


def test_a_line_without_a_hash_is_refused() -> None:
    for text in ("torch>=2.11", "torch==2.13.0", "torch @ file:///torch.whl"):
        with pytest.raises(ValueError):
            lock.read(text)
