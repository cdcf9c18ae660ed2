"""What a worker process carries from job to job."""

import logging
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar

from sqlalchemy.orm import Session

from app.db import DATABASE_AWAY, Database
from app.machine.disk import DiskWatch
from app.settings import Settings
from app.storage import Storage
from worker.engines.device import DeviceFacts
from worker.process.idle import Idle

T = TypeVar("T")
PATIENCE_SECONDS = 600.0
PATIENCE_WHILE_STOPPING_SECONDS = 10.0
log = logging.getLogger("livery.worker")


@dataclass
class WorkerContext:
    """One per worker process."""

    database: Database
    storage: Storage
    worker_id: str
    queues: tuple[str, ...]
    settings: Settings
    cache_folder: Path
    """Local files that may be fetched again at any time, such as adapters in use."""
    device: DeviceFacts = field(default_factory=DeviceFacts)
    stopping: threading.Event = field(default_factory=threading.Event)
    """Set when this process has been asked to end."""
    job_id: str | None = None
    """The job being worked on."""
    disk: DiskWatch = field(default_factory=lambda: DiskWatch(floor_mb=0))
    """The disk that jobs write to."""

    holds: Callable[..., None] = lambda **_: None
    """Tells the supervisor which claim this process holds."""
    idle: Idle = field(default_factory=Idle)
    device_lock: threading.Lock = field(default_factory=threading.Lock)
    """Held while a job runs: one at a time, whoever claimed it in this process."""

    def read(self, action: Callable[[Session], T]) -> T:
        """Run ``action`` in a session for reading, as patiently as ``write``."""

        def once() -> T:
            with self.database.read() as session:
                return action(session)

        return self._patiently(once)

    def write(self, action: Callable[[Session], T]) -> T:
        """Run ``action`` in one transaction; while the database does not answer, wait and try again.

        Computing goes on to be worth something only if its result is kept, and nobody else can claim the job either
        while the database is away. ``action`` may run again after a commit whose answer was lost, so it must bear that.
        Raises one of ``DATABASE_AWAY`` after ten minutes, or sooner when this process is to end.
        """

        def once() -> T:
            with self.database.write() as session:
                return action(session)

        return self._patiently(once)

    def note(self, action: Callable[[Session], T]) -> T:
        """Like ``write``, for what a power cut may take back (``Database.note``)."""

        def once() -> T:
            with self.database.note() as session:
                return action(session)

        return self._patiently(once)

    def _patiently(self, once: Callable[[], T]) -> T:
        began, pause = time.monotonic(), 0.5
        while True:
            try:
                return once()
            except DATABASE_AWAY as error:
                patience = PATIENCE_WHILE_STOPPING_SECONDS if self.stopping.is_set() else PATIENCE_SECONDS
                if time.monotonic() - began > patience:
                    raise
                log.warning("database away, trying again in %.1f s: %s", pause, str(error)[:200])
                time.sleep(pause)
                pause = min(5.0, pause * 2)
