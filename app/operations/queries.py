"""What the admins of an installation look at."""

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from app.adapters.models import Adapter
from app.brand_kits.guidelines.models import GuidelineLogo
from app.brand_kits.models import KitFile
from app.db import now
from app.generations.models import Output
from app.images.models import Image
from app.jobs import queries as jobs
from app.jobs.kinds import QUEUES
from app.jobs.models import ACTIVE_STATES, Job, LeaseExpiry, Worker
from app.projects.models import Project

MOST_SHOWN = 50
FILES_OF_AN_ADAPTER = 3
"""Its forms for different programs weigh about the same; the row knows one of them."""


@dataclass(frozen=True)
class QueueLength:
    """Jobs of one queue in one state, of all workspaces."""

    queue: str
    state: str
    count: int
    oldest_seconds: float
    """Since the oldest was queued."""


def waiting(session: Session) -> list[QueueLength]:
    """Queued and running jobs by queue, a row also where there are none."""
    found = {
        (queue, state): (count, oldest)
        for queue, state, count, oldest in session.execute(
            select(Job.queue, Job.state, func.count(), func.min(Job.created_at))
            .where(Job.is_active)
            .group_by(Job.queue, Job.state)
        )
    }
    moment, rows = now(), []
    for queue in QUEUES:
        for state in ACTIVE_STATES:
            count, oldest = found.get((queue, state), (0, None))
            rows.append(
                QueueLength(queue, state, count, max(0.0, (moment - oldest).total_seconds()) if oldest else 0.0)
            )
    return rows


def paces(session: Session) -> dict[str, float]:
    """Seconds that a step takes now, by queue: the mean over the jobs that run and have a pace."""
    pace = Job.seconds_left / (Job.progress_total - Job.progress_done)
    rows = session.execute(
        select(Job.queue, func.avg(pace))
        .where(Job.state == "running", Job.seconds_left.is_not(None), Job.progress_total > Job.progress_done)
        .group_by(Job.queue)
    )
    return {queue: float(seconds) for queue, seconds in rows}


@dataclass(frozen=True)
class BrandUse:
    """What one brand keeps in the storage, in bytes."""

    name: str
    pictures: int
    visuals: int
    adapters: int
    kit: int
    """Logos and fonts of every version, and logos that guidelines propose."""

    @property
    def total(self) -> int:
        return self.pictures + self.visuals + self.adapters + self.kit


def storage_use(session: Session, *, workspace_id: str) -> list[BrandUse]:
    """Bytes by brand as the rows know them, the largest first; copies such as thumbnails come on top."""
    sums: list[dict[str, int]] = []
    for table in (Image, Output, Adapter, KitFile, GuidelineLogo):
        by_brand = (
            select(table.project_id, func.sum(table.byte_count))
            .where(table.workspace_id == workspace_id)
            .group_by(table.project_id)
        )
        sums.append({project_id: int(total) for project_id, total in session.execute(by_brand)})
    brands = session.execute(select(Project.id, Project.name).where(Project.workspace_id == workspace_id)).all()
    uses = [
        BrandUse(
            brand.name,
            sums[0].get(brand.id, 0),
            sums[1].get(brand.id, 0),
            FILES_OF_AN_ADAPTER * sums[2].get(brand.id, 0),
            sums[3].get(brand.id, 0) + sums[4].get(brand.id, 0),
        )
        for brand in brands
    ]
    return sorted(uses, key=lambda use: -use.total)


@dataclass(frozen=True)
class Expiry:
    at: datetime
    worker_id: str
    attempt: int
    outcome: str
    title: str


@dataclass(frozen=True)
class WorkerSeen:
    worker: Worker
    is_alive: bool
    job_title: str | None
    """None for a job of another workspace, which is not told about."""


@dataclass(frozen=True)
class Overview:
    """The operations page of one workspace: its jobs, and the machines that serve all."""

    workers: list[WorkerSeen]
    waiting: list[QueueLength]
    running: list[Job]
    failed: list[Job]
    expiries: list[Expiry]
    storage: list[BrandUse]


def overview(session: Session, *, workspace_id: str) -> Overview:
    own = select(Job).where(Job.workspace_id == workspace_id)
    running = list(session.scalars(own.where(Job.state == "running").order_by(Job.started_at, Job.id)))
    failed = own.where(Job.state == "failed").order_by(Job.created_at.desc(), Job.id.desc()).limit(MOST_SHOWN)
    expiries = session.execute(
        select(LeaseExpiry, Job.title)
        .join(Job, Job.id == LeaseExpiry.job_id)
        .where(LeaseExpiry.workspace_id == workspace_id)
        .order_by(LeaseExpiry.at.desc())
        .limit(MOST_SHOWN)
    ).all()
    titles = {job.id: job.title for job in running}
    alive = {worker.id for worker in jobs.workers(session)}
    workers = session.scalars(select(Worker).order_by(Worker.id))
    return Overview(
        workers=[WorkerSeen(one, one.id in alive, titles.get(one.job_id or "")) for one in workers],
        waiting=waiting(session),
        running=running,
        failed=list(session.scalars(failed)),
        expiries=[Expiry(one.at, one.worker_id, one.attempt, one.outcome, title) for one, title in expiries],
        storage=storage_use(session, workspace_id=workspace_id),
    )
