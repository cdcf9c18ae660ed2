"""What a worker gives back when it has nothing to do.

A base model stays loaded for the next job, which is mostly another order of the same person, minutes later. Beyond that
the memory is worth more to others on the machine; the next job loads the model anew.
"""

import logging
import time
from collections.abc import Callable
from dataclasses import dataclass, field

from app.machine.memory import give_back_freed, process_memory
from worker.engines import registry

KEPT_FOR_SECONDS = 300.0
"""After the last job."""
log = logging.getLogger("livery.worker")


@dataclass
class Idle:
    """Of one process. Asked only by whoever may run a job just now, so that no model goes while it is used."""

    clock: Callable[[], float] = time.monotonic
    _since: float | None = field(default=None, init=False)
    """When the last job ended; None while there is nothing to give back."""

    def after_job(self, kind: str) -> None:
        """A job of this kind has ended: what a training held beside the base model is given back at once."""
        self._since = self.clock()
        if kind != "generation" and kind != "writing":  # orders of seconds, of which many may wait
            give_back()

    def look(self) -> None:
        """There is no job. Drops the base models once the last job is long enough ago."""
        if self._since is None or self.clock() - self._since < KEPT_FOR_SECONDS:
            return
        self._since = None
        before = process_memory()
        registry.drop_kept()
        give_back()
        after = process_memory()
        if before and after:
            log.info("idle: %.0f MB of memory given back, %.0f MB held", (before - after) / 1e6, after / 1e6)


def give_back() -> None:
    """What was freed goes back to the card and the system."""
    registry.collect()
    give_back_freed()
