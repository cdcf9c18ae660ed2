"""Half precision where it is faster: processors without instructions for bfloat16 take many times as long with it."""

import contextlib
import time
from functools import cache
from typing import Any

import torch
import torch.nn.functional as F


@cache
def fastest(kind: str) -> torch.dtype:
    """bfloat16 or float32, whichever a device of that kind ("cpu", "cuda") computes in faster.

    A card says so; a processor is timed on a convolution like the denoiser's, for some hundredths of a second.
    """
    if kind == "cuda":
        return torch.bfloat16 if torch.cuda.is_bf16_supported(including_emulation=False) else torch.float32
    return min((torch.float32, torch.bfloat16), key=_seconds)


def autocast(device: torch.device) -> Any:
    """A context in which models of float32 weights compute in the fastest precision."""
    if fastest(device.type) == torch.float32:
        return contextlib.nullcontext()
    return torch.autocast(device.type, torch.bfloat16)


@torch.no_grad()
def _seconds(dtype: torch.dtype) -> float:
    """The best of three convolutions, after one to warm up."""
    x, weight = torch.ones(8, 128, 8, 8).to(dtype), torch.ones(128, 128, 3, 3).to(dtype)
    taken = []
    for _ in range(4):
        began = time.perf_counter()
        F.conv2d(x, weight, padding=1)
        taken.append(time.perf_counter() - began)
    return min(taken[1:])
