"""Lays out the cells that an act has changed, each kept as soon as it is finished."""

import hashlib
import io
from dataclasses import replace
from pathlib import Path

from PIL import Image

from app.brand_kits import files as kit_files
from app.brand_kits.snapshot import KitSnapshot
from app.brand_kits.typefaces import Typefaces, fonts_for
from app.errors import N_, AppError, NotFound
from app.jobs import outcomes
from app.jobs.claims import LeaseLost
from app.layouts import designs, render
from app.layouts.values import Colours, Locale, Rendered, Slots
from app.matrix import rendering
from app.matrix.rendering import Laid, Task, Tasks
from app.matrix.spec import CellSpec
from worker.engines.contracts import EngineError
from worker.files.workspace import job_folder
from worker.job_run import JobRun

PREVIEW_SIDE = 800
NEARLY = 1.05
"""A picture may be smaller than the ad by this factor and is taken as it is."""
MOST_SIDE, MOST_PIXELS = 4096, 12_000_000
"""Beyond this nothing is enlarged by the network: it would take minutes, and show nothing more."""
PICTURE_GONE = N_("The picture of this ad is no longer in the storage. Please choose another.")
NOT_LAID_OUT = N_("This ad could not be laid out. Please choose another picture or layout.")
CAMPAIGN_GONE = N_("The campaign no longer exists.")


def run(job: JobRun) -> None:
    """Satisfies ``registry.Handler``. What an earlier attempt has laid out is not laid out again.

    Raises ``EngineError``, ``Cancelled``, ``GiveBack``, ``LeaseLost``; in each case finished ads stay.
    """
    try:
        todo = job.read(lambda session: rendering.tasks(session, job.claim.workspace_id, job.claim.subject_id))
    except NotFound as error:
        raise EngineError("order_outdated", CAMPAIGN_GONE) from error
    job.progress.phase("drawing")
    with job_folder("rendering") as folder:
        desk = Desk(job, todo, folder)
        for position, task in enumerate(todo.left, todo.total - len(todo.left)):
            job.progress.drawn(position, todo.total)
            _keep(job, todo, task, desk.laid_out(task))
    job.progress.drawn(todo.total, todo.total)
    job.write(lambda session: outcomes.finish(session, job.claim))


class Desk:
    """What several ads of one act share: kits, fonts, and pictures that were enlarged."""

    def __init__(self, job: JobRun, todo: Tasks, folder: Path) -> None:
        self._job, self._todo, self._folder = job, todo, folder
        self._fonts: dict[int, Typefaces] = {}
        self._pictures: dict[tuple[str, int], bytes] = {}

    def laid_out(self, task: Task) -> tuple[Rendered | None, Laid]:
        """The ad, or why there is none."""
        if task.picture_key is None:
            return None, Laid(problem=PICTURE_GONE)
        try:
            picture, times = self.picture(task)
            return self.rendered(task.spec, picture), Laid(enlarged=times)
        except FileNotFoundError:
            return None, Laid(problem=PICTURE_GONE)
        except AppError as error:
            return None, Laid(problem=str(error))

    def rendered(self, spec: CellSpec, picture: bytes) -> Rendered:
        """Raises what ``render.render`` raises, ``FileNotFoundError``, ``StorageAway``."""
        kit = self._todo.kits[spec.kit_version]
        faces = self.fonts(kit)
        made = render.render(
            designs.layout(spec.layout),
            spec.theme,
            spec.place.canvas,
            self.slots(spec, kit, picture),
            Locale(spec.locale),
            colours_of(kit),
            fonts_folder=faces.folder,
            family=faces.headline,
            body_family=faces.body,
        )
        return replace(made, findings=(*made.findings, *faces.findings))

    def picture(self, task: Task) -> tuple[bytes, int]:
        """The picture, enlarged where it is smaller than the ad, and how many times.

        Raises ``FileNotFoundError``, ``StorageAway``.
        """
        assert task.picture_key is not None
        storage, sha = self._job.context.storage, task.spec.picture
        if (sha, 1) not in self._pictures:
            self._pictures = {(sha, 1): storage.get(task.picture_key)}
        times = times_needed(self._pictures[sha, 1], task.spec)
        if (sha, times) not in self._pictures:
            self._pictures[sha, times] = self._enlarged(self._pictures[sha, 1], sha, times)
        return self._pictures[sha, times], times

    def _enlarged(self, content: bytes, sha: str, times: int) -> bytes:
        """Kept beside the ads, as the network takes longer than the layout."""
        storage, key = self._job.context.storage, f"projects/{self._todo.project_id}/ads/pictures/{sha}-{times}x.png"
        try:
            return storage.get(key)
        except FileNotFoundError:
            from worker.engines.image.enlarging.enlarge import enlarged_picture  # loads torch

            made = enlarged_picture(Image.open(io.BytesIO(content)), times, self._tile_done)
        out = io.BytesIO()
        made.picture.save(out, "PNG", compress_level=1)
        storage.put(key, out.getvalue())
        return out.getvalue()

    def _tile_done(self, done: int, total: int) -> None:
        self._job.progress.check()

    def fonts(self, kit: KitSnapshot) -> Typefaces:
        """The kit's fonts by their roles; the shipped ones where it has none."""
        if kit.version not in self._fonts:
            folder = self._folder / f"fonts-{kit.version}"
            folder.mkdir()
            self._fonts[kit.version] = fonts_for(self._job.context.storage, kit, folder)
        return self._fonts[kit.version]

    def slots(self, spec: CellSpec, kit: KitSnapshot, picture: bytes) -> Slots:
        storage, hidden = self._job.context.storage, set(spec.hidden)
        light, dark = (
            kit_files.logo_bytes(storage, kit, kind) if kit.logo(kind) and "logo" not in hidden else None
            for kind in ("light", "dark")
        )
        shown = kit.logo("light") or kit.logo("dark")
        return Slots(
            picture=picture,
            focus=spec.focus,
            headline=spec.headline,
            body="" if "body" in hidden else spec.words.body,
            call_to_action="" if "call_to_action" in hidden else spec.words.call_to_action,
            badge="" if "badge" in hidden else spec.words.badge,
            legal="" if "legal" in hidden else spec.legal,
            ai_label="" if "ai_label" in hidden else spec.ai_label,
            logo_on_light=light,
            logo_on_dark=dark,
            logo_clear_space=shown.clear_space if shown else 0.25,
        )


