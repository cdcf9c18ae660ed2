"""One ad of a pack as a file of one kind."""

from dataclasses import replace
from pathlib import Path

from app.ad_files.documents import pdf_file
from app.ad_files.findings import TooHeavy
from app.ad_files.layered import psd_file
from app.ad_files.pictures import picture_file
from app.ad_files.values import AdFile, Provenance
from app.generations.provenance import software
from app.matrix.errors import FileGone
from app.matrix.packs.contents import PackKind
from app.matrix.packs.work import AdWork, PackWork
from app.matrix.rendering import Task, Tasks
from worker.handlers.rendering import Desk
from worker.job_run import JobRun


class AdWriter:
    """Writes files one after the other; ads that share a picture or a kit read it once."""

    def __init__(self, job: JobRun, todo: PackWork, folder: Path) -> None:
        self._job, self._contents = job, todo.contents
        self._desk = Desk(job, Tasks(todo.project_id, len(todo.ads), (), todo.kits), folder)

    def file(self, ad: AdWork, kind: PackKind) -> AdFile:
        """A picture is the very one that was approved; layers and documents are set again from its specification.

        Raises ``FileGone``, ``FileNotFoundError``, ``TooHeavy``, and what ``render.render`` raises.
        """
        place, provenance = ad.spec.place, self._provenance(ad)
        if kind in ("png", "jpeg", "webp", "avif"):
            if ad.key is None:
                raise FileGone()
            return picture_file(self._job.context.storage.get(ad.key), kind, provenance, max_bytes=place.max_bytes)
        picture = self._picture(ad)
        if kind == "psd":
            return psd_file(self._desk.rendered(ad.spec, picture), provenance, dpi=place.dpi)
        canvas = place.canvas if kind == "print" else replace(place.canvas, bleed_px=0)
        file = pdf_file(self._desk.document(ad.spec, canvas, picture).pdf, provenance)
        if place.file_type == "pdf" and place.max_bytes is not None and len(file.content) > place.max_bytes:
            raise TooHeavy(kilobytes=-(-len(file.content) // 1000), most=place.max_bytes // 1000)
        return file

    def _picture(self, ad: AdWork) -> bytes:
        if ad.picture_key is None:
            raise FileGone()
        task = Task(ad.packed.version_id, ad.packed.cell_id, ad.campaign_id, ad.spec, ad.picture_key)
        return self._desk.picture(task)[0]

    def _provenance(self, ad: AdWork) -> Provenance:
        return Provenance(
            created_at=ad.created_at,
            software=software(),
            title=ad.spec.headline or self._contents.campaign,
            alt_text=ad.spec.words.alternative,
            ai_statement=ad.row.ai_statement,
        )
