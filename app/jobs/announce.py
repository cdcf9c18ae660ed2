"""Rings the bell of a lane after the commit. The only place in ``app/`` that knows Celery.

The message names a lane and no job: what is done is decided at the claim. It may be lost or come twice.
"""

import logging
from typing import Protocol

from sqlalchemy import event
from sqlalchemy.orm import Session, SessionTransaction

log = logging.getLogger("livery.jobs")
TASK = "livery.wake"


class Bell(Protocol):
    def ring(self, lane: str) -> None: ...


class SilentBell:
    """Without a broker nobody needs to be woken: workers ask the job table themselves."""

    def ring(self, lane: str) -> None:
        return None


class CeleryBell:
    """Sends a wake-up by name, so that this process needs nothing of the worker's code."""

    def __init__(self, broker_url: str) -> None:
        from celery import Celery

        self._celery = Celery("livery", broker=broker_url, set_as_current=False)
        self._celery.conf.update(
            task_ignore_result=True,
            broker_transport_options={"socket_timeout": 2, "socket_connect_timeout": 2},
            task_publish_retry=False,
        )

    def ring(self, lane: str) -> None:
        try:
            self._celery.send_task(TASK, args=[lane], queue=lane, ignore_result=True)
        except Exception as error:  # noqa: BLE001 - the row is committed; workers also look for themselves
            log.warning("the bell of lane %s was lost: %s", lane, error)


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
