"""Makes a pack: every file of its ads, each kept until all are there, then the ZIP and its tables.

What is finished waits in the storage, so another attempt goes on with the next file. Files and ZIP follow from what was
frozen with the order: they are the same bytes, whoever made which part.
"""

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path

from app.ad_files import names
from app.ad_files.manifest import ManifestRow
from app.ad_files.names import NamedAd
from app.ad_files.pack import PackEntry, write_pack
from app.ad_files.values import ENDINGS, MEDIA_TYPES
from app.errors import N_, NotFound
from app.jobs.claims import LeaseLost
from app.matrix.packs import work as packs
from app.matrix.packs.contents import PRINT_ENDING, Failure, PackKind, file_kind, kinds_for
from app.matrix.packs.work import AdWork, PackWork
from worker.engines.contracts import Cancelled, EngineError
from worker.files.workspace import job_folder
from worker.handlers.packs.kept_files import KeptFiles, Told
from worker.job_run import JobRun

PACK_GONE = N_("The campaign, or an ad of this pack, no longer exists. Please make a new pack.")
NOTHING_PACKED = N_(
    "No file of this pack could be made: the files of its ads are gone, or too heavy for their channels."
)


@dataclass(frozen=True)
class _Part:
    """One file of the pack, and where it lies in it."""

    ad: AdWork
    kind: PackKind
    path: str


def run(job: JobRun) -> None:
    """Satisfies ``registry.Handler``. Raises ``EngineError``, ``Cancelled``, ``GiveBack``, ``LeaseLost``."""
    try:
        todo = job.read(lambda session: packs.work(session, job.claim.workspace_id, job.claim.subject_id))
    except NotFound as error:
        raise EngineError("order_outdated", PACK_GONE) from error
    job.progress.phase("packing")
    with job_folder("pack") as folder:
        kept = KeptFiles(job, todo, folder)
        try:
            _make(job, todo, kept, folder / "pack.zip")
        except (Cancelled, EngineError):
            kept.clear()
            raise
    kept.clear()


def _make(job: JobRun, todo: PackWork, kept: KeptFiles, target: Path) -> None:
    parts = _parts(todo)
    told: list[Told] = []
    for position, part in enumerate(parts):
        job.progress.drawn(position, len(parts))
        told.append(kept.ready(part.ad, part.kind))
    job.progress.drawn(len(parts), len(parts))
    there = [part for part, one in zip(parts, told, strict=True) if one.failure is None]
    if not there:
        raise EngineError("nothing_packed", NOTHING_PACKED)
    job.progress.phase("saving")
    rows = [_row(todo, part, one) for part, one in zip(parts, told, strict=True)]
    written = write_pack(target, [_entry(kept, part) for part in there], rows, separator=todo.contents.separator)
    _keep(job, todo, target, written.byte_count, [one.failure for one in told if one.failure is not None])


def _parts(todo: PackWork) -> list[_Part]:
    wanted = [(ad, kind) for ad in todo.ads for kind in kinds_for(ad.spec.place, todo.contents.formats)]
    paths = names.paths(todo.contents.pattern, [_named(todo, ad, kind) for ad, kind in wanted])
    return [_Part(ad, kind, path) for (ad, kind), path in zip(wanted, paths, strict=True)]


def _named(todo: PackWork, ad: AdWork, kind: PackKind) -> NamedAd:
    """The day is that of the version, so that the same state has the same names on any day."""
    return NamedAd(
        campaign=todo.contents.campaign,
        channel=ad.spec.place.key,
        locale=ad.spec.locale,
        audience=ad.packed.audience,
        layout=ad.spec.layout,
        number=ad.packed.number,
        date=ad.created_at.date(),
        version=ad.packed.version,
        ending=PRINT_ENDING if kind == "print" else ENDINGS[file_kind(kind)],
    )


def _entry(kept: KeptFiles, part: _Part) -> PackEntry:
    def chunks() -> Iterable[bytes]:
        return kept.content(part.ad, part.kind)

    return PackEntry(part.path, chunks)


def _row(todo: PackWork, part: _Part, told: Told) -> ManifestRow:
    said = [todo.contents.sentence(code, numbers) for code, numbers in (*part.ad.findings, *told.findings)]
    if told.failure is not None:
        said.append(todo.contents.sentence(told.failure.code, told.failure.params))
    return replace(
        part.ad.row,
        file="" if told.failure is not None else part.path,
        type=MEDIA_TYPES[file_kind(part.kind)],
        findings=tuple(said),
    )


def _keep(job: JobRun, todo: PackWork, file: Path, byte_count: int, failures: list[Failure]) -> None:
    """File first, then the row, so that a pack that is there can be downloaded."""
    # The fence in the name: two attempts that overlap never write to the same file.
    storage, key = job.context.storage, f"{todo.folder}-a{job.claim.fence}.zip"
    with file.open("rb") as source:
        sha256 = hashlib.file_digest(source, "sha256").hexdigest()
    storage.put(key, file)
    made = {"key": key, "byte_count": byte_count, "sha256": sha256}
    try:
        job.write(lambda session: packs.keep(session, job.claim, todo.pack_id, made, failures))
    except LeaseLost:
        # Perhaps of our own end, whose answer was lost.
        if not job.read(lambda session: packs.is_kept(session, todo.pack_id, key)):
            storage.delete(key)
        raise
    except NotFound as error:
        storage.delete(key)
        raise EngineError("order_outdated", PACK_GONE) from error
