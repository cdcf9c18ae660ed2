"""The worker behind a broker. A message is a bell that names a lane; what to do is decided at the claim.

Why these settings suit jobs of hours is written in ``templates/help/deployment.md`` ("Celery").
"""

import logging
import threading

from celery import Celery
from celery.signals import setup_logging, worker_shutting_down

from app.jobs.announce import TASK
from worker.context import WorkerContext
from worker.run_job import run_next

LOOK_EVERY_SECONDS = 5.0
END_WITHIN_SECONDS = 25.0


def make_celery(broker_url: str, context: WorkerContext) -> Celery:
    """The Celery app of this process, with its one task."""
    celery = Celery("livery", broker=broker_url, set_as_current=False)
    celery.conf.update(
        task_serializer="json",
        accept_content=["json"],
        result_backend=None,
        task_ignore_result=True,
        # The table remembers what is to be done, so a bell may be forgotten as soon as it was heard.
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
    def wake(lane: str) -> None:
        """Run what waits in ``lane`` until it is empty; further bells then find nothing, which is fine."""
        with context.device_lock:
            while not context.stopping.is_set() and run_next(context, (lane,)):
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
    looking = threading.Thread(target=_look_for_yourself, args=(context,), name="look", daemon=True)
    looking.start()
    try:
        celery.worker_main(
            [
                "worker",
                "--pool=threads",
                "--concurrency=1",
                f"--queues={','.join(context.lanes)}",
                f"--hostname={context.worker_id}@%h",
                "--without-mingle",
                "--without-gossip",
                "--without-heartbeat",
                "--loglevel=WARNING",
            ]
        )
    finally:
        context.stopping.set()
        looking.join(timeout=END_WITHIN_SECONDS)


def _look_for_yourself(context: WorkerContext) -> None:
    """Ask the table now and then while no bell keeps this process busy: bells may be lost, and without a broker none
    rings at all."""
    while not context.stopping.wait(LOOK_EVERY_SECONDS):
        if context.device_lock.acquire(blocking=False):
            try:
                while not context.stopping.is_set() and run_next(context, context.lanes):
                    pass
            finally:
                context.device_lock.release()
