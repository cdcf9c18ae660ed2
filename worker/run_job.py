"""Claim, run, end: the only way in. What ends a job otherwise than well is decided here and nowhere else."""

import errno
import logging

from app.db import DATABASE_AWAY
from app.errors import N_
from app.jobs import claims, outcomes
from app.jobs.claims import LeaseLost
from app.logs import lines_carry
from app.storage import StorageAway, StorageRefuses
from worker.context import WorkerContext
from worker.engines.contracts import Cancelled, EngineError, GiveBack
from worker.handlers.registry import HANDLERS
from worker.job_run import JobRun
from worker.progress import JobProgress

log = logging.getLogger("livery.worker")
INTERNAL = N_(
    "Something went wrong inside Livery. Your pictures and settings are safe. Try again; if it happens again, "
    "the person who runs this Livery can find the reason in the log under this job's number."
)
STORAGE_AWAY = N_(
    "The file storage did not respond for several minutes. What was finished is kept. Start the job again when "
    "the storage is available."
)
DISK_FULL = N_("The disk is full. What was finished is kept. Free some space, then start the job again.")
PAUSES_SECONDS = (2.0, 10.0, 30.0, 120.0)
"""Before each further try within one attempt, after an error that may pass."""


class _MayPass(Exception):
    """Worth another try within the same attempt; the code and sentence are for when none helps."""

    def __init__(self, code: str, sentence: str) -> None:
        super().__init__(sentence)
        self.code, self.sentence = code, sentence


def run_next(context: WorkerContext, queues: tuple[str, ...]) -> bool:
    """Claim and run the next job of ``queues``. Says whether there was one."""
    if context.disk.is_short():
        return False  # what waits says so on the jobs page, and is looked at again with the next wake-up or tick
    try:
        claim = context.note(lambda session: claims.claim_next(session, queues=queues, owner=context.worker_id))
    except DATABASE_AWAY:
        log.error("the database does not answer; nothing can be claimed")
        return False
    if claim is None:
        context.idle.look()
        return False
    context.job_id = claim.job_id
    context.holds(worker_id=context.worker_id, job_id=claim.job_id, fence=claim.fence)
    with lines_carry(job=claim.job_id, workspace=claim.workspace_id, kind=claim.kind, attempt=claim.attempt):
        log.info("job started")
        try:
            with JobProgress(context, claim) as progress:
                outcome = _run(JobRun(context, claim, progress))
        except LeaseLost:
            outcome = "lease lost"
        except DATABASE_AWAY:
            # Nothing can be said about it, so the lease runs out, and another attempt goes on from what was kept.
            outcome = "the database does not answer"
        finally:
            context.job_id = None
            context.holds()
            context.idle.after_job(claim.kind)
        log.info("job ended: %s", outcome)
    return True


def _run(job: JobRun) -> str:
    """Run the handler and write how it ended, unless it has written that itself.

    Raises ``LeaseLost`` or one of ``DATABASE_AWAY``.
    """
    try:
        _run_patiently(job)
        return "done"
    except (LeaseLost, *DATABASE_AWAY):
        raise
    except Cancelled:
        job.write(lambda session: outcomes.end_cancelled(session, job.claim))
        return "cancelled"
    except GiveBack:
        reason = job.progress.held_back
        job.write(lambda session: outcomes.give_back(session, job.claim, reason=reason))
        return "given back"
    except StorageRefuses as error:
        sentence = error.sentence
        job.write(lambda session: outcomes.fail(session, job.claim, code="storage_refuses", sentence=sentence))
        return "failed: storage_refuses"
    except (EngineError, _MayPass) as error:
        code, sentence = error.code, error.sentence
        job.write(lambda session: outcomes.fail(session, job.claim, code=code, sentence=sentence))
        return f"failed: {code}"
    except Exception:
        log.exception("job failed")
        job.write(lambda session: outcomes.fail(session, job.claim, code="internal", sentence=INTERNAL))
        return "failed: internal"


def _run_patiently(job: JobRun) -> None:
    """Run the handler, again after an error that may pass, each time from what was kept until then."""
    for pause in (*PAUSES_SECONDS, None):
        try:
            _run_once(job)
            return
        except _MayPass as error:
            if pause is None:
                raise
            log.warning("%s; trying again in %.0f s: %s", error.code, pause, error.__cause__)
            job.progress.wait(pause)
        job = job.from_latest_checkpoint()


def _run_once(job: JobRun) -> None:
    try:
        HANDLERS[job.claim.kind](job)
    except StorageAway as error:
        raise _MayPass("storage_away", STORAGE_AWAY) from error
    except EngineError as error:
        if error.code != "disk_full":
            raise
        raise _MayPass(error.code, error.sentence) from error
    except OSError as error:
        if error.errno not in (errno.ENOSPC, errno.EDQUOT):
            raise
        raise _MayPass("disk_full", DISK_FULL) from error
