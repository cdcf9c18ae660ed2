"""Muon for weight matrices, AdamW for the rest.

Muon (Jordan et al. 2024, https://kellerjordan.github.io/posts/muon) orthogonalises the momentum of every matrix with a
Newton-Schulz iteration. Convolution kernels are taken as matrices (out, in * kh * kw). Step sizes are scaled as in
Liu et al. 2025 (arXiv:2502.16982), 0.2 * sqrt(max(out, in)), so that one learning rate fits both halves.
"""

import torch
import torch.distributed as dist
from torch import Tensor, nn

from worker.engines.image.builtin.making.training.precision import fastest

_COEFFICIENTS = (3.4445, -4.7750, 2.0315)


def orthogonalise(matrix: Tensor, steps: int = 5) -> Tensor:
    """The nearest matrix of about orthonormal rows or columns, in the device's fastest precision; `matrix` is
    (m, n).
    """
    a, b, c = _COEFFICIENTS
    x = matrix.to(fastest(matrix.device.type))
    flip = x.shape[0] > x.shape[1]
    if flip:
        x = x.T
    x = x / (x.norm() + 1e-7)
    for _ in range(steps):
        gram = x @ x.T
        x = a * x + (b * gram + c * gram @ gram) @ x
    return x.T if flip else x


class Muon(torch.optim.Optimizer):
    """Muon with Nesterov momentum and decoupled weight decay over tensors of two or more dimensions.

    Where torch.distributed runs, gradients must be the same in every process; each orthogonalises its share of the
    matrices, and the results are exchanged.
    """

    def __init__(
        self, params: list[nn.Parameter], lr: float, momentum: float = 0.95, weight_decay: float = 0.0
    ) -> None:
        super().__init__(params, {"lr": lr, "momentum": momentum, "weight_decay": weight_decay})

    @torch.no_grad()
    def step(self, closure: None = None) -> None:  # type: ignore[override]
        shared = dist.is_available() and dist.is_initialized()
        rank, size = (dist.get_rank(), dist.get_world_size()) if shared else (0, 1)
        for group in self.param_groups:
            params = [p for p in group["params"] if p.grad is not None]
            owners = _owners(params, size)
            directions: list[Tensor] = []
            for p, owner in zip(params, owners, strict=True):
                state = self.state[p]
                if "momentum" not in state:
                    state["momentum"] = torch.zeros_like(p)
                buffer = state["momentum"]
                buffer.lerp_(p.grad, 1 - group["momentum"])
                if owner == rank:
                    update = p.grad.lerp(buffer, group["momentum"]).flatten(1)
                    directions.append(orthogonalise(update).float().reshape(-1))
                else:
                    directions.append(torch.zeros(p.numel(), device=p.device))
            if shared:
                flat = torch.cat(directions)
                dist.all_reduce(flat)
                directions = list(flat.split([p.numel() for p in params]))
            for p, direction in zip(params, directions, strict=True):
                scale = 0.2 * max(p.shape[0], p.numel() // p.shape[0]) ** 0.5
                p.mul_(1 - group["lr"] * group["weight_decay"])
                p.add_(direction.view(p.shape), alpha=-group["lr"] * scale)


def _owners(params: list[nn.Parameter], size: int) -> list[int]:
    """Which process orthogonalises which matrix: the dearest first, each to the one with the least work."""
    cost = [min(p.shape[0], p.numel() // p.shape[0]) * p.numel() for p in params]
    load, owners = [0] * size, [0] * len(params)
    for i in sorted(range(len(params)), key=lambda i: -cost[i]):
        owners[i] = load.index(min(load))
        load[owners[i]] += cost[i]
    return owners


class Pair:
    """Both optimisers as one: `step`, `zero_grad`, `set_lr`, `state_dict`, `load_state_dict`."""

    def __init__(self, module: nn.Module, lr: float, weight_decay: float = 0.01, muon: bool = True) -> None:
        """Muon takes trainable weights of two or more dimensions except embeddings; AdamW takes the others."""
        embeddings = {id(m.weight) for m in module.modules() if isinstance(m, nn.Embedding)}
        trained = [p for p in module.parameters() if p.requires_grad]
        matrices = [p for p in trained if muon and p.ndim >= 2 and id(p) not in embeddings]
        taken = {id(p) for p in matrices}
        others = [p for p in trained if id(p) not in taken]
        self.parts: list[torch.optim.Optimizer] = []
        if matrices:
            self.parts.append(Muon(matrices, lr, weight_decay=weight_decay))
        if others:
            self.parts.append(torch.optim.AdamW(others, lr, betas=(0.9, 0.99), weight_decay=weight_decay, fused=True))

    def step(self) -> None:
        for part in self.parts:
            part.step()

    def zero_grad(self) -> None:
        for part in self.parts:
            part.zero_grad(set_to_none=True)

    def set_lr(self, lr: float) -> None:
        for part in self.parts:
            for group in part.param_groups:
                group["lr"] = lr

    def state_dict(self) -> list[dict]:
        return [part.state_dict() for part in self.parts]

    def load_state_dict(self, states: list[dict]) -> None:
        for part, state in zip(self.parts, states, strict=True):
            part.load_state_dict(state)
