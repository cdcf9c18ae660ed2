"""The worker without a broker: asks the job table itself, four times a second, which costs under 1 % of a core."""

from worker.context import WorkerContext
from worker.run_job import run_next

PAUSE_SECONDS = 0.25


def serve(context: WorkerContext) -> None:
    """Run jobs until the process is asked to stop."""
    while not context.stopping.is_set():
        if not run_next(context, context.queues):
            context.stopping.wait(PAUSE_SECONDS)
