"""What monitoring is told. What must be true over several processes is read from the database when it is asked for."""

from collections.abc import Callable, Iterator

from prometheus_client import CollectorRegistry, Gauge, Metric, ProcessCollector
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.registry import Collector

from app.db import Database
from app.jobs import counters
from app.jobs import queries as jobs
from app.jobs.kinds import QUEUES
from app.jobs.models import Worker
from app.machine.disk import DiskWatch
from app.operations import queries

BY_QUEUE = ("queue", "lane")
OLD_LABEL = " (label lane: the old name of queue, until the next release)"


class FromTheDatabase(Collector):
    """Five small queries by index, in one transaction."""

    def __init__(self, database: Database, disk: DiskWatch) -> None:
        self._database = database
        self._disk = disk

    def describe(self) -> list[Metric]:
        """Nothing: without this the registry would ask the database as soon as it is told about us."""
        return []

    def collect(self) -> Iterator[Metric]:
        with self._database.read() as session:
            waiting, paces = queries.waiting(session), queries.paces(session)
            workers, counted = jobs.workers(session), counters.all_of(session)

        by_state = (*BY_QUEUE, "state")
        depth = GaugeMetricFamily("livery_jobs", f"Jobs that wait or run{OLD_LABEL}", labels=by_state)
        age = GaugeMetricFamily("livery_jobs_oldest_seconds", f"Age of the oldest of them{OLD_LABEL}", labels=by_state)
        for row in waiting:
            depth.add_metric((row.queue, row.queue, row.state), row.count)
            age.add_metric((row.queue, row.queue, row.state), row.oldest_seconds)
        yield from (depth, age)

        pace = GaugeMetricFamily(
            "livery_step_seconds", f"Seconds a step takes in the jobs that run{OLD_LABEL}", labels=BY_QUEUE
        )
        for queue, seconds in paces.items():
            pace.add_metric((queue, queue), seconds)
        yield pace

        alive = GaugeMetricFamily("livery_workers", f"Workers heard of within a minute{OLD_LABEL}", labels=BY_QUEUE)
        for queue in QUEUES:
            alive.add_metric((queue, queue), sum(queue in worker.queues for worker in workers))
        yield alive
        by_worker: dict[str, tuple[str, Callable[[Worker], float | None]]] = {
            "livery_worker_busy": ("Whether it has a job", lambda worker: worker.job_id is not None),
            "livery_worker_draining": ("Whether it takes no more jobs", lambda worker: worker.draining),
            "livery_worker_memory_bytes": ("Memory of its process", lambda worker: worker.memory_bytes),
            "livery_worker_disk_free_bytes": ("Room on its disk", lambda worker: worker.free_bytes),
        }
        for name, (help_text, value_of) in by_worker.items():
            gauge = GaugeMetricFamily(name, help_text, labels=("worker", "device"))
            for worker in workers:
                if (value := value_of(worker)) is not None:
                    gauge.add_metric((worker.id, worker.device), value)
            yield gauge

        ended = CounterMetricFamily("livery_jobs_ended", "Jobs that have ended", labels=("kind", "state"))
        lost = CounterMetricFamily("livery_lease_expired", "Leases of workers not heard of in time", labels=("kind",))
        pictures = CounterMetricFamily("livery_pictures", "Pictures drawn; its rate is pictures a second")
        drawn = 0.0
        for counter in counted:
            if counter.name == counters.ENDED:
                ended.add_metric((counter.kind, counter.state), counter.value)
            elif counter.name == counters.LEASE_EXPIRED:
                lost.add_metric((counter.kind,), counter.value)
            elif counter.name == counters.PICTURES:
                drawn += counter.value
        pictures.add_metric((), drawn)
        yield from (ended, lost, pictures)

        free = GaugeMetricFamily("livery_disk_free_bytes", "Room on the disk of this process")
        free.add_metric((), self._disk.free())
        yield free


def collect_into(
    registry: CollectorRegistry, database: Database, disk: DiskWatch, streams: Callable[[], int]
) -> CollectorRegistry:
    """Let ``registry`` tell about the database, the disk and this process; ``streams`` counts its live pages."""
    registry.register(FromTheDatabase(database, disk))
    ProcessCollector(registry=registry)
    Gauge("livery_live_streams", "Pages kept up to date by this process", registry=registry).set_function(streams)
    return registry
