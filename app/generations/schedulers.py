"""The samplers that a request may name, as data. The engines build them in ``drawing.schedulers``."""

from dataclasses import dataclass

from app.base_models.catalogue import BaseModelEntry

OWN = "default"
"""Keeps the base model's own."""


@dataclass(frozen=True)
class Scheduler:
    key: str
    name: str
    """Other programs' name for the scheduler."""
    for_flow: bool
    """Whether it draws with flow models too; all of them draw with the others."""


SCHEDULERS = (
    Scheduler("euler", "Euler", for_flow=True),
    Scheduler("euler_a", "Euler a", for_flow=False),
    Scheduler("dpmpp_2m", "DPM++ 2M", for_flow=True),
    Scheduler("unipc", "UniPC", for_flow=True),
    Scheduler("ddim", "DDIM", for_flow=False),
)
KEYS = (OWN, *(one.key for one in SCHEDULERS))


def fitting(base: BaseModelEntry) -> tuple[Scheduler, ...]:
    """Those that draw with this base, its own aside."""
    return tuple(one for one in SCHEDULERS if one.for_flow or not base.is_flow)


def fits(key: str, base: BaseModelEntry) -> bool:
    return key == OWN or key in [one.key for one in fitting(base)]


def scheduler_name(key: str) -> str:
    """Other programs' name for the scheduler; the key itself where they have none."""
    return next((one.name for one in SCHEDULERS if one.key == key), key)
