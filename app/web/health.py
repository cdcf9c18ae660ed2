"""Is this process alive, and can it do its work?

Liveness asks nothing but this process: who restarts it must not do so because a database is away. Readiness says part
by part what works. A queue without a worker and a disk that is nearly full are told, and do not make the web process
unready: its pages work, and an installation that is taken off the net for them would help nobody.
"""

import threading
import time
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from concurrent.futures import TimeoutError as TooSlow
from typing import Any

from fastapi import APIRouter, Request
from fastapi.responses import JSONResponse
from sqlalchemy import text
from sqlalchemy.exc import SQLAlchemyError

from app.db import Database
from app.jobs import queries as jobs
from app.jobs.kinds import QUEUES
from app.machine.disk import DiskWatch
from app.storage import Storage
from app.web.api.deferred_route import DeferredRoute

router = APIRouter(include_in_schema=False, route_class=DeferredRoute)
KEEP_SECONDS = 1.0
"""So long is an answer used again: anybody may ask, and asking must stay cheap."""
PATIENCE_SECONDS = 3.0


class Readiness:
    """Looks at everything that the web process needs, each part with its own limit of time."""

    def __init__(self, database: Database, storage: Storage, disk: DiskWatch) -> None:
        self._database, self._storage, self._disk = database, storage, disk
        self._pool = ThreadPoolExecutor(2, thread_name_prefix="readiness")
        self._asked: dict[str, Future[bool]] = {}
        self._lock = threading.Lock()
        self._last: tuple[float, dict[str, Any]] | None = None

    def look(self) -> dict[str, Any]:
        with self._lock:
            if self._last is None or time.monotonic() - self._last[0] > KEEP_SECONDS:
                self._last = (time.monotonic(), self._look())
            return self._last[1]

    def _look(self) -> dict[str, Any]:
        parts = {
            "database": self._in_time("database", self._is_writable),
            "storage": self._in_time("storage", self._storage.is_reachable),
        }
        return {
            "ok": all(parts.values()),
            **parts,
            "disk": not self._disk.is_short(),
            "disk_free_bytes": self._disk.free(),
            "workers": self._queues() if parts["database"] else dict.fromkeys(QUEUES),
        }

    def _in_time(self, name: str, look: Callable[[], bool]) -> bool:
        """False also when it takes too long; what hangs is not asked a second time meanwhile."""
        running = self._asked.get(name)
        if running is None or running.done():
            running = self._asked[name] = self._pool.submit(look)
        try:
            return running.result(PATIENCE_SECONDS)
        except TooSlow:
            return False

    def _is_writable(self) -> bool:
        try:
            with self._database.write() as session:
                if self._database.is_sqlite:
                    session.execute(text("SELECT 1"))  # after BEGIN IMMEDIATE, which a read-only file refuses
                    return True
                return bool(session.scalar(text("SHOW transaction_read_only")) == "off")
        except SQLAlchemyError:
            return False

    def _queues(self) -> dict[str, bool | None]:
        try:
            with self._database.read() as session:
                unserved = jobs.queues_without_worker(session)
        except SQLAlchemyError:
            return dict.fromkeys(QUEUES)
        return {queue: queue not in unserved for queue in QUEUES}


@router.get("/health/live")
def live() -> dict[str, bool]:
    return {"ok": True}


@router.get("/health/ready")
def ready(request: Request) -> JSONResponse:
    """200 when everything that the web process needs is there, else 503; the parts say what is missing."""
    found = request.app.state.readiness.look()
    return JSONResponse(found, 200 if found["ok"] else 503)
