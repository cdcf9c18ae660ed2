"""What a plan needs to know of the machine that this worker runs on."""

from app.trainings.planner import Device
from worker.context import WorkerContext


def device_of(context: WorkerContext) -> Device | None:
    """None where its memory is not known."""
    facts = context.device
    if facts.memory_bytes is None:
        return None
    return Device(facts.name, facts.kind, facts.memory_bytes, facts.tera_operations, facts.computes_in)
