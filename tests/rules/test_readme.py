"""The README says what is true."""

import re
from pathlib import Path

from app.settings import Settings

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text()


def table_row(name: str) -> str:
    field = Settings.model_fields[name]
    default = field.get_default()
    shown = getattr(default, "get_secret_value", lambda: str(default))()
    return f"| `{name.upper()}` | {f'`{shown}`' if shown else '–'} | {field.description} |"


def test_every_setting_is_explained_with_its_default() -> None:
    rows = re.findall(r"^\| `[A-Z_0-9]+` \|.*\|$", README, re.MULTILINE)
    assert rows == [table_row(name) for name in Settings.model_fields]


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


def test_every_fault_names_a_test_that_exists() -> None:
    table = README[README.index("## What happens when") :].split("\n## ")[0]
    rows = [row for row in table.splitlines() if row.startswith("| ") and not row.startswith("| fault")]
    assert len(rows) >= 10
    for row in rows:
        named = re.findall(r"`(tests/[\w/]+\.py)::(\w+)`", row)
        assert named, row
        for path, name in named:
            assert f"def {name}(" in (ROOT / path).read_text(), f"{path}::{name}"
