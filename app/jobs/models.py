"""Jobs and the workers that run them. The job row is the truth; a message is only a wake-up."""

import hashlib
from datetime import datetime
from typing import Any

from sqlalchemy import JSON, BigInteger, ColumnElement, Float, ForeignKey, Index, String, Text
from sqlalchemy.ext.hybrid import hybrid_property
from sqlalchemy.orm import Mapped, mapped_column

from app.db import ID_LENGTH, Base, new_id, now
from app.jobs.kinds import KINDS

STATES = ("queued", "running", "done", "failed", "cancelled")
ACTIVE_STATES = ("queued", "running")


class Job(Base):
    __tablename__ = "jobs"

    id: Mapped[str] = mapped_column(String(ID_LENGTH), primary_key=True, default=new_id)
    workspace_id: Mapped[str] = mapped_column(ForeignKey("workspaces.id", ondelete="CASCADE"))
    project_id: Mapped[str | None] = mapped_column(ForeignKey("projects.id", ondelete="CASCADE"))
    queue: Mapped[str] = mapped_column("lane", String(12))
    """Which workers may take it (``jobs.kinds.QUEUES``)."""
    kind: Mapped[str] = mapped_column(String(20))
    """Names the handler (``jobs.kinds.KINDS``)."""
    subject_id: Mapped[str] = mapped_column(String(ID_LENGTH), unique=True)
    """Id of the training or generation; one job each."""
    title: Mapped[str] = mapped_column(String(200), default="")
    """What people read on the jobs page, in their own words (a prompt, a brand's name)."""
    state: Mapped[str] = mapped_column(String(10), default="queued")
    priority: Mapped[int] = mapped_column(default=0)
    """Higher is claimed earlier."""
    created_by: Mapped[str | None] = mapped_column(ForeignKey("users.id", ondelete="SET NULL"))
    created_at: Mapped[datetime] = mapped_column(default=now)
    started_at: Mapped[datetime | None] = mapped_column(default=None)
    """Of the first attempt."""
    finished_at: Mapped[datetime | None] = mapped_column(default=None)
    attempt: Mapped[int] = mapped_column(default=0)
    attempts_without_progress: Mapped[int] = mapped_column(default=0)
    fence: Mapped[int] = mapped_column(default=0)
    """The fencing token: grows by one at each claim; every later write of the attempt names it, so that a late one is
    refused."""
    owner: Mapped[str | None] = mapped_column(String(80), default=None)
    lease_until: Mapped[datetime | None] = mapped_column(default=None)
    cancel_requested: Mapped[bool] = mapped_column(default=False)
    phase: Mapped[str] = mapped_column(String(20), default="")
    progress_done: Mapped[int] = mapped_column(default=0)
    progress_total: Mapped[int] = mapped_column(default=0)
    seconds_left: Mapped[float | None] = mapped_column(Float, default=None)
    """Measured from this job's own pace; None while there is none."""
    device_seconds: Mapped[float] = mapped_column(Float, default=0.0)
    results: Mapped[int] = mapped_column(default=0, server_default="0")
    """Grows with each result that a page shows, such as a picture: then the page is drawn anew."""
    checkpoint: Mapped[dict[str, Any] | None] = mapped_column(JSON, default=None)
    """``{"key": …, "step": …, "before": …}`` of the last complete checkpoint in storage, and of the one before it."""
    held_back: Mapped[str | None] = mapped_column(Text, default=None)
    """Why it went back to the queue, as a sentence; None while nothing but its turn is missing."""
    sealed_secret: Mapped[str | None] = mapped_column(Text, default=None)
    """What the worker must know and nobody else may, such as a hub's token (``app.sealing``). Empty once the job is
    over, however it ended; None where there was none."""
    error_code: Mapped[str | None] = mapped_column(String(40), default=None)
    error_sentence: Mapped[str | None] = mapped_column(Text, default=None)

    @hybrid_property
    def is_active(self) -> bool:
        """It waits or runs; in a query, the condition that it does."""
        return self.state in ACTIVE_STATES

    @is_active.inplace.expression
    @classmethod
    def _is_active(cls) -> ColumnElement[bool]:
        return cls.state.in_(ACTIVE_STATES)

    __table_args__ = (
        # A claim jumps through this index from one workspace that waits to the next.
        Index("ix_jobs_claim", "state", "lane", "workspace_id", "priority", "created_at", "id"),
        Index("ix_jobs_workspace", "workspace_id", "created_at", "id"),
        Index("ix_jobs_lease", "state", "lease_until"),
    )

    @property
    def lost_its_secret(self) -> bool:
        """It had a secret that is gone: it cannot run again, only be ordered anew."""
        return self.sealed_secret == ""

    def forget_secret(self) -> None:
        """Empty it, so that it is known that there was one."""
        self.sealed_secret = None if self.sealed_secret is None else ""

    @property
    def label(self) -> str:
        """What people call its kind."""
        return KINDS[self.kind].label if self.kind in KINDS else self.kind

    @property
    def address(self) -> str | None:
        """The page that shows what it is about; None where there is none."""
        address = KINDS[self.kind].address if self.kind in KINDS else None
        return address.format(subject_id=self.subject_id) if address is not None else None

    @property
    def version(self) -> str:
        return version_of(self)


