"""Imported adapter files as JSON: their metadata reports, conversions, and the way into a brand."""

from datetime import datetime
from typing import Annotated

from fastapi import APIRouter, File, Request, Response, UploadFile
from pydantic import BaseModel
from starlette.background import BackgroundTask

from app.adapters import queries
from app.adapters.api import AdapterOut
from app.adapters.forms import AdoptForm, ImportForm
from app.adapters.imports import service as imports
from app.adapters.imports.routes import MB, Imported, adopted, converted_file
from app.adapters.models import ImportedFile
from app.jobs import queries as jobs
from app.jobs.api import JobOut
from app.jobs.models import Job
from app.lora_files.families.facts import WrittenFormat
from app.lora_files.inspection import MetadataReport
from app.web.api.audited import audited
from app.web.api.deferred_route import DeferredRoute
from app.web.api.json_body import JsonBody
from app.web.gate.signed_in import Editor, Viewer
from app.web.session_deps import AppSettings, FileStorage, ReadSession, WriteSession
from app.web.text import RowId

router = APIRouter(tags=["Adapter files"], route_class=DeferredRoute)


class Adoption(JsonBody, AdoptForm):
    """An imported file, to become an adapter of a brand."""


class FileImport(JsonBody, ImportForm):
    """An address on Hugging Face or Civitai, and a token where the file is not for everybody."""


class ImportedFileOut(BaseModel, defer_build=True):
    """An imported adapter file. It is kept for a month; what is taken into a brand stays there."""

    id: str
    name: str
    address: str
    """Where it was fetched from; empty for an upload."""
    byte_count: int
    sha256: str
    passport: MetadataReport | None
    """None while the file is still on its way."""
    created_at: datetime
    job: JobOut | None
    """Fetches it from its address; null for an upload."""

    @classmethod
    def of(cls, row: ImportedFile, job: Job | None) -> "ImportedFileOut":
        own = {name: getattr(row, name) for name in cls.model_fields if name not in ("passport", "job")}
        passport = imports.report_of(row) if row.key and row.passport else None
        return cls(**own, passport=passport, job=JobOut.of(job) if job is not None else None)


class ImportedFileList(BaseModel, defer_build=True):
    items: list[ImportedFileOut]
    next: str | None


@router.get("/adapter-files", summary="List imported adapter files")
def list_files(session: ReadSession, visitor: Viewer) -> ImportedFileList:
    """The 50 newest."""
    found = queries.imported_files(session, workspace_id=visitor.workspace.id)
    by_subject = jobs.jobs_of(session, [row.id for row in found])
    return ImportedFileList(items=[ImportedFileOut.of(row, by_subject.get(row.id)) for row in found], next=None)


@router.post("/adapter-files", summary="Inspect an adapter file", status_code=201)
@audited("adapter_file.added")
def upload(
    session: WriteSession,
    visitor: Editor,
    storage: FileStorage,
    settings: AppSettings,
    file: Annotated[UploadFile, File()],
) -> ImportedFileOut:
    """A LoRA in the safetensors format, from any program; the response contains its metadata report."""
    stored = imports.ingest(storage, file.file, file.filename or "", most_bytes=settings.max_adapter_mb * MB)
    row = imports.add(session, stored, workspace_id=visitor.workspace.id, created_by=visitor.user.id)
    return ImportedFileOut.of(row, None)


@router.post("/adapter-files/import", summary="Fetch an adapter file", status_code=202)
@audited("adapter_file.fetched")
def fetch(request: Request, session: WriteSession, visitor: Editor, order: FileImport) -> ImportedFileOut:
    """A worker fetches the file from its address on Hugging Face or Civitai and adds the metadata report."""
    row = imports.request_import(
        session,
        workspace_id=visitor.workspace.id,
        address=order.address,
        token=order.token,
        signing_key=request.app.state.signing_key,
        created_by=visitor.user.id,
    )
    return ImportedFileOut.of(row, jobs.job_of(session, row.id))


@router.get("/adapter-files/{file_id}", summary="Get an adapter file's metadata report")
def show(session: ReadSession, visitor: Viewer, file_id: RowId) -> ImportedFileOut:
    row = queries.imported_file(session, workspace_id=visitor.workspace.id, file_id=file_id)
    return ImportedFileOut.of(row, jobs.jobs_of(session, [row.id]).get(row.id))


@router.get("/adapter-files/{file_id}/files/{dialect}", summary="Convert an adapter file", response_class=Response)
def convert(row: Imported, storage: FileStorage, dialect: WrittenFormat, clean: bool = False) -> Response:
    """Named as in `kohya`, `comfyui` or diffusers (`canonical`, or `diffusers_old` of 2023); with `clean`, without any
    mention of the training pictures."""
    return converted_file(storage, row, dialect, clean=clean)


@router.post("/adapter-files/{file_id}/adopt", summary="Add an adapter file to a brand", status_code=201)
@audited("adapter.imported")
def adopt(
    request: Request, row: Imported, session: WriteSession, visitor: Editor, storage: FileStorage, order: Adoption
) -> AdapterOut:
    adapter_id = adopted(request, row, session, visitor, storage, order)
    return AdapterOut.of(queries.adapter(session, workspace_id=visitor.workspace.id, adapter_id=adapter_id))


@router.delete("/adapter-files/{file_id}", summary="Remove an adapter file", status_code=204)
@audited("adapter_file.deleted")
def delete(session: WriteSession, visitor: Editor, storage: FileStorage, file_id: RowId) -> Response:
    """Adapters added to a brand stay."""
    key = imports.delete(session, workspace_id=visitor.workspace.id, file_id=file_id)
    return Response(status_code=204, background=BackgroundTask(storage.delete, key) if key else None)
