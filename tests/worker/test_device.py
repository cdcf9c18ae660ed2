"""A worker measures what its device can do before it promises anything."""

import subprocess
import sys
from pathlib import Path

import pytest

from worker.engines.device import measure_device

pytestmark = pytest.mark.slow


def test_the_device_is_measured():
    facts = measure_device()
    assert facts.name and facts.kind in ("cpu", "cuda")
    assert facts.memory_bytes is not None and facts.memory_bytes > 500_000_000
    assert facts.tera_operations is not None and facts.tera_operations > 0.0005
    assert facts.computes_in == "float32" or facts.kind == "cuda"


@pytest.mark.skipif(not Path("/proc/self/clear_refs").exists(), reason="only Linux begins its count anew")
def test_what_was_used_and_given_back_before_a_measurement_does_not_count():
    code = """
import torch
from worker.engines import memory
device = torch.device("cpu")
torch.ones(100_000_000).sum()
with_it = memory.peak_memory_bytes(device)
memory.reset_peak_memory(device)
without = memory.peak_memory_bytes(device)
assert without < with_it - 300_000_000, (without, with_it)
"""
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0


def test_naming_a_device_needs_no_model_library():
    code = "import sys, worker.engines.device; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0
