"""Imported adapter files: inspected, converted, and adopted by a brand.

Everything slow happens before the first statement of a transaction, as with pictures.
"""

import re
import shutil
import tempfile
import threading
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any, BinaryIO

from sqlalchemy import delete as delete_rows
from sqlalchemy import select, update
from sqlalchemy.orm import Session

from app.adapters import inspecting, queries, service
from app.adapters.errors import VersionTaken
from app.adapters.hub import addresses
from app.adapters.models import Adapter, ImportedFile
from app.adapters.names import file_stem, slug
from app.adapters.service import AdapterFiles
from app.adapters.sidecar import architecture_of
from app.base_models import queries as base_models
from app.base_models.catalogue import BaseModelEntry
from app.db import Database, new_id, now
from app.errors import N_, AppError, Conflict, Invalid
from app.jobs import outcomes
from app.jobs import service as jobs
from app.jobs.claims import Claim
from app.jobs.queries import jobs_of
from app.lora_files import export, inspection, key_formats, safetensors_file
from app.lora_files.families.facts import WrittenFormat
from app.lora_files.inspection import MetadataReport
from app.lora_files.keys import signs
from app.lora_files.keys.lycoris import ChangesT5
from app.lora_files.text import one_line
from app.sealing import seal
from app.storage import Storage

FOLDER = "projects/brought"
"""Beside the brands' folders, so that backups and the sweep of orphans find it."""
KEPT = timedelta(days=30)
MB = 1_000_000
TOKEN_PURPOSE = "hub token"  # noqa: S105 - names what is sealed, and is no secret
KIND = "adapter_import"
FILE_GONE = N_("The adapter's file is missing or damaged.")
CHUNK = 2**20
# A conversion holds the whole file in memory; two at once would only fill it.
_ONE_AT_A_TIME = threading.BoundedSemaphore(1)


class AdapterTooLarge(AppError):
    status = 413
    sentence = N_("This file is larger than %(limit_mb)s MB, the limit for adapters on this Livery.")


class NotHereYet(Conflict):
    sentence = N_("This file is still being fetched. Please wait until it has arrived.")


class WrongBase(Invalid):
    sentence = N_("This adapter was not made for %(base)s. Please choose the base that it belongs to.")


@dataclass(frozen=True)
class Stored:
    """A file that is in the storage; the facts of its row."""

    file_id: str
    name: str
    key: str
    byte_count: int
    sha256: str
    report: dict[str, Any]


@dataclass(frozen=True)
class Adopted:
    """An imported file as an adapter's files."""

    adapter_id: str
    version: int
    rank: int
    alpha: float
    files: AdapterFiles
    is_for_livery_alone: bool
    """Whether its diffusers file is one for Livery alone."""


