"""What a web process loads before anybody has asked it for anything."""

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
FOR_FEW_REQUESTS = {
    "PIL",
    "alembic",
    "celery",
    "coloraide",
    "cryptography",
    "huggingface_hub",
    "numpy",
    "obstore",
    "openpyxl",
    "pi_heif",
    "pyvips",
    "redis",
    "resvg_py",
}
"""Libraries that few requests, or few installations, need: imported where they are used."""


def test_the_web_application_loads_no_library_that_few_requests_need() -> None:
    code = f"import sys, app.main; print(sorted(set(sys.modules) & {FOR_FEW_REQUESTS!r}))"
    result = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert result.stdout.strip() == "[]"


def test_the_parent_of_all_processes_holds_no_library_of_web_or_database() -> None:
    code = "import sys, app.__main__; print(sorted(set(sys.modules) & {'alembic', 'fastapi', 'jinja2', 'sqlalchemy'}))"
    result = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert result.stdout.strip() == "[]"


@pytest.mark.slow
def test_no_route_is_worked_out_while_the_application_is_made() -> None:
    code = """
import tempfile

import pytest
from fastapi.dependencies import utils
from fastapi import routing
counted = 0
before = routing.get_dependant
def counting(**asked):
    global counted
    counted += 1
    return before(**asked)
routing.get_dependant = counting
from app.main import create_app
from app.settings import Settings
application = create_app(Settings(data_dir=tempfile.mkdtemp()))
made = counted
application.openapi()
described = counted
application.openapi_schema = None
application.openapi()
print(made, described, counted)
"""
    result = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    made, described, again = map(int, result.stdout.split())
    assert made == 0, "what a route asks for is worked out by its first request"
    assert described > 100
    assert again == described, "and once"
