"""Draws the pictures of an order and keeps each as soon as it is finished."""

from dataclasses import replace
from pathlib import Path

from app.errors import N_, AppError
from app.generations import queries
from app.generations.provenance import made_by
from app.generations.queries import GenerationSpec
from app.generations.requests import remaining
from app.matrix import pictures
from worker.engines import registry
from worker.engines.contracts import AdapterFile, EngineError, GeneratedPicture, GenerationInputs
from worker.files import base_models
from worker.files.workspace import bring_in, cached, job_folder
from worker.handlers.drawing_plan import OrdersPlan
from worker.handlers.pictures.finished_pictures import keep
from worker.job_run import JobRun

ADAPTER_FILE_GONE = N_("The file of one of the adapters is missing from storage. Please choose another adapter.")
START_GONE = N_("The start picture is missing from storage. Please choose it again.")
STOPPED_SHORT = N_("Drawing ended before all pictures were done. Please try again.")


def run(job: JobRun) -> None:
    """Satisfies ``registry.Handler``. Pictures that an earlier attempt has kept are not kept twice.

    Raises ``EngineError``, ``Cancelled``, ``GiveBack``, ``LeaseLost``; in each case finished pictures stay.
    """
    order = _order(job)
    if len(order.done) < order.recipe.count:
        with job_folder("generation") as folder:
            inputs = _inputs(job, order, folder)
            left = _draw(job, order, inputs, folder)
        if left:
            job.progress.check()
            raise EngineError("stopped_short", STOPPED_SHORT)
    job.write(lambda session: pictures.end_order(session, job.claim))


def _draw(job: JobRun, order: GenerationSpec, inputs: GenerationInputs, folder: Path) -> set[int]:
    """Draw what is left and keep it; says which positions are empty when the drawing has ended.

    When the memory runs out, what is there stays and the rest is drawn in the plan's next smaller way.
    """
    plan = OrdersPlan(job, order)
    job.progress.on_drawing_smaller = plan.went_smaller
    engine = registry.engine_for(order.base.family)
    everything = frozenset(range(order.recipe.count))
    left = set(everything - order.done)
    while (part := remaining(plan.recipe, everything - left)) is not None:
        try:
            for picture in engine.generate(part.recipe, plan.inputs(inputs), folder, job.progress):
                position = part.positions[picture.index]
                if position in left:
                    _keep(job, replace(order, recipe=plan.recipe), position, picture)
                    left.discard(position)
            break
        except EngineError as error:
            if error.code != "out_of_memory" or not plan.take_next():
                raise
        job.progress.phase("loading")
    return left


def _order(job: JobRun) -> GenerationSpec:
    try:
        return job.read(lambda session: queries.generation_spec(session, job.claim.subject_id))
    except AppError as error:
        raise EngineError("order_outdated", str(error)) from error


def _inputs(job: JobRun, order: GenerationSpec, folder: Path) -> GenerationInputs:
    files = []
    for adapter in order.adapters:
        try:
            path = cached(job.context.storage, adapter.key, job.context.cache_folder, adapter.used.sha256)
        except FileNotFoundError as error:
            raise EngineError("adapter_file_gone", ADAPTER_FILE_GONE) from error
        # The content's hash as the key lets the engine keep the adapter loaded between orders.
        files.append(AdapterFile(key=adapter.used.sha256, path=path, strength=adapter.used.strength))
    base = base_models.ready(job, order.base)
    return GenerationInputs(
        base=base,
        adapters=tuple(files),
        image=_fetched(job, order.image_key, folder / "start.png"),
        mask=_fetched(job, order.mask_key, folder / "mask.png"),
        enlargement=order.base.enlargement,
        trigger_words=tuple(adapter.trigger_word for adapter in order.adapters),
    )


def _fetched(job: JobRun, key: str | None, target: Path) -> Path | None:
    if key is None:
        return None
    try:
        return bring_in(job.context.storage, key, target)
    except FileNotFoundError as error:
        raise EngineError("picture_gone", START_GONE) from error


def _keep(job: JobRun, order: GenerationSpec, position: int, picture: GeneratedPicture) -> None:
    made = made_by(
        order.recipe,
        tuple(adapter.used for adapter in order.adapters),
        seed=picture.seed,
        multiplier=picture.strength,
        size=(picture.width, picture.height),
    )
    keep(job, order, position, picture, made)
