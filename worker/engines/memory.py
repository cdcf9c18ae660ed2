"""How much memory a job took, and what to say when there is not enough."""

import resource
import sys
from collections.abc import Iterator
from contextlib import contextmanager

import torch

from worker.engines.contracts import EngineError


def peak_memory_bytes(device: torch.device) -> int:
    """The largest memory in use so far, in bytes.

    On CUDA what PyTorch had allocated on the card since ``reset_peak_memory``; on a CPU the largest resident set of
    this whole process since it started (``ru_maxrss``), libraries and earlier jobs included, because the system keeps
    no other number.
    """
    if device.type == "cuda":
        return torch.cuda.max_memory_allocated(device)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024


def reset_peak_memory(device: torch.device) -> None:
    """Start a new measurement on a card; does nothing on a CPU."""
    if device.type == "cuda":
        torch.cuda.reset_peak_memory_stats(device)


@contextmanager
def out_of_memory_in_words(device: torch.device, advice: str) -> Iterator[None]:
    """Turn running out of memory into ``EngineError`` (``out_of_memory``) that ends with ``advice``."""
    try:
        yield
    except (torch.OutOfMemoryError, MemoryError) as error:
        raise EngineError("out_of_memory", f"{_shortage(device)} {advice}") from error
    except RuntimeError as error:
        # PyTorch's CPU allocator has no exception of its own.
        if "can't allocate memory" not in str(error) and "not enough memory" not in str(error):
            raise
        raise EngineError("out_of_memory", f"{_shortage(device)} {advice}") from error


def _shortage(device: torch.device) -> str:
    if device.type != "cuda":
        return "This machine has not enough memory for this job."
    free, total = torch.cuda.mem_get_info(device)
    name = torch.cuda.get_device_name(device)
    return f"The graphics card ({name}, {total / 2**30:.0f} GB, {free / 2**30:.1f} GB free) has not enough memory."
