"""Wakes a queue's workers after the commit. The only place in ``app/`` that knows Celery.

The message names a queue and no job: what is done is decided at the claim. It may be lost, duplicated or delayed
without harm.
"""

import logging
from queue import Full, Queue
from threading import Lock, Thread
from typing import Protocol

from sqlalchemy import event
from sqlalchemy.orm import Session, SessionTransaction

log = logging.getLogger("livery.jobs")
TASK = "livery.wake"
SOCKET_SECONDS = 2
MOST_UNSENT = 100
TO_NOTIFY = "queues_to_notify"
"""In ``Session.info``: queues that this transaction has put jobs into."""


class Notifier(Protocol):
    def notify(self, queue: str) -> None: ...


class NullNotifier:
    """Without a broker nobody needs to be woken: workers ask the job table themselves."""

    def notify(self, queue: str) -> None:
        return None


class CeleryNotifier:
    """Sends a wake-up by name, so that this process needs nothing of the worker's code.

    A thread of its own publishes, because the caller may be a request and the broker may hang. A wake-up that is not
    sent is not missed for long: workers also poll the table.
    """

    def __init__(self, broker_url: str) -> None:
        from celery import Celery

        self._celery = Celery("livery", broker=broker_url, set_as_current=False)
        self._celery.conf.update(
            task_ignore_result=True,
            broker_transport_options={
                "socket_timeout": SOCKET_SECONDS,
                "socket_connect_timeout": SOCKET_SECONDS,
                "max_retries": 0,
            },
            task_publish_retry=False,
        )
        self._unsent: Queue[str] = Queue(MOST_UNSENT)
        self._sender = Thread(target=self._send, name="notifier", daemon=True)
        self._starting = Lock()

    def notify(self, queue: str) -> None:
        with self._starting:
            if not self._sender.is_alive():
                self._sender.start()
        try:
            self._unsent.put_nowait(queue)
        except Full:
            log.warning("the wake-up of queue %s was lost: too many are unsent", queue)

    def _send(self) -> None:
        while True:
            queue = self._unsent.get()
            try:
                self._celery.send_task(TASK, args=[queue], queue=queue, ignore_result=True)
            except Exception as error:  # noqa: BLE001 - whatever it was, the row is committed and the thread must live
                log.warning("the wake-up of queue %s was lost: %s", queue, str(error)[:200])


def notifier_for(broker_url: str) -> Notifier:
    return CeleryNotifier(broker_url) if broker_url else NullNotifier()


def notify_later(session: Session, queue: str) -> None:
    """This transaction has put a job into ``queue``: wake its workers once it is committed, never if it is rolled
    back."""
    session.info.setdefault(TO_NOTIFY, set()).add(queue)


class CommitHook:
    """The connection between commits and a notifier; ``stop`` ends it. Each of several is told of every commit."""

    def __init__(self, notifier: Notifier) -> None:
        self._notifier = notifier
        event.listen(Session, "after_commit", self._committed)
        event.listen(Session, "after_transaction_end", self._ended)

    def _committed(self, session: Session) -> None:
        if session.get_nested_transaction() is not None:
            return  # a savepoint was released; the transaction may still fail
        for queue in session.info.get(TO_NOTIFY, set()):
            self._notifier.notify(queue)

    def _ended(self, session: Session, transaction: SessionTransaction) -> None:
        if transaction.parent is None:
            session.info.pop(TO_NOTIFY, None)

    def stop(self) -> None:
        event.remove(Session, "after_commit", self._committed)
        event.remove(Session, "after_transaction_end", self._ended)


def notify_after_commit(notifier: Notifier) -> CommitHook:
    """From now on every committed transaction of this process wakes the workers of the queues that it put jobs into."""
    return CommitHook(notifier)
