"""The last step of a training: an adapter's row and the end of its job, in one transaction. For every modality."""

from collections.abc import Callable
from typing import Any

from app.adapters import queries as adapters
from app.errors import NotFound
from app.jobs.claims import LeaseLost
from worker.job_run import JobRun


def register(job: JobRun, adapter_id: str, stored: str, complete: Callable[..., Any]) -> None:
    """Run ``complete`` with a session, which registers the adapter and ends the job.

    What was put into the folder ``stored`` before is removed again where another attempt holds the job; then it raises
    ``LeaseLost``. Whatever else ``complete`` raises goes through, and the files stay.
    """
    try:
        job.write(complete)
    except LeaseLost:
        if _is_registered(job, adapter_id):
            return  # The commit went through, only its answer was lost, and the second try found the job ended.
        job.context.storage.delete_under(stored)
        raise


def _is_registered(job: JobRun, adapter_id: str) -> bool:
    try:
        job.read(lambda session: adapters.adapter(session, workspace_id=job.claim.workspace_id, adapter_id=adapter_id))
    except NotFound:
        return False
    return True
