"""Writes a pack: every ad as the files that were asked for, and the table of them, in one ZIP."""

import hashlib
from dataclasses import replace
from pathlib import Path

from app.ad_files import names
from app.ad_files.manifest import ManifestRow
from app.ad_files.names import NamedAd
from app.ad_files.pack import of_file, write_pack
from app.ad_files.values import ENDINGS
from app.errors import N_, AppError, NotFound
from app.jobs.claims import LeaseLost
from app.matrix.packs import work as packs
from app.matrix.packs.contents import PRINT_ENDING, Failure, PackKind, file_kind, kinds_for
from app.matrix.packs.work import AdWork, PackWork
from worker.engines.contracts import EngineError
from worker.files.workspace import job_folder
from worker.handlers.packs.ad_files import AdWriter
from worker.job_run import JobRun

PACK_GONE = N_("The campaign, or an ad of this pack, no longer exists. Please make a new pack.")
NOTHING_PACKED = N_("No file of this pack could be made. Lay the ads out again, then make a new pack.")
CHUNK = 1 << 20


def run(job: JobRun) -> None:
    """Satisfies ``registry.Handler``. What an earlier attempt has written is written anew, to the same bytes.

    Raises ``EngineError``, ``Cancelled``, ``GiveBack``, ``LeaseLost``; in each case no pack stays behind.
    """
    try:
        todo = job.read(lambda session: packs.work(session, job.claim.workspace_id, job.claim.subject_id))
    except NotFound as error:
        raise EngineError("order_outdated", PACK_GONE) from error
    job.progress.phase("packing")
    with job_folder("pack") as folder:
        files, rows, failures = _files(job, todo, folder)
        if not files:
            raise EngineError("nothing_packed", NOTHING_PACKED)
        job.progress.phase("saving")
        entries = [of_file(path, file) for path, file in files.items()]
        written = write_pack(folder / "pack.zip", entries, rows, separator=todo.contents.separator)
        _keep(job, todo, folder / "pack.zip", written.byte_count, failures)


def _files(job: JobRun, todo: PackWork, folder: Path) -> tuple[dict[str, Path], list[ManifestRow], list[Failure]]:
    """By path within the pack the file on this machine; the rows of the table; what could not be made."""
    writer, kept = AdWriter(job, todo, folder), folder / "files"
    kept.mkdir()
    wanted = [(ad, kind) for ad in todo.ads for kind in kinds_for(ad.spec.place, todo.contents.formats)]
    paths = names.paths(todo.contents.pattern, [_named(todo, ad, kind) for ad, kind in wanted])
    files: dict[str, Path] = {}
    rows: list[ManifestRow] = []
    failures: list[Failure] = []
    for position, ((ad, kind), path) in enumerate(zip(wanted, paths, strict=True)):
        job.progress.drawn(position, len(wanted))
        try:
            made = writer.file(ad, kind)
        except AppError as error:
            failures.append(
                Failure(cell_id=ad.packed.cell_id, kind=kind, sentence=error.sentence, params=dict(error.params))
            )
            rows.append(replace(ad.row, type=file_kind(kind), findings=(_told(todo, error),)))
            continue
        file = kept / f"{position}.{made.ending}"
        file.write_bytes(made.content)
        files[path] = file
        found = (*ad.findings, *((one.code, one.numbers) for one in made.findings))
        rows.append(
            replace(
                ad.row,
                file=path,
                type=made.media_type,
                findings=tuple(todo.contents.sentences[code] % numbers for code, numbers in found),
            )
        )
    job.progress.drawn(len(wanted), len(wanted))
    return files, rows, failures


def _told(todo: PackWork, error: AppError) -> str:
    return todo.contents.sentences.get(error.code(), error.sentence) % error.params


def _named(todo: PackWork, ad: AdWork, kind: PackKind) -> NamedAd:
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


def _keep(job: JobRun, todo: PackWork, file: Path, byte_count: int, failures: list[Failure]) -> None:
    """File first, then the row, so that a pack that is there can be downloaded."""
    # The fence in the name: two attempts that overlap never write to the same file.
    key = f"projects/{todo.project_id}/ads/packs/{todo.pack_id}-a{job.claim.fence}.zip"
    job.context.storage.put(key, file)
    sha256 = _sha256(file)
    try:
        job.write(
            lambda session: packs.keep(
                session,
                job.claim,
                todo.pack_id,
                key=key,
                byte_count=byte_count,
                sha256=sha256,
                failures=failures,
            )
        )
    except LeaseLost:
        if not job.read(lambda session: packs.is_kept(session, todo.pack_id, key)):
            job.context.storage.delete(key)
        raise
    except NotFound as error:
        job.context.storage.delete(key)
        raise EngineError("order_outdated", PACK_GONE) from error


def _sha256(file: Path) -> str:
    digest = hashlib.sha256()
    with file.open("rb") as source:
        while chunk := source.read(CHUNK):
            digest.update(chunk)
    return digest.hexdigest()
