"""Training in one process per core: gradients are averaged, so all processes hold the same weights.

Processes of one thread each, rather than threads that wait for each other at every operation, keep their speed when the
machine has other work.
"""

import os
import socket
from collections.abc import Callable
from typing import Any

import torch
import torch.distributed as dist
import torch.multiprocessing as mp
from torch import Tensor, nn


def run(worker: Callable[..., None], processes: int, *args: Any) -> None:
    """Call `worker(rank, size, *args)` in that many processes; in this one where one is asked for or a GPU is there.

    `worker` must be a function of a module. Raises what a process raised.
    """
    if processes == 1 or torch.cuda.is_available():
        worker(0, 1, *args)
        return
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        os.environ["MASTER_ADDR"], os.environ["MASTER_PORT"] = "127.0.0.1", str(probe.getsockname()[1])
    mp.spawn(_joined, (processes, worker, args), nprocs=processes)


def _joined(rank: int, size: int, worker: Callable[..., None], args: tuple[Any, ...]) -> None:
    torch.set_num_threads(1)
    # Gradients hold many numbers below 1e-38, each of which takes a processor a hundred times as long as others do:
    # a backward pass of the denoiser takes half the time without them, and Muon's step a third.
    torch.set_flush_denormal(True)
    dist.init_process_group("gloo", rank=rank, world_size=size)
    worker(rank, size, *args)
    dist.barrier()
    dist.destroy_process_group()


@torch.no_grad()
def average(module: nn.Module, extra: Tensor) -> Tensor:
    """Average the gradients of `module` in place, and the numbers `extra` (n,), over all processes; returns the
    numbers.
    """
    if not dist.is_initialized():
        return extra
    grads = [p.grad for p in module.parameters() if p.grad is not None]
    flat = torch.cat([*(g.reshape(-1) for g in grads), extra])
    dist.all_reduce(flat)
    flat /= dist.get_world_size()
    for g, part in zip(grads, flat[: -len(extra)].split([g.numel() for g in grads]), strict=True):
        g.copy_(part.view(g.shape))
    return flat[-len(extra) :]