def times_needed(picture: bytes, spec: CellSpec) -> int:
    """1, 2 or 4: how many times the picture is enlarged so that it covers the ad."""
    with Image.open(io.BytesIO(picture)) as opened:
        width, height = opened.size
    factor = max(spec.place.width_px / width, spec.place.height_px / height)
    most = min(MOST_SIDE / max(width, height), (MOST_PIXELS / (width * height)) ** 0.5)
    return max(times for times in (1, 2, 4) if times == 1 or (times <= most and factor > times / 2 * NEARLY))


def colours_of(kit: KitSnapshot) -> Colours:
    """The kit's colours by role; where a role has none, black on white."""
    given = kit.colours
    text, ground = given.text or "#1a1a1a", given.ground or "#ffffff"
    primary = given.primary or given.accent or text
    return Colours(primary=primary, accent=given.accent or primary, ground=ground, text=text)


def _keep(job: JobRun, todo: Tasks, task: Task, result: tuple[Rendered | None, Laid]) -> None:
    """Files first, then the row, so that an ad that is there can be shown."""
    rendered, laid = result
    keys: tuple[str, ...] = ()
    if rendered is not None:
        # The fence in the name: two attempts that overlap never write to the same file.
        key = f"projects/{todo.project_id}/ads/{task.cell_id}/{task.version_id}-a{job.claim.fence}.png"
        keys = key, key.removesuffix(".png") + "-preview.webp"
        job.context.storage.put(keys[0], rendered.png)
        job.context.storage.put(keys[1], _preview(rendered.png))
        laid = Laid(
            key=keys[0],
            preview_key=keys[1],
            byte_count=len(rendered.png),
            sha256=hashlib.sha256(rendered.png).hexdigest(),
            enlarged=laid.enlarged,
            findings=tuple({"code": one.code, "slot": one.slot, "numbers": one.numbers} for one in rendered.findings),
        )
    kept = False
    try:
        kept = job.write(lambda session: rendering.keep(session, job.claim, task, laid))
    except LeaseLost:
        if not keys or not job.read(lambda session: rendering.is_kept(session, task, keys[0])):
            _forget(job, keys)
        raise
    if not kept:
        _forget(job, keys)


def _forget(job: JobRun, keys: tuple[str, ...]) -> None:
    for key in keys:
        job.context.storage.delete(key)


def _preview(png: bytes) -> bytes:
    picture = Image.open(io.BytesIO(png)).convert("RGB")
    picture.thumbnail((PREVIEW_SIDE, PREVIEW_SIDE), Image.Resampling.LANCZOS)
    out = io.BytesIO()
    picture.save(out, "WEBP", quality=86, method=4)
    return out.getvalue()
