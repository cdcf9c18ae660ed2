"""What every worker does beside its jobs: report itself, return jobs of dead workers, ring lost bells again, sweep."""

import logging
import threading
import time
from datetime import timedelta

from sqlalchemy.exc import OperationalError

from app.gallery import service as gallery
from app.images import service as images
from app.jobs import queries
from app.jobs import service as jobs
from app.jobs.announce import Bell
from worker.context import WorkerContext

TICK_SECONDS = 10.0
BELL_LOST_AFTER = timedelta(seconds=5)
SWEEP_EVERY_SECONDS = 3600.0
UNDO_FOR = timedelta(days=7)
log = logging.getLogger("livery.worker")


def tick(context: WorkerContext, bell: Bell) -> None:
    """One round. Safe to run in many processes at once."""
    with context.database.write() as session:
        jobs.report_worker(
            session, context.worker_id, lanes=context.lanes, device=context.device, job_id=context.job_id
        )
    with context.database.write() as session:
        returned = jobs.reap(session)
    if returned:
        log.warning("%d jobs of lost workers returned to the queue or set aside", returned)
    with context.database.read() as session:
        waiting = queries.lanes_waiting(session, older_than=BELL_LOST_AFTER)
    for lane in waiting:
        bell.ring(lane)


def sweep(context: WorkerContext) -> None:
    """Remove for good what was deleted a week ago."""
    swept = gallery.sweep_deleted(context.database, context.storage, older_than=UNDO_FOR)
    swept += images.sweep_deleted(context.database, context.storage, older_than=UNDO_FOR)
    if swept:
        log.info("%d deleted pictures removed for good", swept)


def keep_ticking(context: WorkerContext, bell: Bell) -> threading.Thread:
    """Start the thread that ticks until the process stops."""

    def loop() -> None:
        swept_at = time.monotonic() - SWEEP_EVERY_SECONDS + 60
        while True:
            try:
                tick(context, bell)
                if time.monotonic() - swept_at > SWEEP_EVERY_SECONDS:
                    swept_at = time.monotonic()
                    sweep(context)
            except OperationalError as error:
                log.warning("upkeep: the database does not answer: %s", str(error)[:200])
            if context.stopping.wait(TICK_SECONDS):
                return

    thread = threading.Thread(target=loop, name="upkeep", daemon=True)
    thread.start()
    return thread
