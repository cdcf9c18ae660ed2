"""``python -m worker --lanes training+generation``: one worker process."""

import argparse
import contextlib
import os
import secrets
import signal
import socket
import tempfile
import threading
from pathlib import Path

from app.db import DATABASE_AWAY, Database
from app.disk import DiskWatch
from app.jobs import service as jobs
from app.jobs.announce import bell_for, ring_after_commit
from app.jobs.models import LANES
from app.logs import start_logging
from app.settings import Settings
from app.storage import open_storage
from worker import poll_loop
from worker.context import WorkerContext
from worker.engines.device import device_name
from worker.upkeep import keep_ticking


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m worker", description=__doc__)
    parser.add_argument("--lanes", default="+".join(LANES), help="lanes to serve, joined by + (default: all)")
    parser.add_argument("--end-with-parent", action="store_true", help="stop when standard input closes")
    arguments = parser.parse_args()
    lanes = tuple(arguments.lanes.split("+"))
    if not set(lanes) <= set(LANES):
        parser.error(f"lanes are {', '.join(LANES)}")

    # Two workers share one processor on the embedded default: threads that wait must sleep, not spin, or both crawl.
    # Read by the model libraries when they are loaded, which happens below.
    os.environ.setdefault("OMP_WAIT_POLICY", "passive")
    settings = Settings()
    start_logging(settings.log_level)
    context = WorkerContext(
        database=Database(settings.effective_database_url),
        storage=open_storage(settings),
        worker_id=f"{socket.gethostname()[:40]}-{os.getpid()}-{secrets.token_hex(3)}",
        lanes=lanes,
        cache_folder=settings.data_dir / "worker-cache",
        disk=DiskWatch(settings.data_dir, Path(tempfile.gettempdir()), floor_mb=settings.disk_floor_mb),
    )
    if arguments.end_with_parent:
        threading.Thread(target=_end_with_parent, args=(context,), daemon=True).start()
    context.device = device_name()
    bell = bell_for(settings.broker_url)
    ring_after_commit(bell)
    for name in (signal.SIGTERM, signal.SIGINT):  # Celery puts its own in their place
        signal.signal(name, lambda *_: context.stopping.set())
    ticking = keep_ticking(context, bell)
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
            context.write(lambda session: jobs.forget_worker(session, context.worker_id))


def _end_with_parent(context: WorkerContext) -> None:
    """The supervisor holds the other end of our standard input; when it is gone, so is our reason to run."""
    # Not through sys.stdin: its lock, held here when the process ends, would turn a clean end into a crash.
    while os.read(0, 1024):
        pass
    context.stopping.set()
    os.kill(os.getpid(), signal.SIGTERM)


if __name__ == "__main__":
    main()
