"""Workers as they report themselves: what they serve, whether they take jobs, and what is forgotten about them."""

from datetime import timedelta

from sqlalchemy import delete
from sqlalchemy.orm import Session

from app.db import now
from app.errors import NotFound
from app.jobs import scheduling
from app.jobs.models import DeviceHour, LeaseExpiry, Worker

WORKERS_KEPT = timedelta(days=1)
EXPIRIES_KEPT = timedelta(days=30)


def report_worker(
    session: Session,
    worker_id: str,
    *,
    queues: tuple[str, ...],
    device: str,
    job_id: str | None,
    memory_bytes: int | None = None,
    free_bytes: int | None = None,
    short_of_disk: bool = False,
    device_kind: str = "cpu",
    device_memory_bytes: int | None = None,
    device_tera_operations: float | None = None,
    device_computes_in: str | None = None,
) -> None:
    """Note that a worker is alive and what it does."""
    worker = session.get(Worker, worker_id)
    if worker is None:
        worker = Worker(id=worker_id, started_at=now())
        session.add(worker)
    worker.served, worker.device, worker.last_seen_at, worker.job_id = "+".join(queues), device, now(), job_id
    worker.memory_bytes, worker.free_bytes, worker.short_of_disk = memory_bytes, free_bytes, short_of_disk
    worker.device_kind, worker.device_memory_bytes = device_kind, device_memory_bytes
    worker.device_tera_operations, worker.device_computes_in = device_tera_operations, device_computes_in
    session.flush()


def drain(session: Session, worker_id: str, *, draining: bool) -> None:
    """Let a worker finish its job and take no more, or take jobs again. Raises ``NotFound``."""
    worker = session.get(Worker, worker_id)
    if worker is None:
        raise NotFound()
    worker.draining = draining
    session.flush()


def forget_worker(session: Session, worker_id: str) -> None:
    session.execute(delete(Worker).where(Worker.id == worker_id))


def forget_the_past(session: Session) -> None:
    """Drop workers that have not been heard of for a day, device hours that scheduling does not look at any more, and
    lease expiries that are a month old."""
    session.execute(delete(Worker).where(Worker.last_seen_at < now() - WORKERS_KEPT))
    session.execute(delete(DeviceHour).where(DeviceHour.hour < now() - 2 * scheduling.FAIR_OVER))
    session.execute(delete(LeaseExpiry).where(LeaseExpiry.at < now() - EXPIRIES_KEPT))
