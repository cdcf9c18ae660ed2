"""Fetches a base model's files before anybody waits for them."""

from app.base_files import queries
from app.errors import AppError
from app.jobs import service as jobs
from app.jobs.service import Claim
from worker.context import WorkerContext
from worker.engines.contracts import EngineError
from worker.files import base_models
from worker.progress import JobProgress


def run(context: WorkerContext, claim: Claim, progress: JobProgress) -> None:
    """Satisfies ``run_job.Handler``. Goes on from what an earlier attempt has fetched; cancelled, it leaves nothing.

    Raises ``EngineError``, ``Cancelled``, ``GiveBack``, ``LeaseLost``.
    """
    try:
        ordered = context.read(
            lambda session: queries.download(session, workspace_id=claim.workspace_id, download_id=claim.subject_id)
        )
    except AppError as error:
        raise EngineError("order_outdated", str(error)) from error
    base_models.fetch(context, claim, ordered.base_model, progress)
    context.write(lambda session: jobs.finish(session, claim))
