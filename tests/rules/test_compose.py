"""The composition of containers names what is there, asks for every secret, and lets workers save their work.

No container engine runs here; the same topology is started from real local servers in ``tests/chaos.py``.
"""

import importlib.util
import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from app.settings import Settings

ROOT = Path(__file__).parents[2]
TEXT = (ROOT / "docker-compose.yml").read_text()
COMPOSED: dict[str, Any] = yaml.safe_load(TEXT)
SERVICES: dict[str, dict[str, Any]] = COMPOSED["services"]
OURS = [name for name, service in SERVICES.items() if "build" in service]
END_BY_THEMSELVES = {"migrate", "bucket"}


def test_all_parts_of_the_topology_are_there() -> None:
    assert set(SERVICES) == {
        "migrate",
        "web",
        "worker",
        "worker-cuda",
        "postgres",
        "redis",
        "storage",
        "bucket",
    }
    for name, service in SERVICES.items():
        assert set(service.get("depends_on", {})) <= set(SERVICES), name
        assert {volume.split(":")[0] for volume in service.get("volumes", [])} <= set(COMPOSED["volumes"]), name


@pytest.mark.parametrize("name", OURS)
def test_our_services_run_modules_that_exist_with_settings_that_exist(name: str) -> None:
    service = SERVICES[name]
    assert set(service["environment"]) <= {field.upper() for field in Settings.model_fields}
    dockerfile = ROOT / service["build"]["dockerfile"]
    commands = [service.get("command", []), *re.findall(r"^CMD (\[.*\])$", dockerfile.read_text(), re.MULTILINE)]
    for command in commands:
        words = yaml.safe_load(command) if isinstance(command, str) else command
        if "-m" in words:
            module = words[words.index("-m") + 1]
            assert importlib.util.find_spec(module) or importlib.util.find_spec(f"{module}.__main__"), module


def test_no_secret_has_a_default() -> None:
    used = re.findall(r"\$\{(\w*(?:PASSWORD|SECRET|KEY)\w*)([^}]*)\}", TEXT)
    assert used
    assert {name for name, rest in used if not rest.startswith(":?")} == set()
    assert "-}" not in "".join(f"{name}{rest}" for name, rest in used)


def test_whoever_serves_says_how_it_is_and_comes_back() -> None:
    for name, service in SERVICES.items():
        if name in END_BY_THEMSELVES:
            assert service["restart"] == "no"
        else:
            assert service["restart"] == "unless-stopped"
        has_check = "healthcheck" in service or (
            "build" in service and "HEALTHCHECK" in (ROOT / service["build"]["dockerfile"]).read_text()
        )
        assert has_check or name in END_BY_THEMSELVES, name


def test_images_are_named_with_a_version() -> None:
    for name, service in SERVICES.items():
        if "image" in service:
            assert re.fullmatch(r"[\w./-]+:v?\d+(\.\d+)*", service["image"]), name


def test_tables_are_brought_up_to_date_once_before_anything_reads_them() -> None:
    for name in OURS:
        if name != "migrate":
            assert SERVICES[name]["depends_on"]["migrate"] == {"condition": "service_completed_successfully"}, name


def test_workers_have_time_to_save_what_they_do() -> None:
    for name in ("worker", "worker-cuda"):
        assert int(SERVICES[name]["stop_grace_period"].removesuffix("s")) >= 60
