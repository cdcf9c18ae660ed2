"""Checkpoints of trainings in the storage: kept under the claim's fence, and gone on from. For every modality."""

import logging
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

from app.jobs import claims
from app.jobs.claims import LeaseLost
from worker.engines.contracts import EngineError
from worker.files.workspace import bring_in_folder, bring_out_folder
from worker.job_run import JobRun

T = TypeVar("T")
log = logging.getLogger("livery.worker")


def from_last_checkpoint(
    job: JobRun,
    folder: Path,
    *,
    begin: Callable[[int], None],
    train: Callable[[Path | None], T],
) -> T:
    """Go on from the last checkpoint; where that is damaged or gone from the one before it, and else begin anew.

    ``begin`` is told the step that ``train`` goes on from, right before it.
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
            return train(resume_from)
        except EngineError as error:
            if error.code != "bad_checkpoint":
                raise
            log.warning("the checkpoint of step %d cannot be used: %s", step, error)
    begin(0)
    return train(None)


class KeptCheckpoints:
    """The last two checkpoints of one training; ``training_folder`` is where its files live in the storage."""

    def __init__(self, job: JobRun, training_folder: str) -> None:
        self._job = job
        self._above = f"{training_folder}/checkpoints"
        last = job.claim.checkpoint
        self._last: dict[str, Any] | None = {"key": last["key"], "step": last["step"]} if last else None

    def keep(self, folder: Path, step: int) -> None:
        """Store it in a folder of this attempt's own, record it, and forget all but it and the one before it."""
        storage, above = self._job.context.storage, self._above
        key = f"{above}/a{self._job.claim.fence}/{step}"
        bring_out_folder(storage, folder, key)
        try:
            self._job.write(
                lambda session: claims.record_checkpoint(
                    session, self._job.claim, key=key, step=step, before=self._last
                )
            )
        except LeaseLost:
            recorded = self._job.read(lambda session: claims.checkpoint_of(session, self._job.claim.job_id))
            if recorded is None or key not in (recorded["key"], (recorded.get("before") or {}).get("key")):
                storage.delete_under(key)
            raise
        kept = {key, self._last["key"]} if self._last else {key}
        self._last = {"key": key, "step": step}
        folders = {"/".join(name.removeprefix(f"{above}/").split("/")[:2]) for name in storage.keys_under(above)}
        for folder_name in sorted(folders):
            # Never those of a later attempt: this one may have lost its lease a moment ago without knowing.
            if f"{above}/{folder_name}" not in kept and _attempt(folder_name) <= self._job.claim.fence:
                storage.delete_under(f"{above}/{folder_name}")


def _attempt(folder_name: str) -> int:
    """The fence in a checkpoint's folder, ``a<fence>/<step>``."""
    return int(folder_name.split("/")[0].removeprefix("a"))
