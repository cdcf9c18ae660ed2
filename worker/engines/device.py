"""Which device this process computes on. Imports torch when asked, not before."""

import os


def device_name() -> str:
    """A name for people: the card's, or the processor with its number of usable cores."""
    import torch

    if torch.cuda.is_available():
        return str(torch.cuda.get_device_name(0))
    return f"CPU ({len(os.sched_getaffinity(0))} cores)" if hasattr(os, "sched_getaffinity") else "CPU"
