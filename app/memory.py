"""How much memory this process has just now, and how the system gets back what it no longer needs."""

import ctypes
import os
from pathlib import Path


def process_memory() -> int | None:
    """Resident bytes; None where the system does not say (it does on Linux)."""
    try:
        pages = int(Path("/proc/self/statm").read_text().split()[1])
    except (OSError, IndexError, ValueError):
        return None
    return pages * os.sysconf("SC_PAGE_SIZE")


def give_back_freed() -> None:
    """Hand freed memory to the system. glibc keeps it for the process's next need, half a gigabyte after a training;
    does nothing where the C library is another one."""
    try:
        trim = ctypes.CDLL(None).malloc_trim
    except (AttributeError, OSError, TypeError):  # musl and macOS have no such function, Windows no such library
        return
    trim(0)
