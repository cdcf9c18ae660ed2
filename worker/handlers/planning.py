"""How an order meets the machine that this worker runs on: what a plan needs to know of it, and what follows when the
order does not fit it."""

import logging
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import TypeVar

from app.jobs import service as jobs
from app.jobs.service import Claim
from app.trainings.errors import DeviceTooSmall
from app.trainings.look.planner import Device
from worker.context import WorkerContext
from worker.engines.contracts import EngineError

Recipe = TypeVar("Recipe")
log = logging.getLogger("livery.worker")


def device_of(context: WorkerContext) -> Device | None:
    """None where its memory is not known."""
    facts = context.device
    if facts.memory_bytes is None:
        return None
    return Device(facts.name, facts.kind, facts.memory_bytes, facts.tera_operations, facts.computes_in)


def suited(context: WorkerContext, claim: Claim, recipe: Recipe, plan_for_taker: Callable[..., Recipe]) -> Recipe:
    """The recipe as it can be done on this worker's device, which need not be the one that it was planned for.

    ``plan_for_taker(session, claim, device)`` plans and keeps it. Raises ``EngineError`` (``device_too_small``),
    ``LeaseLost``.
    """
    device = device_of(context)
    if device is None:
        return recipe
    try:
        return context.write(partial(plan_for_taker, claim=claim, device=device))
    except DeviceTooSmall as error:
        raise EngineError("device_too_small", error.sentence) from error


def coarser(
    context: WorkerContext, claim: Claim, error: EngineError, fall_back: Callable[..., Recipe | None]
) -> tuple[Recipe, Claim]:
    """The recipe to go on with after ``error``, and the claim with the last checkpoint: over a coarser base where the
    memory ran out and there is one.

    ``fall_back(session, claim, device)`` plans and keeps it. Raises ``error`` where that does not help, ``LeaseLost``.
    """
    device = device_of(context)
    if error.code != "out_of_memory" or device is None:
        raise error
    found = context.write(partial(fall_back, claim=claim, device=device))
    if found is None:
        raise error
    log.warning("out of memory; going on with a coarser base: %s", error)
    return found, replace(claim, checkpoint=context.read(partial(jobs.checkpoint_of, job_id=claim.job_id)))
