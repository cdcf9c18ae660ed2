"""Which device this process computes on, and what it can do. Imports torch when asked, not before."""

import os
import time
from dataclasses import dataclass
from typing import Literal

Precision = Literal["float32", "bfloat16", "float16"]


@dataclass(frozen=True)
class DeviceFacts:
    """Facts about a device from which a training is planned."""

    name: str = ""
    kind: Literal["cpu", "cuda"] = "cpu"
    memory_bytes: int | None = None
    """Memory of the card, or of the machine where the processor computes. None where the system does not say."""
    tera_operations: float | None = None
    """A second, on one large matrix product in the precision that is trained in; None before it was measured."""
    computes_in: Precision | None = None
    """While it trains: a card that has no bfloat16 of its own takes float16. None before anybody has looked."""


def measure_device() -> DeviceFacts:
    """Name, memory and speed of the device; the speed takes a tenth of a second, and some seconds on a card's first."""
    import torch

    if torch.cuda.is_available():
        memory = torch.cuda.get_device_properties(0).total_memory
        has_bfloat16 = torch.cuda.is_bf16_supported(including_emulation=False)
        precision: Precision = "bfloat16" if has_bfloat16 else "float16"
        return DeviceFacts(device_name(), "cuda", memory, _tera_operations("cuda", 4096, precision), precision)
    return DeviceFacts(device_name(), "cpu", _machine_memory(), _tera_operations("cpu", 1024, "float32"), "float32")


def _tera_operations(kind: Literal["cpu", "cuda"], side: int, precision: Precision) -> float:
    """The best of three products of two ``side`` × ``side`` matrices, after one to warm up."""
    import torch

    dtype: torch.dtype = getattr(torch, precision)
    one, other = (torch.ones(side, side, device=kind, dtype=dtype) for _ in range(2))
    best = float("inf")
    for _ in range(4):
        began = time.perf_counter()
        (one @ other)[0, 0].item()  # reading a number waits until the card has finished
        best = min(best, time.perf_counter() - began)
    return float(2 * side**3 / best / 1e12)


def _machine_memory() -> int | None:
    try:
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (AttributeError, OSError, ValueError):  # not every system names them
        return None


def device_name() -> str:
    """A name for people: the card's, or the processor with its number of usable cores."""
    import torch

    if torch.cuda.is_available():
        return str(torch.cuda.get_device_name(0))
    return f"CPU ({len(os.sched_getaffinity(0))} cores)" if hasattr(os, "sched_getaffinity") else "CPU"
