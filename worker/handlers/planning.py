"""How a training meets the machine that this worker runs on: what a plan needs to know of it, and what follows when the
training does not fit it."""

import logging
from functools import partial
from typing import Any

from app.machine.devices import Device
from app.trainings import attempts
from app.trainings.errors import DeviceTooSmall
from worker.context import WorkerContext
from worker.engines.contracts import EngineError
from worker.job_run import JobRun

log = logging.getLogger("livery.worker")


def device_of(context: WorkerContext) -> Device | None:
    """None where its memory is not known."""
    facts = context.device
    if facts.memory_bytes is None:
        return None
    return Device(facts.name, facts.kind, facts.memory_bytes, facts.tera_operations, facts.computes_in)


def suited(job: JobRun, recipe: Any) -> Any:
    """The recipe as it can be done on this worker's device, which need not be the one that it was planned for.

    Raises ``EngineError`` (``device_too_small``), ``LeaseLost``.
    """
    device = device_of(job.context)
    if device is None:
        return recipe
    try:
        return job.write(partial(attempts.replan, claim=job.claim, device=device))
    except DeviceTooSmall as error:
        raise EngineError("device_too_small", error.sentence) from error


def fallen_back(job: JobRun, error: EngineError) -> tuple[Any, JobRun]:
    """The recipe to go on with after ``error``, and the attempt with its last checkpoint: with the base in fewer bits
    where the memory ran out and that helps.

    Raises ``error`` where it does not help, ``LeaseLost``.
    """
    device = device_of(job.context)
    if error.code != "out_of_memory" or device is None:
        raise error
    found = job.write(partial(attempts.fall_back, claim=job.claim, device=device))
    if found is None:
        raise error
    log.warning("out of memory; going on with the base quantised further: %s", error)
    return found, job.from_latest_checkpoint()
