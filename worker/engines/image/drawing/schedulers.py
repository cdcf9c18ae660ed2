"""The samplers people may choose by name, each built from the base model's own noise schedule."""

import math
from typing import Any

import torch
from diffusers import (
    DDIMScheduler,
    DPMSolverMultistepScheduler,
    EulerAncestralDiscreteScheduler,
    EulerDiscreteScheduler,
    FlowMatchEulerDiscreteScheduler,
    UniPCMultistepScheduler,
)

from worker.engines.contracts import EngineError

DEFAULT = "default"
BY_NAME: dict[str, Any] = {
    "ddim": DDIMScheduler,
    "euler": EulerDiscreteScheduler,
    "euler_a": EulerAncestralDiscreteScheduler,
    "dpmpp_2m": DPMSolverMultistepScheduler,
    "unipc": UniPCMultistepScheduler,
}
FLOW_BY_NAME = ("euler", "dpmpp_2m", "unipc")


def fresh(name: str, own: Any) -> Any:
    """A new scheduler of that name with the noise schedule and prediction type of ``own``, the base model's.

    New each time, because schedulers carry state from step to step. Raises ``EngineError`` (``unknown_scheduler``).
    """
    check(name)
    if name == DEFAULT:
        return type(own).from_config(own.config)
    return BY_NAME[name].from_config(own.config)


def check(name: str) -> None:
    """Raises ``EngineError`` (``unknown_scheduler``) for a name that ``fresh`` does not know."""
    if name != DEFAULT and name not in BY_NAME:
        known = ", ".join([DEFAULT, *sorted(BY_NAME)])
        raise EngineError("unknown_scheduler", f"There is no sampler called “{name}”. Choose one of: {known}.")


def flow(name: str, own: Any, steps: int, mu: float, device: torch.device) -> Any:
    """A scheduler of that name for a flow model, with its ``steps`` set from noise to picture.

    ``own`` is the base model's, ``mu`` the logarithm of the shift for this size of picture; a base whose scheduler has
    a fixed shift keeps to that. Raises ``EngineError`` (``unknown_scheduler``).
    """
    check_flow(name)
    settings = own.config
    if name in (DEFAULT, "euler"):
        scheduler = FlowMatchEulerDiscreteScheduler.from_config(settings)
        # The levels as the authors of FLUX space them: the last step starts at 1 / steps.
        levels = [1 - index / steps for index in range(steps)]
        scheduler.set_timesteps(sigmas=levels, device=device, mu=mu if settings.use_dynamic_shifting else None)
        return scheduler
    shift = math.exp(mu) if settings.use_dynamic_shifting else settings.shift
    scheduler = BY_NAME[name](
        num_train_timesteps=settings.num_train_timesteps,
        prediction_type="flow_prediction",
        use_flow_sigmas=True,
        flow_shift=shift,
    )
    scheduler.set_timesteps(steps, device=device)
    return scheduler


def check_flow(name: str) -> None:
    """Raises ``EngineError`` (``unknown_scheduler``) for a name that ``flow`` does not know."""
    if name != DEFAULT and name not in FLOW_BY_NAME:
        known = ", ".join([DEFAULT, *FLOW_BY_NAME])
        raise EngineError("unknown_scheduler", f"There is no sampler called “{name}”. Choose one of: {known}.")
