"""How much memory this process has just now."""

import os
from pathlib import Path


def process_memory() -> int | None:
    """Resident bytes; None where the system does not say (it does on Linux)."""
    try:
        pages = int(Path("/proc/self/statm").read_text().split()[1])
    except (OSError, IndexError, ValueError):
        return None
    return pages * os.sysconf("SC_PAGE_SIZE")
