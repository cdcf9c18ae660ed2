"""Writes ``requirements.lock`` (what ``make run`` installs) and ``requirements-dev.lock`` (what tests need on top) from
the installed versions, so that a fresh machine gets the very same. ``requirements-data.lock`` names packages that are
installed alone, for a file in them.

torch keeps its range: which build is right depends on the machine (processor or CUDA).
"""

import re
from importlib.metadata import distribution
from pathlib import Path

from packaging.markers import default_environment
from packaging.requirements import Requirement

ROOT = Path(__file__).parents[2]
RANGED = {"torch": "torch>=2.11"}
LEFT_OUT = re.compile(r"nvidia-.*|cuda-.*|triton")


def canonical(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def needs(requirements: list[str], extras: set[str]) -> dict[str, str]:
    """Every installed distribution that ``requirements`` pull in, by name, with its version."""
    found: dict[str, str] = {}
    waiting = [(Requirement(text), extras) for text in requirements]
    seen: set[tuple[str, frozenset[str]]] = set()
    while waiting:
        requirement, active = waiting.pop()
        environment = default_environment()
        if requirement.marker and not any(
            requirement.marker.evaluate({**environment, "extra": extra}) for extra in active | {""}
        ):
            continue
        name = canonical(requirement.name)
        key = (name, frozenset(requirement.extras))
        if key in seen or LEFT_OUT.fullmatch(name):
            continue
        seen.add(key)
        installed = distribution(requirement.name)
        found[name] = installed.version
        waiting += [(Requirement(text), set(requirement.extras)) for text in installed.requires or []]
    return found


def write(path: Path, title: str, versions: dict[str, str]) -> None:
    lines = [RANGED.get(name, f"{name}=={version}") for name, version in sorted(versions.items())]
    path.write_text(f"# {title} Written by `make lock`.\n" + "\n".join(lines) + "\n")


def main() -> None:
    import tomllib

    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    extras = project["optional-dependencies"]
    runs = needs(project["dependencies"] + extras["gpu"], set())
    tests = {name: version for name, version in needs(extras["dev"], set()).items() if name not in runs}
    write(ROOT / "requirements.lock", "What `make run` installs.", runs)
    write(ROOT / "requirements-dev.lock", "What `make test` installs on top.", tests)
    data = {canonical(one.name): distribution(one.name).version for one in map(Requirement, extras["data"])}
    write(ROOT / "requirements-data.lock", "Installed without their own requirements, for the files in them.", data)


if __name__ == "__main__":
    main()
