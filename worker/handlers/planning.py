"""How an order meets the machine that this worker runs on: what a plan needs to know of it, and what follows when the
order does not fit it."""

import logging
from collections.abc import Callable
from functools import partial
from typing import TypeVar

from app.trainings.errors import DeviceTooSmall
from app.trainings.look.planner import Device
from worker.context import WorkerContext
from worker.engines.contracts import EngineError
from worker.job_run import JobRun

Recipe = TypeVar("Recipe")
log = logging.getLogger("livery.worker")


def device_of(context: WorkerContext) -> Device | None:
    """None where its memory is not known."""
    facts = context.device
    if facts.memory_bytes is None:
        return None
    return Device(facts.name, facts.kind, facts.memory_bytes, facts.tera_operations, facts.computes_in)


def suited(job: JobRun, recipe: Recipe, plan_for_taker: Callable[..., Recipe]) -> Recipe:
    """The recipe as it can be done on this worker's device, which need not be the one that it was planned for.

    ``plan_for_taker(session, claim, device)`` plans and keeps it. Raises ``EngineError`` (``device_too_small``),
    ``LeaseLost``.
    """
    device = device_of(job.context)
    if device is None:
        return recipe
    try:
        return job.write(partial(plan_for_taker, claim=job.claim, device=device))
    except DeviceTooSmall as error:
        raise EngineError("device_too_small", error.sentence) from error


def coarser(job: JobRun, error: EngineError, fall_back: Callable[..., Recipe | None]) -> tuple[Recipe, JobRun]:
    """The recipe to go on with after ``error``, and the attempt with its last checkpoint: over a coarser base where
    the memory ran out and there is one.

    ``fall_back(session, claim, device)`` plans and keeps it. Raises ``error`` where that does not help, ``LeaseLost``.
    """
    device = device_of(job.context)
    if error.code != "out_of_memory" or device is None:
        raise error
    found = job.write(partial(fall_back, claim=job.claim, device=device))
    if found is None:
        raise error
    log.warning("out of memory; going on with a coarser base: %s", error)
    return found, job.from_latest_checkpoint()
