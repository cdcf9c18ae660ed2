"""How much memory a job took, and what to say when there is not enough."""

import re
import resource
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import torch

from worker.engines.contracts import EngineError

STATUS, CLEAR = Path("/proc/self/status"), Path("/proc/self/clear_refs")
FORGET_THE_PEAK = "5"
"""Written to ``clear_refs``, see ``proc(5)``."""


def peak_memory_bytes(device: torch.device) -> int:
    """The largest memory in use since ``reset_peak_memory``, in bytes.

    On CUDA what PyTorch had allocated on the card, without the card's own context. On a CPU the largest resident set of
    this whole process, libraries included; where the system cannot begin that anew, as only Linux can, the largest
    since the process started.
    """
    if device.type == "cuda":
        return torch.cuda.max_memory_allocated(device)
    try:
        found = re.search(r"^VmHWM:\s+(\d+) kB", STATUS.read_text(), re.MULTILINE)
    except OSError:
        found = None
    if found is not None:
        return int(found[1]) * 1024
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024


def reset_peak_memory(device: torch.device) -> None:
    """Start a new measurement; does nothing on a processor whose system cannot."""
    if device.type == "cuda":
        torch.cuda.reset_peak_memory_stats(device)
        return
    try:
        CLEAR.write_text(FORGET_THE_PEAK)
    except OSError:  # no Linux, or not allowed in this container
        return


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


class StepPeak:
    """The largest memory in use while steps are taken; what is loaded, drawn or written between them is left out."""

    def __init__(self, device: torch.device) -> None:
        self._device = device
        self._is_interrupted = True
        self.bytes = 0

    def interrupt(self) -> None:
        """Leave out of the measure what comes before the next step."""
        self._is_interrupted = True

    def begin_step(self) -> None:
        if self._is_interrupted:
            reset_peak_memory(self._device)
            self._is_interrupted = False

    def restart(self) -> None:
        """Forget what was measured so far."""
        reset_peak_memory(self._device)
        self.bytes = 0

    def note(self) -> int:
        """After a step: the largest of all so far, in bytes."""
        self.bytes = max(self.bytes, peak_memory_bytes(self._device))
        return self.bytes
