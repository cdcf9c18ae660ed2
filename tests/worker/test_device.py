"""A worker measures what its device can do before it promises anything."""

import subprocess
import sys

import pytest

from worker.engines.device import measure_device

pytestmark = pytest.mark.slow


def test_the_device_is_measured():
    facts = measure_device()
    assert facts.name and facts.kind in ("cpu", "cuda")
    assert facts.memory_bytes is not None and facts.memory_bytes > 500_000_000
    assert facts.tera_operations is not None and facts.tera_operations > 0.0005


def test_naming_a_device_needs_no_model_library():
    code = "import sys, worker.engines.device; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0
