"""The line of losses that a training's page draws: means over stretches of steps, written down now and then."""

import time
from statistics import fmean

from app.trainings import attempts
from app.trainings.attempts import Loss
from worker.engines.contracts import Step
from worker.job_run import JobRun

MOST_POINTS = 500
WRITE_EVERY_SECONDS = 1.0


class LossLine:
    """For every modality. Raises what ``note_losses`` raises, ``LeaseLost`` above all."""

    def __init__(self, job: JobRun) -> None:
        self._job = job
        self._open: list[Step] = []
        self._ready: list[Loss] = []
        self._written = time.monotonic()

    def step(self, step: Step) -> None:
        self._open.append(step)
        if step.step % -(-step.total // MOST_POINTS) == 0 or step.step == step.total:
            self._close_stretch()
        if time.monotonic() - self._written >= WRITE_EVERY_SECONDS:
            self.write(whole=False)

    def write(self, *, whole: bool = True) -> None:
        """Write the means that are complete; with ``whole`` also that of the stretch just under way."""
        if whole:
            self._close_stretch()
        ready, self._ready = self._ready, []
        self._written = time.monotonic()
        if ready:
            self._job.write(lambda session: attempts.note_losses(session, self._job.claim, ready))

    def _close_stretch(self) -> None:
        if self._open:
            losses = [step.loss for step in self._open if step.loss is not None]
            if losses:
                self._ready.append(Loss(self._open[-1].step, fmean(losses), self._open[-1].learning_rate))
            self._open = []
