"""Checkpoints of trainings in the storage: kept under the claim's fence, and gone on from. For every modality."""

import logging
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

from app.errors import N_
from app.jobs import claims
from app.jobs.claims import LeaseLost
from app.trainings import attempts
from app.trainings.continuing.kept import Continued, KeptStep
from worker.engines.contracts import EngineError
from worker.files.workspace import bring_in_folder, bring_out_folder
from worker.job_run import JobRun

T = TypeVar("T")
STEP_GONE = N_("The step that this training was to continue from is not stored any more. Start a new training.")
log = logging.getLogger("livery.worker")


def from_last_checkpoint(
    job: JobRun,
    folder: Path,
    *,
    begin: Callable[[int], None],
    train: Callable[[Path | None, Continued | None], T],
    continues: Continued | None = None,
) -> T:
    """Go on from the last checkpoint; where that is damaged or gone from the one before it, and else from the kept step
    that the training ``continues``, or begin anew.

    ``begin`` is told the step that ``train`` goes on from, right before it; ``train`` is given the checkpoint, and the
    kept step where it is that. Raises ``EngineError`` (``step_gone``) where the kept step is not there.
    """
    last = job.claim.checkpoint
    recorded = [last, last.get("before")] if last else []
    for checkpoint in filter(None, recorded):
        resume_from, step = folder / f"resume-{checkpoint['step']}", int(checkpoint["step"])
        try:
            bring_in_folder(job.context.storage, str(checkpoint["key"]), resume_from)
        except FileNotFoundError:
            log.warning("the checkpoint of step %d is gone", step)
            continue
        begin(step)
        try:
            return train(resume_from, None)
        except EngineError as error:
            if error.code != "bad_checkpoint":
                raise
            log.warning("the checkpoint of step %d cannot be used: %s", step, error)
    if continues is not None:
        resume_from = folder / f"continued-{continues.step}"
        try:
            bring_in_folder(job.context.storage, continues.folder, resume_from)
        except FileNotFoundError as error:
            raise EngineError("step_gone", STEP_GONE) from error
        begin(continues.step)
        return train(resume_from, continues)
    begin(0)
    return train(None, None)


class KeptCheckpoints:
    """The last two checkpoints of one training, and those that are kept for others to go on from; ``training_folder``
    is where its files live in the storage."""

    def __init__(self, job: JobRun, training_folder: str) -> None:
        self._job = job
        self._above = f"{training_folder}/checkpoints"
        last = job.claim.checkpoint
        self._last: dict[str, Any] | None = {"key": last["key"], "step": last["step"]} if last else None

    def keep(self, folder: Path, step: int) -> None:
        """Store it in a folder of this attempt's own, record it, and forget those that are not to be kept."""
        storage, above = self._job.context.storage, self._above
        key = f"{above}/a{self._job.claim.fence}/{step}"
        bring_out_folder(storage, folder, key)
        byte_count = sum(file.stat().st_size for file in folder.iterdir())
        step_now = KeptStep(step=step, folder=key, byte_count=byte_count)
        try:
            stay = self._job.write(
                lambda session: attempts.note_checkpoint(session, self._job.claim, step_now, before=self._last)
            )
            kept = {key, *stay}
        except LeaseLost:
            recorded = self._job.read(lambda session: claims.checkpoint_of(session, self._job.claim.job_id))
            if recorded is None or key not in (recorded["key"], (recorded.get("before") or {}).get("key")):
                storage.delete_under(key)
            raise
        kept |= {self._last["key"]} if self._last else set()
        self._last = {"key": key, "step": step}
        folders = {"/".join(name.removeprefix(f"{above}/").split("/")[:2]) for name in storage.keys_under(above)}
        for folder_name in sorted(folders):
            # Never those of a later attempt: this one may have lost its lease a moment ago without knowing.
            if f"{above}/{folder_name}" not in kept and _attempt(folder_name) <= self._job.claim.fence:
                storage.delete_under(f"{above}/{folder_name}")


def _attempt(folder_name: str) -> int:
    """The fence in a checkpoint's folder, ``a<fence>/<step>``."""
    return int(folder_name.split("/")[0].removeprefix("a"))
