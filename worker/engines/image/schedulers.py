"""The samplers people may choose by name, each built from the base model's own noise schedule."""

from typing import Any

from diffusers import (
    DDIMScheduler,
    DPMSolverMultistepScheduler,
    EulerAncestralDiscreteScheduler,
    EulerDiscreteScheduler,
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


def fresh(name: str, own: Any) -> Any:
    """A new scheduler of that name with the noise schedule and prediction type of ``own``, the base model's.

    New each time, because schedulers carry state from step to step. Raises ``EngineError`` (``unknown_scheduler``).
    """
    if name == DEFAULT:
        return type(own).from_config(own.config)
    if name not in BY_NAME:
        known = ", ".join([DEFAULT, *sorted(BY_NAME)])
        raise EngineError("unknown_scheduler", f"There is no sampler called “{name}”. Choose one of: {known}.")
    return BY_NAME[name].from_config(own.config)
