"""The README is short, and what it and the READMEs of the rooms name is there."""

import re
import subprocess
import tomllib
from datetime import date
from pathlib import Path

import pytest

from app.help.pages import slug
from tests.rules.test_imports import FEATURES

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text()
LISTED = subprocess.run(["git", "ls-files", "-co", "--exclude-standard"], cwd=ROOT, capture_output=True, text=True)
ROOMS = sorted(
    path
    for path in map(Path, LISTED.stdout.splitlines())
    if path.name == "README.md"
    and len(path.parts) > 1
    and not {"model", "data"} & {*path.parts}
    and (ROOT / path).exists()
)
"""Every README of a room; that of the built-in model is its card, and those of test data say where it is from."""
DOCUMENTS = [Path("README.md"), Path(".github/SECURITY.md"), Path("worker/engines/LOG.md"), *ROOMS]
TABLES = ("Dependencies", "Inside a feature")
LINES = ("Context", "Decision", "Consequence", "Measured", "Date")
MOST_LINES, MOST_BYTES = 150, 10_000
DECISIONS = 149
"""So many are recorded; one that no longer holds is replaced by the one that does."""


def records(path: Path) -> list[tuple[str, str]]:
    """Title and text of each decision of a room."""
    parts = (ROOT / path).read_text().split("\n## ")[1:]
    return [(title, text) for title, _, text in (part.partition("\n") for part in parts) if title not in TABLES]


def test_the_readme_is_short() -> None:
    assert len(README.splitlines()) <= MOST_LINES
    assert len(README.encode()) <= MOST_BYTES


def test_features_are_named_in_the_order_that_the_rules_keep() -> None:
    named = README.split("Features, lowest first:")[1].split(".")[0]
    assert named.replace("\n", " ").strip().split(", ") == FEATURES


def test_contributing_is_forty_lines_at_most() -> None:
    section = README.split("\n## Contributing\n")[1].split("\n## ")[0].strip()
    assert len(section.splitlines()) <= 40


def test_every_room_is_linked_from_the_readme() -> None:
    linked = set(re.findall(r"\]\(([\w/.-]+README\.md)\)", README))
    assert {str(path) for path in ROOMS} <= linked


def test_no_decision_is_lost() -> None:
    assert sum(len(records(path)) for path in ROOMS) >= DECISIONS


@pytest.mark.parametrize("path", ROOMS, ids=str)
def test_a_decision_has_five_lines(path: Path) -> None:
    for title, text in records(path):
        lines = [line for line in text.splitlines() if line]
        assert [line.split("**")[1].rstrip(".") for line in lines] == list(LINES), title
        assert all(line.startswith("- **") for line in lines), title
        assert date.fromisoformat(lines[-1].split()[-1]) >= date(2026, 11, 24), title


@pytest.mark.parametrize("path", DOCUMENTS, ids=str)
def test_every_link_leads_somewhere(path: Path) -> None:
    text = (ROOT / path).read_text()
    for target in re.findall(r"\]\(([^)\s]+)\)", re.sub(r"```.*?```", "", text, flags=re.DOTALL)):
        if target.startswith("https://"):
            continue
        file, _, anchor = target.partition("#")
        named = (ROOT / path).parent / file if file else ROOT / path
        assert named.exists(), target
        if anchor:
            assert anchor in map(slug, re.findall(r"^#+ (.+)$", named.read_text(), re.MULTILINE)), target


@pytest.mark.parametrize("path", DOCUMENTS, ids=str)
def test_every_file_that_is_named_is_there(path: Path) -> None:
    """Whole paths from the root, in code marks; such as ``<feature>`` stand for several."""
    for name in re.findall(r"`((?:app|worker|templates|tests|migrations)/[\w./-]+)`", (ROOT / path).read_text()):
        assert (ROOT / name).exists() or "NAME" in name, name


def test_every_command_that_is_named_is_there() -> None:
    for path in DOCUMENTS:
        for module in re.findall(r"python -m ((?:app|worker|tests)[\w.]*)", (ROOT / path).read_text()):
            file = ROOT / module.replace(".", "/")
            assert file.with_suffix(".py").exists() or (file / "__main__.py").exists(), module


def test_every_dependency_has_its_reason() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    web, worker = project["dependencies"], project["optional-dependencies"]
    for room, requirements in (("app", web), ("worker", worker["gpu"] + worker["data"])):
        names = {re.split(r"[\[><=~ ]", requirement)[0].removesuffix("-binary") for requirement in requirements}
        table = (ROOT / room / "README.md").read_text().split("\n## Dependencies\n")[1]
        explained = set(re.findall(r"[\w-]+", " ".join(re.findall(r"^\| ([^|]+) \|", table, re.MULTILINE))))
        assert names <= explained, room


def test_only_what_tools_insist_on_stands_beside_the_rooms() -> None:
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
