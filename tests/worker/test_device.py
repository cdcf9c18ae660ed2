"""A worker measures what its device can do before it promises anything."""

import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch

from worker.engines import device
from worker.engines.device import DeviceFacts, measure_device

pytestmark = pytest.mark.slow


def test_the_device_is_measured():
    facts = measure_device()
    assert facts.name and facts.kind in ("cpu", "cuda")
    assert facts.memory_bytes is not None and facts.memory_bytes > 500_000_000
    assert facts.tera_operations is not None and facts.tera_operations > 0.0005
    assert facts.computes_in == "float32" or facts.kind == "cuda"


@pytest.mark.parametrize(("has_bfloat16", "precision"), [(True, "bfloat16"), (False, "float16")])
def test_a_card_says_what_it_trains_in(monkeypatch, has_bfloat16, precision):
    measured = []
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "get_device_name", lambda _number: "Tesla T4")
    monkeypatch.setattr(torch.cuda, "get_device_properties", lambda _number: SimpleNamespace(total_memory=16 * 10**9))
    monkeypatch.setattr(torch.cuda, "is_bf16_supported", lambda including_emulation: has_bfloat16)
    monkeypatch.setattr(device, "_tera_operations", lambda *given: measured.append(given) or 8.0)
    assert measure_device() == DeviceFacts("Tesla T4", "cuda", 16 * 10**9, 8.0, precision)
    assert measured == [("cuda", 4096, precision)], "its speed is that of the same precision"


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
