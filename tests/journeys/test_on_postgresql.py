"""The tests whose queries speak a dialect once more, on a PostgreSQL of this test's own."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.servers import ROOT, postgres_server

pytestmark = pytest.mark.slow


def test_whatever_speaks_a_dialect_passes_on_postgresql(tmp_path: Path) -> None:
    base = tmp_path / "base"
    # Others need not even be loaded.
    files = [str(file) for file in (ROOT / "tests" / "app").rglob("test_*.py") if "mark.dialect" in file.read_text()]
    # Without what tells a process of tests that it is one of several, as this one may be.
    environment = {key: value for key, value in os.environ.items() if not key.startswith("PYTEST_")}
    with postgres_server(tmp_path) as address:
        done = subprocess.run(
            [
                sys.executable,
                "-m",
                "pytest",
                "-q",
                "-m",
                "dialect and not slow",
                f"--basetemp={base}",
                *sorted(files),
            ],
            cwd=ROOT,
            env={**environment, "TEST_DATABASE_URL": address},
            capture_output=True,
            text=True,
        )
    assert done.returncode == 0, done.stdout[-3000:]
    passed = re.findall(r"(\d+) passed", done.stdout)
    print(f"\n{passed[0]} tests passed on PostgreSQL as well")
    assert "skipped" not in done.stdout
