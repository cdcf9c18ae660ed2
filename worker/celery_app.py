"""The worker behind a broker. A message only wakes the workers of a queue; what to do is decided at the claim.

Why these settings suit jobs of hours is written in ``templates/help/deployment.md`` ("Celery").
"""

import logging
import threading

from celery import Celery
from celery.signals import setup_logging, worker_shutting_down

from app.jobs.notifier import TASK
from worker.context import WorkerContext
from worker.run_job import run_next

POLL_EVERY_SECONDS = 5.0
END_WITHIN_SECONDS = 25.0


def make_celery(broker_url: str, context: WorkerContext) -> Celery:
    """The Celery app of this process, with its one task."""
    celery = Celery("livery", broker=broker_url, set_as_current=False)
    celery.conf.update(
        task_serializer="json",
        accept_content=["json"],
        result_backend=None,
        task_ignore_result=True,
        # The table remembers what is to be done, so a wake-up may be forgotten as soon as it was received.
        task_acks_late=False,
        worker_prefetch_multiplier=1,
        task_create_missing_queues=True,
        worker_soft_shutdown_timeout=0,
        worker_cancel_long_running_tasks_on_connection_loss=False,
        broker_connection_retry_on_startup=True,
        broker_connection_max_retries=None,
        worker_send_task_events=False,
        worker_hijack_root_logger=False,
        broker_transport_options={
            "visibility_timeout": 3600,
            "socket_timeout": 5,
            "socket_connect_timeout": 5,
            "socket_keepalive": True,
            "health_check_interval": 25,
        },
    )

    @celery.task(name=TASK)  # type: ignore[untyped-decorator]
    def wake(queue: str) -> None:
        """Run what waits in ``queue`` until it is empty; further wake-ups then find nothing, which is fine."""
        with context.device_lock:
            while not context.stopping.is_set() and run_next(context, (queue,)):
                pass

    # Our own lines go on as they are; of Celery's only what is odd. To be connected is what tells it so.
    setup_logging.connect(lambda **_: logging.getLogger("celery").setLevel(logging.WARNING), weak=False)
    # weak=False: nothing else keeps a reference to the local function.
    worker_shutting_down.connect(lambda **_: context.stopping.set(), weak=False)
    return celery


def serve(celery: Celery, context: WorkerContext) -> None:
    """Run a Celery worker in this process until it is asked to stop.

    One thread: the model sits in this process, answers to pings while it works, and sees the shutdown signal.
    """
    polling = threading.Thread(target=_poll, args=(context,), name="poll", daemon=True)
    polling.start()
    try:
        celery.worker_main(
            [
                "worker",
                "--pool=threads",
                "--concurrency=1",
                f"--queues={','.join(context.queues)}",
                f"--hostname={context.worker_id}@%h",
                "--without-mingle",
                "--without-gossip",
                "--without-heartbeat",
                "--loglevel=WARNING",
            ]
        )
    finally:
        context.stopping.set()
        polling.join(timeout=END_WITHIN_SECONDS)


def _poll(context: WorkerContext) -> None:
    """Ask the table now and then while no wake-up keeps this process busy: wake-ups may be lost, and none arrives while
    the broker is away."""
    while not context.stopping.wait(POLL_EVERY_SECONDS):
        if context.device_lock.acquire(blocking=False):
            try:
                while not context.stopping.is_set() and run_next(context, context.queues):
                    pass
            finally:
                context.device_lock.release()
