"""One attempt at a job, as a handler is given it."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TypeVar

from sqlalchemy.orm import Session

from app.jobs import claims
from app.jobs.claims import Claim
from worker.context import WorkerContext
from worker.progress import JobProgress

T = TypeVar("T")


@dataclass(frozen=True)
class JobRun:
    """The worker that makes the attempt, the claim that every write of it names, and how it tells how far it is."""

    context: WorkerContext
    claim: Claim
    progress: JobProgress

    def read(self, action: Callable[[Session], T]) -> T:
        """See ``WorkerContext.read``."""
        return self.context.read(action)

    def write(self, action: Callable[[Session], T]) -> T:
        """See ``WorkerContext.write``."""
        return self.context.write(action)

    def from_latest_checkpoint(self) -> "JobRun":
        """The same attempt, whose claim names the checkpoint that was recorded last."""
        checkpoint = self.read(lambda session: claims.checkpoint_of(session, self.claim.job_id))
        return replace(self, claim=replace(self.claim, checkpoint=checkpoint))
