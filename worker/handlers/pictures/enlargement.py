"""Makes one picture larger and keeps the larger one beside it."""

from app.errors import N_, AppError
from app.generations.enlarging import service
from app.generations.enlarging.service import EnlargementSpec
from app.generations.provenance import made_by
from app.jobs import outcomes
from worker.engines import registry
from worker.engines.contracts import EngineError, GeneratedPicture
from worker.files.workspace import bring_in, job_folder
from worker.handlers.pictures.finished_pictures import keep
from worker.job_run import JobRun

ORIGINAL_GONE = N_("The picture to enlarge was deleted.")


def run(job: JobRun) -> None:
    """Satisfies ``registry.Handler``. What an earlier attempt has kept is not made twice.

    Raises ``EngineError``, ``Cancelled``, ``GiveBack``, ``LeaseLost``.
    """
    order = _order(job)
    if not order.is_done:
        _enlarge(job, order)
    job.write(lambda session: outcomes.finish(session, job.claim))


def _order(job: JobRun) -> EnlargementSpec:
    workspace_id, generation_id = job.claim.workspace_id, job.claim.subject_id
    try:
        return job.read(
            lambda session: service.spec_of(session, workspace_id=workspace_id, generation_id=generation_id)
        )
    except AppError as error:
        raise EngineError("original_gone", ORIGINAL_GONE) from error


def _enlarge(job: JobRun, order: EnlargementSpec) -> None:
    with job_folder("enlargement") as folder:
        try:
            source = bring_in(job.context.storage, order.source_key, folder / "source.png")
        except FileNotFoundError as error:
            raise EngineError("original_gone", ORIGINAL_GONE) from error
        times = order.steps[-1].times
        larger = registry.enlarger().enlarge(source, times, folder / "larger.png", job.progress)
        told = job.write(lambda session: service.note_network(session, job.claim, order, larger.network))
        made = made_by(
            told.recipe,
            tuple(adapter.used for adapter in told.adapters),
            seed=told.seed,
            multiplier=told.multiplier,
            size=(larger.width, larger.height),
            enlarged=told.steps,
        )
        picture = GeneratedPicture(
            index=0,
            path=larger.path,
            seed=told.seed,
            width=larger.width,
            height=larger.height,
            seconds=larger.seconds,
            strength=told.multiplier,
        )
        keep(job, told, 0, picture, made)
