"""The worker process itself: everything that it needs is put together here, and taken apart again."""

import contextlib
import json
import logging
import os
import secrets
import signal
import socket
import sys
import tempfile
from pathlib import Path

from app.db import DATABASE_AWAY, Database
from app.jobs import claims, outcomes
from app.jobs import workers as job_workers
from app.jobs.kinds import QUEUES
from app.jobs.notifier import notifier_for, notify_after_commit
from app.logs import start_logging
from app.machine.disk import DiskWatch
from app.settings import Settings
from app.startup import keep_private
from app.storage import open_storage
from worker import poll_loop
from worker.context import WorkerContext
from worker.engines.device import measure_device
from worker.process.supervisor import WRONG_USAGE, Pulse
from worker.process.upkeep import keep_ticking

log = logging.getLogger("livery.worker")


def main(named_queues: str, pulse: Pulse, crash_report: str) -> None:
    """Serve these queues (all where none is named) until asked to end. ``crash_report`` is the supervisor's about the
    process before this one: the claim that it held when it died, and how it died."""
    queues = tuple(named_queues.split("+")) if named_queues else tuple(QUEUES)
    if not set(queues) <= set(QUEUES):
        sys.stderr.write(f"python -m worker: queues are {', '.join(QUEUES)}\n")
        raise SystemExit(WRONG_USAGE)
    settings = Settings()
    start_logging(settings.log_level)
    keep_private(settings)
    context = WorkerContext(
        database=Database(settings.effective_database_url),
        storage=open_storage(settings),
        worker_id=f"{socket.gethostname()[:40]}-{os.getpid()}-{secrets.token_hex(3)}",
        queues=queues,
        settings=settings,
        cache_folder=settings.data_dir / "worker-cache",
        disk=DiskWatch(settings.data_dir, Path(tempfile.gettempdir()), floor_mb=settings.disk_floor_mb),
        holds=pulse.holds,
    )
    context.device = measure_device()
    notifier = notifier_for(settings.broker_url)
    notify_after_commit(notifier)
    for name in (signal.SIGTERM, signal.SIGINT):  # Celery puts its own in their place
        signal.signal(name, lambda *_: context.stopping.set())
    if crash_report:
        _report_crash(context, **json.loads(crash_report))
    ticking = keep_ticking(context, notifier)
    try:
        if settings.broker_url:
            from worker import celery_app

            celery_app.serve(celery_app.make_celery(settings.broker_url, context), context)
        else:
            poll_loop.serve(context)
    finally:
        context.stopping.set()
        for thread in ticking:
            thread.join(timeout=5)
        with contextlib.suppress(*DATABASE_AWAY):  # forgotten a minute later anyway
            context.write(lambda session: job_workers.forget_worker(session, context.worker_id))


def _report_crash(context: WorkerContext, *, worker_id: str, job_id: str, fence: int, how: str) -> None:
    """Give back the job of the process before this one, which died with it, and forget that process."""
    log.error("the worker %s died (%s) while it worked on job %s", worker_id, how, job_id)
    try:
        context.write(
            lambda session: outcomes.mark_lost(session, job_id=job_id, fence=fence, failure=outcomes.FAILURES[how])
        )
    except claims.LeaseLost:
        log.info("job %s went on without it", job_id)
    except DATABASE_AWAY:
        log.warning("job %s goes on when its lease has run out", job_id)
    with contextlib.suppress(*DATABASE_AWAY):
        context.write(lambda session: job_workers.forget_worker(session, worker_id))
