"""The composition of containers names what is there, asks for every secret, and lets workers save their work.

No container engine runs here; the same topology is started from real local servers in ``tests/chaos.py``.
"""

import importlib.util
import re
from fnmatch import fnmatch
from pathlib import Path
from typing import Any

import pytest
import yaml

from app.settings import Settings
from app.startup import OLD_PYTHON
from tests.tools import images

ROOT = Path(__file__).parents[2]
TEXT = (ROOT / "docker-compose.yml").read_text()
COMPOSED: dict[str, Any] = yaml.safe_load(TEXT)
SERVICES: dict[str, dict[str, Any]] = COMPOSED["services"]
OURS = [name for name, service in SERVICES.items() if "build" in service]
FIXED = {"DATA_DIR", "HOST", "PORT", "EMBEDDED_WORKERS"}
"""Where things are in a container."""
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
        named = {volume.split(":")[0] for volume in service.get("volumes", []) if not volume.startswith("/")}
        assert named <= set(COMPOSED["volumes"]), name


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


def test_images_are_named_with_a_version_and_by_digest() -> None:
    for name, service in SERVICES.items():
        if "image" in service:
            assert re.fullmatch(r"[\w./-]+:v?\d+(\.\d+)+@sha256:[0-9a-f]{64}", service["image"]), name
    bases = {
        line.split()[1]
        for file in ("app/Dockerfile", "worker/Dockerfile")
        for line in (ROOT / file).read_text().splitlines()
        if line.startswith("FROM ")
    }
    assert len(bases) == 1, "one base for both"
    release = re.fullmatch(r"python:3\.11\.(\d+)-slim-bookworm@sha256:[0-9a-f]{64}", bases.pop())
    assert release and int(release[1]) >= OLD_PYTHON[3, 11]


def test_digests_are_taken_anew_from_the_tags() -> None:
    asked: list[str] = []

    def ask(image: str) -> str:
        asked.append(image)
        return "sha256:" + "0" * 64

    text = images.pinned(TEXT, ask)
    assert len(asked) == len(re.findall("image: ", TEXT)) == text.count("@sha256:" + "0" * 64)
    assert images.pinned(text, lambda image: re.search(rf"{image}@(\S+)", TEXT)[1]) == TEXT  # type: ignore[index]


def test_every_setting_can_be_given_without_changing_the_file() -> None:
    """What the file itself decides can be given by its own name, all else reaches our services as a line of .env."""
    for name in OURS:
        assert SERVICES[name]["env_file"] == [{"path": ".env", "required": False}], name
        assert SERVICES[name]["environment"] == COMPOSED["x-livery"], name
    assert set(COMPOSED["x-livery"]) <= {name.upper() for name in Settings.model_fields}
    for name, value in COMPOSED["x-livery"].items():
        assert name in FIXED or value.startswith(f"${{{name}"), name


def test_a_line_of_env_sets_what_the_file_does_not_decide(tmp_path: Path) -> None:
    lines = {"workspaces_by": "first-owners", "trusted_proxies": "10.0.0.1", "log_level": "DEBUG"}
    decided = {name.lower() for name in COMPOSED["x-livery"]}
    for name, field in Settings.model_fields.items():
        if name not in decided:
            given = lines.get(name) or ("7" if field.annotation in (int, float) else f"a {name}")
            (tmp_path / ".env").write_text(f"{name.upper()}={given}\n")
            found = getattr(Settings(_env_file=tmp_path / ".env"), name)  # type: ignore[call-arg]
            shown = found.get_secret_value() if hasattr(found, "get_secret_value") else found
            assert str(shown) in (given, f"{given}.0"), name


def test_a_setting_that_is_not_given_has_its_default(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in COMPOSED["x-livery"].items():
        monkeypatch.setenv(name, "" if name not in FIXED else str(value))
    found = Settings(_env_file=None)  # type: ignore[call-arg]
    for name, field in Settings.model_fields.items():
        if name.upper() not in FIXED:
            assert getattr(found, name) == field.get_default(), name


def test_containers_may_do_as_little_as_they_need() -> None:
    for name, service in SERVICES.items():
        assert service["cap_drop"] == ["ALL"], name
        assert service["security_opt"] == ["no-new-privileges:true"], name
        assert service["read_only"] is True and service["pids_limit"] and service["mem_limit"], name
        assert "/tmp" in [*service.get("tmpfs", []), *service.get("volumes", [])], f"{name} needs some place to write"
        assert "privileged" not in service and "network_mode" not in service, name
        assert not any(volume.startswith((".", "/var", "/run")) for volume in service.get("volumes", [])), name
    for name in OURS:
        assert "USER livery" in (ROOT / SERVICES[name]["build"]["dockerfile"]).read_text()
    for name in ("postgres", "redis", "bucket"):
        assert SERVICES[name]["user"] not in ("root", "0"), name


def test_only_the_web_process_is_published_and_to_this_machine_alone() -> None:
    assert [name for name, service in SERVICES.items() if "ports" in service] == ["web"]
    assert SERVICES["web"]["ports"] == ["${PORTS:-127.0.0.1:8000-8009}:8000"]
    assert COMPOSED["networks"]["inside"] == {"internal": True}
    outside = {name for name, service in SERVICES.items() if "outside" in service["networks"]}
    assert outside == {"migrate", "web", "worker", "worker-cuda"}, "their database and storage may be elsewhere"


def test_containers_install_from_the_locks_and_name_no_host_for_it() -> None:
    for file in ("app/Dockerfile", "worker/Dockerfile"):
        text = (ROOT / file).read_text()
        assert "python -m app.install" in text
        assert "pip install" not in text and "://" not in text.replace("http://127.0.0.1:8000", "")
    assert "whl" not in TEXT


def test_the_builder_is_sent_no_secret_no_data_and_no_history() -> None:
    lines = [line for line in (ROOT / ".dockerignore").read_text().splitlines() if line and not line.startswith("#")]
    assert lines[0] == "*", "nothing but what is named"
    sent = {line.removeprefix("!") for line in lines if line.startswith("!")}
    assert sent == {"app", "worker", "templates", "migrations", "pyproject.toml", "requirements*.lock"}
    for file in ("app/Dockerfile", "worker/Dockerfile"):
        copied = re.findall(r"^COPY (.+) \S+$", (ROOT / file).read_text(), re.MULTILINE)
        assert copied
        for path in " ".join(copied).split():
            assert any(fnmatch(path, one) or path.startswith(f"{one}/") for one in sent), path


def test_tables_are_brought_up_to_date_once_before_anything_reads_them() -> None:
    for name in OURS:
        if name != "migrate":
            assert SERVICES[name]["depends_on"]["migrate"] == {"condition": "service_completed_successfully"}, name


def test_workers_have_time_to_save_what_they_do() -> None:
    for name in ("worker", "worker-cuda"):
        assert int(SERVICES[name]["stop_grace_period"].removesuffix("s")) >= 60
