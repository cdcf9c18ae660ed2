"""The README says what is true."""

import re
from pathlib import Path

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text()


def test_every_dependency_has_its_reason() -> None:
    import tomllib

    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    names = {
        re.split(r"[\[><=~ ]", requirement)[0]
        for requirement in project["dependencies"]
        + project["optional-dependencies"]["gpu"]
        + project["optional-dependencies"]["data"]
    }
    reasons = README[README.index("| library | why |") :]
    missing = {name for name in names if name.removesuffix("-binary") not in reasons and name not in reasons}
    assert missing == set()


def test_only_what_tools_insist_on_stands_beside_the_rooms() -> None:
    import subprocess

    listed = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=True).stdout.split()
    top = {path.split("/")[0] for path in listed if not path.startswith(".")}
    assert top <= {
        "pyproject.toml",
        "docker-compose.yml",
        "README.md",
        "app",
        "worker",
        "templates",
        "migrations",
        "tests",
        "Makefile",
        "LICENSE",
        "requirements.lock",
        "requirements-audit.lock",
        "requirements-cuda.lock",
        "requirements-data.lock",
        "requirements-dev.lock",
    }
