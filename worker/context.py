"""What a worker process carries from job to job."""

import logging
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar

from sqlalchemy.exc import OperationalError
from sqlalchemy.orm import Session

from app.db import Database
from app.storage import Storage

T = TypeVar("T")
PATIENCE_SECONDS = 600.0
log = logging.getLogger("livery.worker")


@dataclass
class WorkerContext:
    """One per worker process."""

    database: Database
    storage: Storage
    worker_id: str
    lanes: tuple[str, ...]
    cache_folder: Path
    """Local files that may be fetched again at any time, such as adapters in use."""
    device: str = ""
    """The device's name for people, such as ``NVIDIA H100`` or ``CPU (2 cores)``."""
    stopping: threading.Event = field(default_factory=threading.Event)
    """Set when this process has been asked to end."""
    job_id: str | None = None
    """The job being worked on."""

    def write(self, action: Callable[[Session], T]) -> T:
        """Run ``action`` in one transaction; while the database does not answer, wait and try again.

        Computing goes on to be worth something only if its result is kept, and nobody else can claim the job either
        while the database is away. Raises the last ``OperationalError`` after ten minutes.
        """
        deadline, pause = time.monotonic() + PATIENCE_SECONDS, 0.5
        while True:
            try:
                with self.database.write() as session:
                    return action(session)
            except OperationalError as error:
                if time.monotonic() > deadline:
                    raise
                log.warning("database away, trying again in %.1f s: %s", pause, str(error)[:200])
                time.sleep(pause)
                pause = min(10.0, pause * 2)
