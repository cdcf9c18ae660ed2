"""Pages of imported adapter files: the metadata report, conversions, and the way into a brand."""

import shutil
from typing import Annotated, Any

from fastapi import APIRouter, Depends, File, Form, Request, Response, UploadFile
from fastapi.responses import FileResponse
from starlette.background import BackgroundTask

from app.adapters import files, inspecting, queries
from app.adapters.forms import AdoptForm, ImportForm
from app.adapters.imports import service as imports
from app.adapters.models import ImportedFile
from app.base_models import queries as base_models
from app.errors import N_
from app.jobs import queries as jobs
from app.lora_files import inspection, safetensors_file
from app.lora_files.families.facts import WrittenFormat
from app.projects import queries as projects
from app.storage import Storage
from app.web.answers import go
from app.web.api.audited import audited
from app.web.api.deferred_route import DeferredRoute
from app.web.files import disposition
from app.web.flashes import Flash
from app.web.gate.signed_in import Editor, Viewer
from app.web.gate.visitor import Visitor
from app.web.language import translate
from app.web.session_deps import AppSettings, FileStorage, ReadSession, WriteSession
from app.web.templating import fragment, page
from app.web.text import RowId

router = APIRouter(route_class=DeferredRoute)
MB = 1_000_000
MOST_BEGINNING = safetensors_file.MAX_HEADER_BYTES + 8
MOST_ALPHAS = 1_000_000
ADOPTED = N_("The adapter was added to the brand. Create visuals with it, or download it.")
DELETED = N_("The file was removed.")


def _imported(request: Request, visitor: Viewer, file_id: RowId) -> ImportedFile:
    """The row, from a session that is closed by then: a conversion takes seconds."""
    with request.app.state.database.read() as session:
        return queries.imported_file(session, workspace_id=visitor.workspace.id, file_id=file_id)


Imported = Annotated[ImportedFile, Depends(_imported)]


@router.get("/adapter-files")
def all_of_them(request: Request, session: ReadSession, visitor: Viewer, settings: AppSettings) -> Response:
    return page(
        request,
        "pages/adapter_files.html",
        files=queries.imported_files(session, workspace_id=visitor.workspace.id),
        most_mb=settings.max_adapter_mb,
        kept_days=imports.KEPT.days,
    )


@router.post("/adapter-files")
@audited("adapter_file.added")
def upload(
    request: Request,
    session: WriteSession,
    visitor: Editor,
    storage: FileStorage,
    settings: AppSettings,
    file: Annotated[UploadFile, File()],
) -> Response:
    stored = imports.ingest(storage, file.file, file.filename or "", most_bytes=settings.max_adapter_mb * MB)
    row = imports.add(session, stored, workspace_id=visitor.workspace.id, created_by=visitor.user.id)
    return go(request, f"/adapter-files/{row.id}")


@router.post("/adapter-files/passport")
def look(
    request: Request,
    visitor: Viewer,
    header: Annotated[UploadFile, File()],
    size: Annotated[int, Form(ge=0, le=2**43)],
    alphas: Annotated[UploadFile | None, File()] = None,
) -> Response:
    """The metadata report from a file's beginning alone, which is all that the browser sends at first."""
    found = alphas.file.read(MOST_ALPHAS) if alphas is not None else b""
    report = inspecting.of_beginning(header.file, size, found)
    return fragment(request, "partials/metadata_report.html", report=report)


@router.post("/adapter-files/import")
@audited("adapter_file.fetched")
def fetch(request: Request, session: WriteSession, visitor: Editor, form: Annotated[ImportForm, Form()]) -> Response:
    row = imports.request_import(
        session,
        workspace_id=visitor.workspace.id,
        address=form.address,
        token=form.token,
        signing_key=request.app.state.signing_key,
        created_by=visitor.user.id,
    )
    return go(request, f"/adapter-files/{row.id}")


@router.get("/adapter-files/{file_id}")
def show(request: Request, session: ReadSession, visitor: Viewer, file_id: RowId) -> Response:
    row = queries.imported_file(session, workspace_id=visitor.workspace.id, file_id=file_id)
    return page(request, "pages/adapter_file.html", file=row, **_shown(session, visitor, row))


def _shown(session: ReadSession, visitor: Visitor, row: ImportedFile) -> dict[str, Any]:
    report = imports.report_of(row) if row.key and row.passport else None
    return {
        "report": report,
        "job": jobs.jobs_of(session, [row.id]).get(row.id) if report is None else None,
        "bases": imports.bases_for(session, row.workspace_id, report) if report is not None else [],
        "brands": projects.projects(session, workspace_id=visitor.workspace.id, limit=200),
        "names": inspection.KEY_FORMAT_NAMES,
    }


@router.get("/adapter-files/{file_id}/files/{dialect}")
def convert(row: Imported, storage: FileStorage, dialect: WrittenFormat, clean: bool = False) -> Response:
    return converted_file(storage, row, dialect, clean=clean)


def converted_file(storage: Storage, row: ImportedFile, key_format: WrittenFormat, *, clean: bool) -> Response:
    """The answer that saves the file in another key format; made for this answer, and removed after it."""
    imports.report_of(row)
    target = imports.converted(storage, row.key, key_format, name=row.name, clean=clean)
    return FileResponse(
        target,
        media_type=files.MEDIA_TYPE,
        headers={
            "content-disposition": disposition(imports.download_name(row, key_format, clean=clean)),
            "cache-control": "no-store",
            "content-security-policy": "sandbox",
        },
        background=BackgroundTask(shutil.rmtree, target.parent, ignore_errors=True),
    )


@router.post("/adapter-files/{file_id}/adopt")
@audited("adapter.imported")
def adopt(
    request: Request,
    row: Imported,
    session: WriteSession,
    visitor: Editor,
    storage: FileStorage,
    form: Annotated[AdoptForm, Form()],
) -> Response:
    adapter_id = adopted(request, row, session, visitor, storage, form)
    return go(request, f"/adapters/{adapter_id}", Flash("ok", translate(request.state.locale, ADOPTED)))


def adopted(
    request: Request, row: ImportedFile, session: WriteSession, visitor: Visitor, storage: Storage, form: AdoptForm
) -> str:
    """Takes the file into a brand; the slow part comes before the write session's first statement."""
    with request.app.state.database.read() as before:
        project = projects.project(before, workspace_id=visitor.workspace.id, project_id=form.project_id)
        version = queries.next_version(before, project_id=project.id, modality="image")
        base = base_models.entry(before, workspace_id=visitor.workspace.id, key=form.base_model)
    prepared = imports.prepare(
        storage,
        key=row.key,
        base=base,
        report=imports.report_of(row),
        project_id=project.id,
        stem=imports.stem_for(project.name, form.purpose, version),
        version=version,
    )
    adapter = imports.adopt(
        session,
        row,
        prepared,
        project_id=project.id,
        purpose=form.purpose,
        base_model=form.base_model,
        trigger_word=form.trigger_word,
        created_by=visitor.user.id,
    )
    return adapter.id


@router.post("/adapter-files/{file_id}/delete")
@audited("adapter_file.deleted")
def delete(request: Request, session: WriteSession, visitor: Editor, storage: FileStorage, file_id: RowId) -> Response:
    key = imports.delete(session, workspace_id=visitor.workspace.id, file_id=file_id)
    response = go(request, "/adapter-files", Flash("ok", translate(request.state.locale, DELETED)))
    if key:
        response.background = BackgroundTask(storage.delete, key)
    return response
