"""Tells the job row how far an engine is, keeps the lease alive, and carries a cancellation back into the loop."""

import logging
import os
import threading
import time
from collections.abc import Callable
from pathlib import Path

from app.db import DATABASE_AWAY
from app.jobs import claims, outcomes
from app.jobs.claims import Claim, LeaseLost
from app.logs import same_lines
from app.machine.disk import PAUSED
from worker.context import WorkerContext
from worker.engines.contracts import Cancelled, GiveBack, SamplePicture, Step
from worker.engines.text_contracts import SampleText
from worker.pace import Pace
from worker.process.supervisor import HUNG

HEARTBEAT_SECONDS = claims.LEASE.total_seconds() / 4
WRITE_EVERY_SECONDS = 1.0
log = logging.getLogger("livery.worker")


class JobProgress:
    """Satisfies the engines' ``Progress``. A handler sets the hooks for what is more than a number.

    Use as a context manager: inside it a thread prolongs the lease.
    """

    def __init__(self, context: WorkerContext, claim: Claim) -> None:
        self._context = context
        self._claim = claim
        self.on_step: Callable[[Step], None] = lambda step: None
        self.on_sample: Callable[[SamplePicture], None] = lambda picture: None
        self.on_short_of_memory: Callable[[int, bool], None] = lambda micro_batch_size, gradient_checkpointing: None
        self.on_drawing_smaller: Callable[[int, bool], None] = lambda batch_size, tiled: None
        self.on_held_out: Callable[[int, float], None] = lambda step, loss: None
        self.on_sample_text: Callable[[SampleText], None] = lambda text: None
        self.on_checkpoint: Callable[[Path, int], None] = lambda folder, step: None
        self.pace: Pace | None = None
        """Where a handler gives one, the time left is what it says."""
        self.held_back: str | None = None
        """The sentence with which the job goes back to the queue."""
        self._phase, self._done, self._total = "starting", 0, 0
        self._first: tuple[float, int] | None = None
        self._written = 0.0
        self._moved_at = time.monotonic()
        self._cancel, self._lost, self._ended = threading.Event(), threading.Event(), threading.Event()
        self._beat = threading.Thread(target=same_lines(self._keep_lease), name="heartbeat", daemon=True)

    def __enter__(self) -> "JobProgress":
        self._beat.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        self._beat.join(timeout=5)

    def check(self) -> None:
        """Raises ``LeaseLost``, ``Cancelled`` or ``GiveBack`` when this attempt must not go on."""
        if self._lost.is_set():
            raise LeaseLost(self._claim.job_id)
        if self._cancel.is_set():
            raise Cancelled()
        if self._context.stopping.is_set():
            raise GiveBack()
        if self._context.disk.is_short():
            self.held_back = PAUSED
            raise GiveBack()

    def wait(self, seconds: float) -> None:
        """Let time pass. Raises like ``check``, soon after there is a reason."""
        until = time.monotonic() + seconds
        while True:
            self._moved_at = time.monotonic()
            self.check()
            left = until - time.monotonic()
            if left <= 0:
                return
            self._context.stopping.wait(min(1.0, left))

    def phase(self, name: str) -> None:
        self._moved_at = time.monotonic()
        if self.pace is not None:
            self.pace.phase(name)
        new, self._phase = name != self._phase, name
        self._write(force=new)
        self.check()

    def step(self, step: Step) -> None:
        if self.pace is not None:
            self.pace.step(step)
        self.on_step(step)
        self._count(step.step, step.total)

    def drawn(self, done: int, total: int) -> None:
        self._count(done, total)

    def sample(self, picture: SamplePicture) -> None:
        self._moved_at = time.monotonic()
        self.on_sample(picture)

    def short_of_memory(self, *, micro_batch_size: int, gradient_checkpointing: bool) -> None:
        self._moved_at = time.monotonic()
        self.on_short_of_memory(micro_batch_size, gradient_checkpointing)

    def drawing_smaller(self, *, batch_size: int, tiled: bool) -> None:
        self._moved_at = time.monotonic()
        self.on_drawing_smaller(batch_size, tiled)

    def held_out(self, step: int, loss: float) -> None:
        self._moved_at = time.monotonic()
        self.on_held_out(step, loss)

    def sample_text(self, text: SampleText) -> None:
        self._moved_at = time.monotonic()
        self.on_sample_text(text)

    def checkpoint(self, folder: Path, step: int) -> None:
        self._moved_at = time.monotonic()
        self.on_checkpoint(folder, step)

    def _count(self, done: int, total: int) -> None:
        if self._first is None:
            self._first = (time.monotonic(), done)
        self._moved_at = time.monotonic()
        self._done, self._total = done, total
        self._write(force=done >= total)
        self.check()

    def begin_anew(self) -> None:
        """What is counted from now on is something else, with a pace of its own."""
        self._first, self._done, self._total = None, 0, 0

    def seconds_left(self) -> float | None:
        """From this attempt's own pace, everything between the steps included; None before there is a pace."""
        if self.pace is not None:
            return self.pace.seconds_left
        if self._first is None or self._done <= self._first[1]:
            return None
        pace = (time.monotonic() - self._first[0]) / (self._done - self._first[1])
        return pace * max(0, self._total - self._done)

    def _write(self, *, force: bool = False) -> None:
        moment = time.monotonic()
        if not force and moment - self._written < WRITE_EVERY_SECONDS:
            return
        self._written = moment
        try:
            with self._context.database.note() as session:
                cancel = claims.record_progress(
                    session,
                    self._claim,
                    phase=self._phase,
                    done=self._done,
                    total=self._total,
                    seconds_left=self.seconds_left(),
                )
        except LeaseLost:
            self._lost.set()
        except DATABASE_AWAY as error:
            # Progress is a courtesy: the work goes on, and the next number says it all again.
            log.warning("progress not written: %s", str(error)[:200])
        else:
            if cancel:
                self._cancel.set()

    def _keep_lease(self) -> None:
        last, pause = time.monotonic(), HEARTBEAT_SECONDS
        while not self._ended.wait(pause):
            moment = time.monotonic()
            if 0 < self._context.settings.hang_after_seconds < moment - self._moved_at:
                self._give_up(moment - self._moved_at)
            try:
                with self._context.database.note() as session:
                    cancel = claims.heartbeat(session, self._claim, device_seconds=moment - last)
                if cancel:
                    self._cancel.set()
                last, pause = moment, HEARTBEAT_SECONDS
            except LeaseLost:
                self._lost.set()
                return
            except DATABASE_AWAY as error:
                log.warning("heartbeat not written: %s", str(error)[:200])
                pause = 2.0
        self._last_beat(last)

    def _give_up(self, seconds: float) -> None:
        """Give the job back and end this process: nothing else stops native code that hangs."""
        log.error("no progress for %.0f s in phase %s: this worker ends, another is started", seconds, self._phase)
        try:
            with self._context.database.write() as session:
                outcomes.mark_lost(
                    session, job_id=self._claim.job_id, fence=self._claim.fence, failure=outcomes.FAILURES["hung"]
                )
        except LeaseLost:
            log.info("the job went on elsewhere")
        except DATABASE_AWAY as error:
            log.warning("not written, so its lease runs out: %s", str(error)[:200])
        os._exit(HUNG)

    def _last_beat(self, last: float) -> None:
        """Count the device time since the last heartbeat, unless the job has ended meanwhile."""
        try:
            with self._context.database.note() as session:
                claims.add_device_seconds(session, self._claim, time.monotonic() - last)
        except DATABASE_AWAY as error:
            log.warning("device time not counted: %s", str(error)[:200])
