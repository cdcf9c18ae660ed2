"""How much memory this process has just now, and how the system gets back what it no longer needs."""

import contextlib
import ctypes
import os
from pathlib import Path

_ARENA_MAX = -8
"""``M_ARENA_MAX`` of glibc's ``mallopt``."""
ARENAS = 2


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


def keep_memory_together() -> None:
    """Let all threads share two arenas, where the system's C library is glibc. By itself it makes up to eight for each
    core, and what forty threads have freed stays scattered over them. Called before threads start."""
    with contextlib.suppress(OSError, AttributeError, TypeError):
        ctypes.CDLL(None).mallopt(_ARENA_MAX, ARENAS)
