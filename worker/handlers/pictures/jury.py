"""The jury of a training on pictures: sits whenever a step's drawings are complete, and notes what it measured."""

from collections.abc import Callable
from pathlib import Path

from PIL import Image

from app.base_models.catalogue import BaseModelEntry
from app.trainings import attempts
from app.trainings.look import queries
from app.trainings.look.freeze import FrozenPicture, FrozenSet
from app.trainings.look.jury import FIRST_POSITION, Copy, Reading, drawings_for, unseen
from app.trainings.look.recipe import TrainingRecipe
from app.trainings.models import TrainingSample
from app.trainings.queries import JobSpec
from worker.engines.contracts import SamplePicture, TrainingInputs, TrainingPicture
from worker.engines.image.measuring import jury as measuring
from worker.engines.image.measuring.jury import Drawing
from worker.engines.image.measuring.style_statistics import StyleStatistics, style_statistics
from worker.files.workspace import bring_in
from worker.job_run import JobRun

Spec = JobSpec[TrainingRecipe, BaseModelEntry, FrozenSet]
LONGEST_SIDE = 256
"""Of the pictures in memory, in pixels; what is measured sees less."""


def drawings(spec: Spec) -> tuple[tuple[str, int], ...]:
    """What the jury has drawn beside the samples."""
    learned, held_out = spec.frozen.learned, spec.frozen.held_out
    return drawings_for(spec.recipe, [one.caption for one in learned], [one.caption for one in held_out])


def position_of(spec: Spec, index: int) -> int:
    """Of a drawing among the training's samples."""
    watched = len(spec.recipe.sample_prompts)
    return index if index < watched else FIRST_POSITION + index - watched


class Jury:
    """Satisfies ``JobProgress.on_sample``; ``keep`` stores a drawing and notes it."""

    def __init__(
        self, job: JobRun, spec: Spec, inputs: TrainingInputs, folder: Path, keep: Callable[[SamplePicture], None]
    ) -> None:
        self._job, self._spec, self._inputs, self._folder, self._keep = job, spec, inputs, folder, keep
        captions = [one.caption for one in spec.frozen.learned]
        prompts = spec.recipe.sample_prompts
        judged = set(unseen(prompts, captions))
        self._positions = frozenset(
            position_of(spec, index)
            for index in range(len(prompts) + len(inputs.jury))
            if index >= len(prompts) or prompts[index] in judged
        )
        self._last = len(prompts) + len(inputs.jury) - 1
        self._held_out: StyleStatistics | None = None
        self._learned: list[Image.Image] = []

    def sample(self, picture: SamplePicture) -> None:
        """Raises ``LeaseLost``."""
        self._keep(picture)
        if picture.index == self._last and self._positions:
            self._sit(picture.step)

    def _sit(self, step: int) -> None:
        drawn = self._drawn_at(step)
        base = drawn if step == 0 else self._drawn_at(0)
        positions = sorted(drawn.keys() & base.keys())
        if not positions:
            return
        if not self._learned:
            self._learned = [_cut(one.path, one) for one in self._inputs.pictures]
            kept = [found for one in self._spec.frozen.held_out if (found := self._brought(one)) is not None]
            self._held_out = style_statistics(kept) if kept else None
        seen = measuring.look(
            [drawn[place] for place in positions],
            [base[place] for place in positions],
            self._held_out,
            self._learned,
        )
        reading = Reading(
            palette=seen.distance.palette if seen.distance else None,
            edges=seen.distance.edges if seen.distance else None,
            texture=seen.distance.texture if seen.distance else None,
            diversity=seen.diversity,
            obedience=seen.obedience,
            likeness=max(one.likeness for one in seen.nearest),
            copies=tuple(
                Copy(position=place, image_id=self._spec.frozen.learned[one.place].image_id, likeness=one.likeness)
                for place, one in zip(positions, seen.nearest, strict=True)
                if one.is_copy
            ),
        )
        self._job.write(lambda session: attempts.note_reading(session, self._job.claim, step=step, reading=reading))

    def _drawn_at(self, step: int) -> dict[int, Drawing]:
        """By the position, as they are stored: an attempt that goes on finds what the one before it drew."""
        rows: list[TrainingSample] = self._job.read(
            lambda session: queries.drawn_at(session, self._spec.training_id, step)
        )
        found = {}
        for row in rows:
            if row.position in self._positions:
                path = bring_in(self._job.context.storage, row.key, self._folder / f"jury-{step}-{row.position}.webp")
                found[row.position] = Drawing(row.prompt, row.seed, _small(path))
                path.unlink()
        return found

    def _brought(self, picture: FrozenPicture) -> Image.Image | None:
        """None for one that has been deleted since."""
        path = self._folder / f"held-out-{picture.image_id}{Path(picture.working_key).suffix}"
        try:
            bring_in(self._job.context.storage, picture.working_key, path)
        except FileNotFoundError:
            return None
        try:
            return _cut(path, picture)
        finally:
            path.unlink()


def _small(path: Path) -> Image.Image:
    with Image.open(path) as opened:
        found = opened.convert("RGB")
    found.thumbnail((LONGEST_SIDE, LONGEST_SIDE))
    return found


def _cut(path: Path, picture: TrainingPicture | FrozenPicture) -> Image.Image:
    """What training sees of it."""
    with Image.open(path) as opened:
        has_gaps = opened.mode in ("RGBA", "LA", "PA") or "transparency" in opened.info
        whole = Image.new("RGBA", opened.size, "white") if has_gaps else opened.convert("RGB")
        if has_gaps:
            whole.alpha_composite(opened.convert("RGBA"))
    box = (picture.left, picture.top, picture.left + picture.width, picture.top + picture.height)
    found = whole.crop(box).convert("RGB")
    found.thumbnail((LONGEST_SIDE, LONGEST_SIDE))
    return found
