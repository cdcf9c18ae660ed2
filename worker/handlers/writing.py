"""Writes the texts of an order, arm by arm, and shows each while it grows."""

import time
from pathlib import Path

from app.db import DATABASE_AWAY
from app.errors import N_, AppError
from app.voice import queries as voice
from app.writings import service, spec
from app.writings.recipe import Arm, ArmRecipe
from app.writings.requests import remaining
from app.writings.spec import WritingSpec
from worker.engines import registry
from worker.engines.contracts import AdapterFile, EngineError, SamplePicture, Step
from worker.engines.text_contracts import WritingInputs, Written
from worker.files import base_models
from worker.files.workspace import cached
from worker.job_run import JobRun
from worker.progress import JobProgress

SHOWN_EVERY_SECONDS = 0.5
VOICE_FILE_GONE = N_("The file of the voice is missing from storage. Please choose another voice.")
STOPPED_SHORT = N_("Writing ended before all texts were done. Please try again.")


def run(job: JobRun) -> None:
    """Satisfies ``registry.Handler``. Texts that an earlier attempt has finished are not written twice; one that was
    under way is begun anew, and the same seed gives the same text.

    Raises ``EngineError``, ``Cancelled``, ``GiveBack``, ``LeaseLost``; in each case finished texts stay.
    """
    order = _order(job)
    samples = job.read(
        lambda session: voice.training_set(session, workspace_id=order.workspace_id, project_id=order.project_id)
    )
    texts = _Texts(job, order, [sample.text for sample in samples])
    for part in order.order.arms:
        _write_arm(job, order, part, texts)
    if texts.finished < texts.total:
        job.progress.check()
        raise EngineError("stopped_short", STOPPED_SHORT)
    job.write(lambda session: service.complete(session, job.claim, order))


def _order(job: JobRun) -> WritingSpec:
    try:
        return job.read(lambda session: spec.writing_spec(session, job.claim.subject_id))
    except AppError as error:
        raise EngineError("order_outdated", str(error)) from error


def _write_arm(job: JobRun, order: WritingSpec, part: ArmRecipe, texts: "_Texts") -> None:
    rest = remaining(part.recipe, texts.done_of(part.arm))
    if rest is None:
        return
    engine = registry.text_engine_for(order.base.family)
    inputs = _inputs(job, order, part)
    whole = _WholeOrder(job.progress, texts.finished, part.recipe.count - len(texts.done_of(part.arm)), texts.total)
    for written in engine.write(rest.recipe, inputs, whole):
        texts.take(part.arm, rest.first + written.variant, written)
    if len(texts.done_of(part.arm)) < part.recipe.count:
        job.progress.check()


def _inputs(job: JobRun, order: WritingSpec, part: ArmRecipe) -> WritingInputs:
    base = base_models.ready(job, order.base)
    if part.arm != "adapter" or order.voice is None:
        return WritingInputs(base=base, cache=job.context.cache_folder)
    try:
        path = cached(job.context.storage, order.voice.key, job.context.cache_folder, order.voice.sha256)
    except FileNotFoundError as error:
        raise EngineError("voice_file_gone", VOICE_FILE_GONE) from error
    # The content's hash as the key lets the engine keep the adapter loaded between orders.
    file = AdapterFile(key=order.voice.sha256, path=path, strength=1.0)
    return WritingInputs(base=base, adapter=file, cache=job.context.cache_folder)


class _Texts:
    """Writes texts down as they grow, at most twice a second, each as soon as it is finished."""

    def __init__(self, job: JobRun, order: WritingSpec, samples: list[str]) -> None:
        self._job, self._order, self._samples = job, order, samples
        self._done = set(order.done)
        self._shown = 0.0

    def done_of(self, arm: Arm) -> frozenset[int]:
        return frozenset(position for done, position in self._done if done == arm)

    @property
    def finished(self) -> int:
        return len(self._done)

    @property
    def total(self) -> int:
        return sum(part.recipe.count for part in self._order.order.arms)

    def take(self, arm: Arm, position: int, written: Written) -> None:
        if (arm, position) in self._done:
            return
        if not written.finished:
            self._show(arm, position, written)
            return
        copied = service.overlap_in(written.text_so_far, self._samples)
        self._job.write(
            lambda session: service.note_text(
                session,
                self._job.claim,
                self._order,
                arm=arm,
                position=position,
                text=written.text_so_far,
                tokens=written.tokens,
                seconds=written.seconds,
                finished=True,
                copied=copied,
            )
        )
        self._done.add((arm, position))

    def _show(self, arm: Arm, position: int, written: Written) -> None:
        moment = time.monotonic()
        if moment - self._shown < SHOWN_EVERY_SECONDS:
            return
        self._shown = moment
        try:
            with self._job.context.database.write() as session:
                service.note_text(
                    session,
                    self._job.claim,
                    self._order,
                    arm=arm,
                    position=position,
                    text=written.text_so_far,
                    tokens=written.tokens,
                    seconds=written.seconds,
                    finished=False,
                )
        except DATABASE_AWAY:
            return  # a courtesy: the writing goes on, and the finished text says it all again


class _WholeOrder:
    """Satisfies the engines' ``Progress``: one arm's progress as a part of the whole order's."""

    def __init__(self, progress: JobProgress, before: int, here: int, total: int) -> None:
        self._progress, self._before, self._here, self._total = progress, before, here, total

    def phase(self, name: str) -> None:
        self._progress.phase(name)

    def drawn(self, done: int, total: int) -> None:
        """Counted in thousandths of a text, so that arms add up whatever an engine counts in."""
        here = self._here * 1000 * done // max(1, total)
        self._progress.drawn(self._before * 1000 + here, self._total * 1000)

    def step(self, step: Step) -> None:
        self._progress.step(step)

    def sample(self, picture: SamplePicture) -> None:
        self._progress.sample(picture)

    def short_of_memory(self, *, micro_batch_size: int, gradient_checkpointing: bool) -> None:
        self._progress.short_of_memory(micro_batch_size=micro_batch_size, gradient_checkpointing=gradient_checkpointing)

    def drawing_smaller(self, *, batch_size: int, tiled: bool) -> None:
        self._progress.drawing_smaller(batch_size=batch_size, tiled=tiled)

    def checkpoint(self, folder: Path, step: int) -> None:
        self._progress.checkpoint(folder, step)
