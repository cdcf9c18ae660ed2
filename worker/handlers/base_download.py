"""Fetches a base model's files before anybody waits for them."""

from app.base_files import queries
from app.errors import AppError
from app.jobs import outcomes
from worker.engines.contracts import EngineError
from worker.files import base_models
from worker.job_run import JobRun


def run(job: JobRun) -> None:
    """Satisfies ``registry.Handler``. Goes on from what an earlier attempt has fetched; cancelled, it leaves nothing.

    Raises ``EngineError``, ``Cancelled``, ``GiveBack``, ``LeaseLost``.
    """
    try:
        ordered = job.read(
            lambda session: queries.download(
                session, workspace_id=job.claim.workspace_id, download_id=job.claim.subject_id
            )
        )
    except AppError as error:
        raise EngineError("order_outdated", str(error)) from error
    base_models.fetch(job, ordered.base_model)
    job.write(lambda session: outcomes.finish(session, job.claim))
