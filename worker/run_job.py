"""Claim, run, end: the only way in. What ends a job otherwise than well is decided here and nowhere else."""

import logging
from collections.abc import Callable

from app.errors import N_
from app.jobs import service as jobs
from app.jobs.service import Claim, LeaseLost
from app.logs import lines_carry
from worker.context import WorkerContext
from worker.engines.contracts import Cancelled, EngineError, GiveBack
from worker.handlers import generation, training
from worker.progress import JobProgress

log = logging.getLogger("livery.worker")
INTERNAL = N_(
    "Something went wrong inside Livery. Your pictures and settings are safe. Try again; if it happens again, the "
    "person who runs this Livery finds the reason in the log under this job's number."
)
Handler = Callable[[WorkerContext, Claim, JobProgress], None]
HANDLERS: dict[str, Handler] = {"training": training.run, "generation": generation.run}


def run_next(context: WorkerContext, lanes: tuple[str, ...]) -> bool:
    """Claim and run the next job of ``lanes``. Says whether there was one."""
    if context.disk.is_short():
        return False  # what waits says so on the jobs page, and is looked at again with the next bell or tick
    claim = context.write(lambda session: jobs.claim(session, lanes=lanes, owner=context.worker_id))
    if claim is None:
        return False
    context.job_id = claim.job_id
    with lines_carry(job=claim.job_id, workspace=claim.workspace_id, kind=claim.kind, attempt=claim.attempt):
        log.info("job started")
        try:
            with JobProgress(context, claim) as progress:
                outcome = _run(context, claim, progress)
        except LeaseLost:
            outcome = "lease lost"
        finally:
            context.job_id = None
        log.info("job ended: %s", outcome)
    return True


def _run(context: WorkerContext, claim: Claim, progress: JobProgress) -> str:
    """Run the handler and write how it ended, unless it has written that itself. Raises ``LeaseLost``."""
    try:
        HANDLERS[claim.kind](context, claim, progress)
        return "done"
    except LeaseLost:
        raise
    except Cancelled:
        context.write(lambda session: jobs.end_cancelled(session, claim))
        return "cancelled"
    except GiveBack:
        reason = progress.held_back
        context.write(lambda session: jobs.give_back(session, claim, reason=reason))
        return "given back"
    except EngineError as error:
        code, sentence = error.code, error.sentence
        context.write(lambda session: jobs.fail(session, claim, code=code, sentence=sentence))
        return f"failed: {code}"
    except Exception:
        log.exception("job failed")
        context.write(lambda session: jobs.fail(session, claim, code="internal", sentence=INTERNAL))
        return "failed: internal"
