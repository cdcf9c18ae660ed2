"""Rings the bell of a lane after the commit. The only place in ``app/`` that knows Celery.

The message names a lane and no job: what is done is decided at the claim. It may be lost or come twice.
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


class Bell(Protocol):
    def ring(self, lane: str) -> None: ...


class SilentBell:
    """Without a broker nobody needs to be woken: workers ask the job table themselves."""

    def ring(self, lane: str) -> None:
        return None


class CeleryBell:
    """Sends a wake-up by name, so that this process needs nothing of the worker's code.

    A thread of its own sends, because the caller may be a request and the broker may hang. What is not sent is not
    missed for long: workers also look for themselves.
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
        self._to_ring: Queue[str] = Queue(MOST_UNSENT)
        self._sender = Thread(target=self._send, name="bell", daemon=True)
        self._starting = Lock()

    def ring(self, lane: str) -> None:
        with self._starting:
            if not self._sender.is_alive():
                self._sender.start()
        try:
            self._to_ring.put_nowait(lane)
        except Full:
            log.warning("the bell of lane %s was lost: too many are unsent", lane)

    def _send(self) -> None:
        while True:
            lane = self._to_ring.get()
            try:
                self._celery.send_task(TASK, args=[lane], queue=lane, ignore_result=True)
            except Exception as error:  # noqa: BLE001 - whatever it was, the row is committed and the thread must live
                log.warning("the bell of lane %s was lost: %s", lane, str(error)[:200])


def bell_for(broker_url: str) -> Bell:
    return CeleryBell(broker_url) if broker_url else SilentBell()


class Ringing:
    """The connection between commits and a bell; ``stop`` ends it."""

    def __init__(self, bell: Bell) -> None:
        self._bell = bell
        event.listen(Session, "after_commit", self._committed)
        event.listen(Session, "after_soft_rollback", self._rolled_back)

    def _committed(self, session: Session) -> None:
        if session.get_nested_transaction() is not None:
            return  # a savepoint was released; the transaction may still fail
        for lane in session.info.pop("lanes_to_announce", set()):
            self._bell.ring(lane)

    def _rolled_back(self, session: Session, transaction: SessionTransaction) -> None:
        if transaction.nested:
            return
        session.info.pop("lanes_to_announce", None)

    def stop(self) -> None:
        event.remove(Session, "after_commit", self._committed)
        event.remove(Session, "after_soft_rollback", self._rolled_back)


def ring_after_commit(bell: Bell) -> Ringing:
    """From now on every committed transaction of this process rings the lanes that it put jobs into."""
    return Ringing(bell)
