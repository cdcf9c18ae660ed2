"""What every worker does beside its jobs: report itself, return jobs of dead workers, wake queues again, sweep."""

import logging
import threading
from collections.abc import Callable
from datetime import timedelta

from app.adapters.imports import service as imports
from app.brand_kits.guidelines import service as guidelines
from app.db import DATABASE_AWAY
from app.gallery import judging
from app.gallery import service as gallery
from app.images import service as images
from app.jobs import outcomes, queries
from app.jobs import workers as job_workers
from app.jobs.notifier import Notifier
from app.machine.memory import process_memory
from app.operations import orphans
from app.voice import service as voice
from worker.context import WorkerContext
from worker.files import base_upkeep
from worker.process import leftovers

TICK_SECONDS = 10.0
WAKE_UP_LOST_AFTER = timedelta(seconds=5)
SWEEP_EVERY_SECONDS = 3600.0
FIRST_SWEEP_SECONDS = 60.0
UNDO_FOR = timedelta(days=7)
log = logging.getLogger("livery.worker")


def tick(context: WorkerContext, notifier: Notifier) -> None:
    """One round. Safe to run in many processes at once."""
    with context.database.note() as session:
        job_workers.report_worker(
            session,
            context.worker_id,
            queues=context.queues,
            device=context.device.name,
            device_kind=context.device.kind,
            device_memory_bytes=context.device.memory_bytes,
            device_tera_operations=context.device.tera_operations,
            device_computes_in=context.device.computes_in,
            job_id=context.job_id,
            memory_bytes=process_memory(),
            free_bytes=context.disk.free(),
            short_of_disk=context.disk.is_short(),
        )
    base_upkeep.tick(context)
    with context.database.write() as session:
        returned = outcomes.reap(session)
    if returned:
        log.warning("%d jobs of lost workers returned to the queue or set aside", returned)
    with context.database.read() as session:
        waiting = queries.queues_waiting(session, older_than=WAKE_UP_LOST_AFTER)
    for queue in waiting:
        notifier.notify(queue)


def sweep(context: WorkerContext) -> None:
    """Remove for good what was deleted a week ago, and what nobody points at or needs any more."""
    database, storage = context.database, context.storage
    swept = {
        "deleted visuals": gallery.sweep_deleted(database, storage, older_than=UNDO_FOR),
        "changes of visuals that could be undone": judging.forget_changes(database, older_than=UNDO_FOR),
        "deleted texts": voice.sweep_deleted(database, storage, older_than=UNDO_FOR),
        "deleted pictures": images.sweep_deleted(database, storage, older_than=UNDO_FOR),
        "checkpoints of ended trainings": orphans.sweep_checkpoints(database, storage),
        "proposals of brand guidelines": guidelines.sweep_old(database, storage),
        "imported adapter files": imports.sweep_old(database, storage),
        "folders of base models that nobody uses": base_upkeep.sweep_unused(context),
        "folders of killed jobs": leftovers.sweep_job_folders(),
        "cached adapters that are gone": leftovers.sweep_cache(context),
    }
    with database.write() as session:
        job_workers.forget_the_past(session)
        is_our_turn = orphans.take_turn(session)
    if is_our_turn:
        swept["files that no row points to"] = orphans.sweep(database, storage)
    for what, count in swept.items():
        if count:
            log.info("removed: %d %s", count, what)


def keep_ticking(context: WorkerContext, notifier: Notifier) -> list[threading.Thread]:
    """Start what a worker does beside its jobs, until the process stops: the round that reports and returns lost jobs,
    and the sweep in a thread of its own, because it may take minutes and the round must not wait for it."""
    return [
        _keep_up("upkeep", lambda: tick(context, notifier), context.stopping, every=TICK_SECONDS, after=0.0),
        _keep_up(
            "sweep", lambda: sweep(context), context.stopping, every=SWEEP_EVERY_SECONDS, after=FIRST_SWEEP_SECONDS
        ),
    ]


def _keep_up(
    name: str, action: Callable[[], None], stopping: threading.Event, *, every: float, after: float
) -> threading.Thread:
    def loop() -> None:
        pause = after
        while not stopping.wait(pause):
            pause = every
            try:
                action()
            except DATABASE_AWAY as error:
                log.warning("%s: the database does not answer: %s", name, str(error)[:200])
            except Exception:
                log.exception("%s: this round went wrong", name)  # a worker whose lease nobody watches is worse

    thread = threading.Thread(target=loop, name=name, daemon=True)
    thread.start()
    return thread