def ingest(storage: Storage, file: BinaryIO, name: str, *, most_bytes: int, file_id: str | None = None) -> Stored:
    """Look at the file and keep it. Raises ``AdapterTooLarge``, or ``UnsafeFile`` for what is no safetensors file."""
    with tempfile.TemporaryDirectory(prefix="livery-adapter-") as folder:
        path = Path(folder) / "adapter.safetensors"
        count = 0
        with path.open("wb") as target:
            while chunk := file.read(CHUNK):
                count += len(chunk)
                if count > most_bytes:
                    raise AdapterTooLarge(limit_mb=most_bytes // MB)
                target.write(chunk)
        return keep(storage, path, name, file_id=file_id)


def keep(storage: Storage, path: Path, name: str, *, file_id: str | None = None, learned: Sequence[str] = ()) -> Stored:
    """Look at a local file and put it into the storage; ``learned`` are trigger words that a hub tells of it.

    Raises ``UnsafeFile``.
    """
    report = inspecting.of_file(path)
    report.trigger_words = report.trigger_words or [one_line(word) for word in learned]
    report.suggested_words = [] if report.trigger_words else report.suggested_words
    file_id = file_id or new_id()
    key = f"{FOLDER}/{file_id}.safetensors"
    storage.put(key, path)
    assert report.hashes.sha256 is not None
    return Stored(
        file_id=file_id,
        name=_plain_name(name),
        key=key,
        byte_count=report.byte_count,
        sha256=report.hashes.sha256,
        report=report.model_dump(mode="json"),
    )


def add(session: Session, stored: Stored, *, workspace_id: str, created_by: str | None) -> ImportedFile:
    """The row of a file that is in the storage."""
    row = ImportedFile(
        id=stored.file_id,
        workspace_id=workspace_id,
        name=stored.name,
        key=stored.key,
        byte_count=stored.byte_count,
        sha256=stored.sha256,
        passport=stored.report,
        created_by=created_by,
    )
    session.add(row)
    session.flush()
    return row


def request_import(
    session: Session, *, workspace_id: str, address: str, token: str, signing_key: bytes, created_by: str | None
) -> ImportedFile:
    """Let a worker fetch a file from a hub. Raises ``UnknownAddress``, ``OnlySafetensors``, ``QueueFull``."""
    parsed = addresses.parse(address)
    name = parsed.file or parsed.repository or f"civitai {parsed.version_id or parsed.model_id}"
    row = ImportedFile(
        workspace_id=workspace_id,
        name=_plain_name(name),
        address=parsed.url[:500],
        created_by=created_by,
    )
    session.add(row)
    session.flush()
    jobs.enqueue(
        session,
        workspace_id=workspace_id,
        project_id=None,
        kind=KIND,
        subject_id=row.id,
        title=row.name,
        created_by=created_by,
        sealed_secret=seal(signing_key, TOKEN_PURPOSE, token) if token else None,
    )
    return row


def address_of(session: Session, workspace_id: str, file_id: str) -> str:
    """Where it is to be fetched from. Raises ``NotFound``."""
    return queries.imported_file(session, workspace_id=workspace_id, file_id=file_id).address


def complete_import(session: Session, claim: Claim, stored: Stored) -> None:
    """The file is here. Raises ``LeaseLost``."""
    session.execute(
        update(ImportedFile)
        .where(ImportedFile.id == claim.subject_id, ImportedFile.workspace_id == claim.workspace_id)
        .values(
            name=stored.name,
            key=stored.key,
            byte_count=stored.byte_count,
            sha256=stored.sha256,
            passport=stored.report,
        )
    )
    outcomes.finish(session, claim)


def report_of(row: ImportedFile) -> MetadataReport:
    """Raises ``NotHereYet``."""
    if not row.key or not row.passport:
        raise NotHereYet()
    return MetadataReport.model_validate(row.passport)


def bases_for(session: Session, workspace_id: str, report: MetadataReport) -> list[BaseModelEntry]:
    """The base models on offer whose layers have the names and shapes of this adapter's."""
    return [base for base in base_models.offered(session, workspace_id=workspace_id) if fits(base, report)]


def fits(base: BaseModelEntry, report: MetadataReport) -> bool:
    """Whether the layers of the base have the names of this adapter's, and where both are known its width."""
    is_builtin = "livery" in report.metadata.get("modelspec.architecture", "")
    if not _is_as_wide(base, report.width):
        return False
    return architecture_of(base) == report.architecture and (base.source == "builtin") == is_builtin


def edition_of(report: MetadataReport) -> int:
    """The edition of the built-in model that a file was trained on, as its header tells (``app.adapters.sidecar``)."""
    told = re.fullmatch(r"livery_builtin_(\d{1,3})", report.metadata.get("ss_base_model_version", ""))
    return int(told[1]) if told is not None else 1


def _is_as_wide(base: BaseModelEntry, width: int | None) -> bool:
    return width is None or base.denoiser_width in (None, width)


def converted(storage: Storage, key: str, key_format: WrittenFormat, *, name: str, clean: bool = False) -> Path:
    """The stored file in another key format, alone in a folder that the caller removes.

    Raises ``UnknownKeyFormat``, ``CannotHold``, ``FileNotFoundError``.
    """
    with _ONE_AT_A_TIME, ExitStack() as on_failure:
        # Under the name that workers sweep, for the case that an answer breaks off.
        folder = Path(tempfile.mkdtemp(prefix="livery-job-adapter-"))
        on_failure.callback(shutil.rmtree, folder, ignore_errors=True)
        source, target = folder / "source.safetensors", folder / "target.safetensors"
        storage.fetch(key, source)
        export.converted(source, target, key_format, name=name, clean=clean)
        source.unlink()
        on_failure.pop_all()
    return target


def prepare(
    storage: Storage,
    *,
    key: str,
    base: BaseModelEntry,
    report: MetadataReport,
    project_id: str,
    stem: str,
    version: int,
) -> Adopted:
    """Store the files that an adapter of a brand has: for diffusers, for other programs, and the clean one.

    One whose kind other programs' names have no place for gets no file for them.
    Raises ``WrongBase``, ``NotForDrawing``, ``UnknownKeyFormat``, ``CannotHold``.
    """
    if not fits(base, report):
        raise WrongBase(base=base.name)
    adapter_id = new_id()
    folder = service.folder_of(project_id, adapter_id)
    with _ONE_AT_A_TIME, tempfile.TemporaryDirectory(prefix="livery-adapter-") as local:
        source = Path(local) / "source.safetensors"
        storage.fetch(key, source)
        tensors, header = safetensors_file.read(source)
        lora = key_formats.read(tensors, header)
        width = signs.width_of(signs.denoiser_stems(tensors), tensors)
        if lora.architecture != architecture_of(base) or not _is_as_wide(base, width):
            raise WrongBase(base=base.name)  # its report is of an older Livery, which took it for another
        if export.untrained_encoders(lora):
            raise ChangesT5()
        programs = export.usual_key_format(lora.architecture)
        paths = {kind: Path(local) / f"{kind}.safetensors" for kind in ("diffusers", "kohya", "clean")}
        made = {"diffusers": export.for_engines(source, paths["diffusers"], name=stem)}
        try:
            made["kohya"] = export.converted(source, paths["kohya"], programs, name=stem)
            made["clean"] = export.converted(source, paths["clean"], programs, name=stem, clean=True)
        except export.CannotHold:
            made["clean"] = export.for_engines(source, paths["clean"], name=stem, clean=True)
        for kind, one in made.items():
            storage.put(f"{folder}/{kind}.safetensors", one.path)
        ranks, alphas = list(lora.ranks.values()), list(lora.alphas.values())
    return Adopted(
        adapter_id=adapter_id,
        version=version,
        rank=max(set(ranks), key=ranks.count),
        alpha=max(set(alphas), key=alphas.count),
        files=AdapterFiles(
            diffusers_key=f"{folder}/diffusers.safetensors",
            kohya_key=f"{folder}/kohya.safetensors" if "kohya" in made else "",
            clean_key=f"{folder}/clean.safetensors",
            byte_count=made["diffusers"].byte_count,
            sha256=made["diffusers"].sha256,
        ),
        is_for_livery_alone=export.is_for_livery_alone(lora, header),
    )


def adopt(
    session: Session,
    row: ImportedFile,
    adopted: Adopted,
    *,
    project_id: str,
    purpose: str,
    base_model: str,
    trigger_word: str,
    created_by: str | None,
) -> Adapter:
    """Register the prepared files as an adapter of the brand. Raises ``Conflict`` when another was quicker."""
    try:
        return _registered(session, row, adopted, project_id, purpose, base_model, trigger_word, created_by)
    except VersionTaken as error:
        raise Conflict() from error


def _registered(
    session: Session,
    row: ImportedFile,
    adopted: Adopted,
    project_id: str,
    purpose: str,
    base_model: str,
    trigger_word: str,
    created_by: str | None,
) -> Adapter:
    return service.register(
        session,
        adapter_id=adopted.adapter_id,
        workspace_id=row.workspace_id,
        project_id=project_id,
        training_id=None,
        version=adopted.version,
        purpose=purpose,
        base_model=base_model,
        rank=adopted.rank,
        alpha=adopted.alpha,
        trigger_word=trigger_word,
        files=adopted.files,
        facts={
            "finished": True,
            "base_edition": edition_of(report_of(row)),
            "own_form": adopted.is_for_livery_alone,
            "brought": {"name": row.name, "address": row.address, "sha256": row.sha256},
        },
        created_by=created_by,
    )


def delete(session: Session, *, workspace_id: str, file_id: str) -> str:
    """Remove the row; returns the key of its file, to be removed after the commit. Raises ``NotFound``."""
    row = queries.imported_file(session, workspace_id=workspace_id, file_id=file_id)
    for job in jobs_of(session, [row.id]).values():
        if job.is_active:
            jobs.request_cancel(session, workspace_id=workspace_id, job_id=job.id)
    session.delete(row)
    session.flush()
    return row.key


def sweep_old(database: Database, storage: Storage) -> int:
    """Remove files that were imported long ago; what was taken into a brand has files of its own. Says how many."""
    with database.read() as session:
        old = session.execute(
            select(ImportedFile.id, ImportedFile.key).where(ImportedFile.created_at < now() - KEPT)
        ).all()
    for row in old:
        with database.write() as session:
            session.execute(delete_rows(ImportedFile).where(ImportedFile.id == row.id))
        if row.key:
            storage.delete(row.key)
    return len(old)


def download_name(row: ImportedFile, key_format: WrittenFormat, *, clean: bool = False) -> str:
    """What the converted file is called on somebody's disk."""
    program = inspection.KEY_FORMAT_NAMES[key_format].split(" ")[0].lower()
    return f"{slug(row.name)}-{program}{'-clean' if clean else ''}.safetensors"


def stem_for(brand: str, purpose: str, version: int) -> str:
    return file_stem(brand, purpose, version)


def _plain_name(name: str) -> str:
    """A file's name as people read it: without folders and ending."""
    last = name.replace("\\", "/").rsplit("/", 1)[-1]
    shown = "".join(letter for letter in last if letter.isprintable()).removesuffix(".safetensors").strip()
    return shown[:200] or "adapter"