def version_of(job: Any) -> str:
    """Changes when a page that shows the job must be drawn anew, which numbers alone do not ask for.

    ``job`` is a ``Job`` or a row with its columns.
    """
    facts = (
        job.state,
        job.phase,
        job.attempt,
        job.results,
        job.cancel_requested,
        job.held_back,
        job.error_code,
        job.progress_total,
        job.progress_done >= job.progress_total,
        job.seconds_left is None,
    )
    return hashlib.blake2s(repr(facts).encode(), digest_size=6).hexdigest()


class Worker(Base):
    """A worker process as it last reported itself."""

    __tablename__ = "workers"

    id: Mapped[str] = mapped_column(String(80), primary_key=True)
    served: Mapped[str] = mapped_column("lanes", String(60))
    """The queues whose jobs it takes, joined by ``+``."""
    device: Mapped[str] = mapped_column(String(120), default="")
    device_kind: Mapped[str] = mapped_column(String(8), default="cpu")
    """``cpu`` or ``cuda``."""
    device_computes_in: Mapped[str | None] = mapped_column(String(8), default=None)
    """What it trains in: ``bfloat16``, ``float16`` or ``float32``; None for a worker that has not said."""
    device_memory_bytes: Mapped[int | None] = mapped_column(BigInteger, default=None)
    """Of the device itself: of the card, or of the machine where the processor computes."""
    device_tera_operations: Mapped[float | None] = mapped_column(Float, default=None)
    """A second, measured on one large matrix product when the worker started."""
    started_at: Mapped[datetime] = mapped_column(default=now)
    last_seen_at: Mapped[datetime] = mapped_column(default=now)
    job_id: Mapped[str | None] = mapped_column(String(ID_LENGTH), default=None)
    memory_bytes: Mapped[int | None] = mapped_column(BigInteger, default=None)
    """Of its process, as the system counts it; None where the system does not say."""
    free_bytes: Mapped[int | None] = mapped_column(BigInteger, default=None)
    """Left on the disk that it works on."""
    short_of_disk: Mapped[bool] = mapped_column(default=False)
    """It takes no job until there is room again."""
    draining: Mapped[bool] = mapped_column(default=False)
    """Set by a person: it finishes its job and takes no more."""

    @property
    def queues(self) -> list[str]:
        """The queues whose jobs it takes."""
        return self.served.split("+")


class DeviceHour(Base):
    """Seconds that a workspace's jobs had a device, by the hour: scheduling depends on them."""

    __tablename__ = "device_hours"

    workspace_id: Mapped[str] = mapped_column(ForeignKey("workspaces.id", ondelete="CASCADE"), primary_key=True)
    hour: Mapped[datetime] = mapped_column(primary_key=True)
    seconds: Mapped[float] = mapped_column(Float, default=0.0)


class LeaseExpiry(Base):
    """A worker died, hung, or was not heard of for as long as its lease: what became of its job."""

    __tablename__ = "lease_expiries"

    id: Mapped[str] = mapped_column(String(ID_LENGTH), primary_key=True, default=new_id)
    workspace_id: Mapped[str] = mapped_column(ForeignKey("workspaces.id", ondelete="CASCADE"))
    job_id: Mapped[str] = mapped_column(ForeignKey("jobs.id", ondelete="CASCADE"), index=True)
    worker_id: Mapped[str] = mapped_column(String(80), default="")
    attempt: Mapped[int]
    outcome: Mapped[str] = mapped_column(String(10))
    """The job's state afterwards: ``queued``, ``failed`` (set aside) or ``cancelled``."""
    at: Mapped[datetime] = mapped_column(default=now)

    __table_args__ = (Index("ix_lease_expiries_workspace", "workspace_id", "at"),)


class Counter(Base):
    """What has happened since the beginning, over all processes. Numbers alone: they outlive what they counted."""

    __tablename__ = "tallies"

    name: Mapped[str] = mapped_column(String(40), primary_key=True)
    kind: Mapped[str] = mapped_column(String(20), primary_key=True, default="")
    """Of the jobs that it is about."""
    state: Mapped[str] = mapped_column(String(10), primary_key=True, default="")
    value: Mapped[float] = mapped_column(Float, default=0.0)
