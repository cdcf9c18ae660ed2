"""Files of texts that are brought to a brand, as JSON: sent, looked at, taken in."""

from typing import Annotated, Any

from fastapi import APIRouter, BackgroundTasks, File, Request, Response, UploadFile
from pydantic import BaseModel
from starlette.background import BackgroundTask

from app.voice.errors import AlreadyTakenIn
from app.voice.imports import service, uploads
from app.voice.imports.routes import ingest_opened
from app.voice.imports.upload_target import ImportTargetDep, OpenedImport, add_import
from app.voice.reading import previews
from app.voice.reading import readers as reading
from app.voice.reading.mapping import Mapping
from app.web.api.audited import audited
from app.web.api.deferred_route import DeferredRoute
from app.web.api.json_body import JsonBody
from app.web.gate.signed_in import Editor
from app.web.language import translate
from app.web.session_deps import FileStorage, WriteSession
from app.web.text import RowId

router = APIRouter(tags=["Voice"], route_class=DeferredRoute)


class MappingChoice(JsonBody, Mapping):
    """Columns by their number from 0, −1 for none; ``split`` counts for documents."""


class ColumnOut(BaseModel, defer_build=True):
    number: int
    name: str
    example: str


class DraftOut(BaseModel, defer_build=True):
    row: int
    text: str
    title: str
    channel: str
    language: str
    brief: str


class ImportOut(BaseModel, defer_build=True):
    """A file that was read: its columns, the mapping (guessed until you send your own), and what it would bring."""

    id: str
    project_id: str
    filename: str
    columns: list[ColumnOut]
    mapping: Mapping
    count: int
    problems: list[str]
    notes: list[str]
    """What else of the file is not taken."""
    texts: list[DraftOut]
    """The first ones."""


class ImportedOut(BaseModel, defer_build=True):
    """What became of a file."""

    id: str
    added: int
    problems: list[str]
    """A sentence for each row that could not be read."""
    notes: list[str]


def _sentences(request: Request, pairs: list[list[Any]]) -> list[str]:
    return [translate(request.state.locale, msgid, **params) for msgid, params in pairs]


@router.post("/projects/{project_id}/voice/imports", summary="Upload a file of texts")
@audited("import.added")
def start_import(
    request: Request,
    target: ImportTargetDep,
    session: WriteSession,
    storage: FileStorage,
    visitor: Editor,
    file: Annotated[UploadFile, File()],
) -> ImportOut:
    """CSV, XLSX, JSON, JSONL, TXT, Markdown, DOCX or HTML. Nothing is imported yet: check the response, then import the
    file with the mapping of your choice."""
    import_id, stored = uploads.keep(
        storage, file.file, file.filename or "?", file.size or 0, project_id=target.project_id, limits=target.limits
    )
    opened = uploads.opened(storage, stored, target.limits)
    wanted, shown = reading.preview(opened, None, otherwise=visitor.user.locale)
    add_import(session, target, import_id, stored)
    return _import_out(request, import_id, target.project_id, stored.filename, wanted, shown)


def _import_out(
    request: Request, import_id: str, project_id: str, filename: str, wanted: Mapping, shown: previews.Preview
) -> ImportOut:
    return ImportOut(
        id=import_id,
        project_id=project_id,
        filename=filename,
        columns=[ColumnOut(number=one.number, name=one.name, example=one.example) for one in shown.columns],
        mapping=wanted,
        count=shown.count,
        problems=_sentences(request, [[note.msgid, note.params] for note in shown.problems]),
        notes=_sentences(request, [[note.msgid, note.params] for note in shown.notes]),
        texts=[DraftOut(**vars(draft)) for draft in shown.drafts],
    )


@router.post("/voice/imports/{import_id}/preview", summary="Preview a file with a different mapping")
def preview_import(request: Request, visitor: Editor, opened: OpenedImport, wanted: MappingChoice) -> ImportOut:
    if opened.file is None:
        raise AlreadyTakenIn()
    _, shown = reading.preview(opened.file, wanted, otherwise=visitor.user.locale)
    return _import_out(request, opened.import_id, opened.project_id, opened.filename, wanted, shown)


@router.post("/voice/imports/{import_id}", summary="Import a file")
@audited("text.added")
def finish_import(
    request: Request,
    session: WriteSession,
    storage: FileStorage,
    visitor: Editor,
    opened: OpenedImport,
    afterwards: BackgroundTasks,
    wanted: MappingChoice,
) -> ImportedOut:
    """Either all valid rows are added or none. Each invalid row is reported in a sentence."""
    row, key = ingest_opened(session, opened, wanted, visitor)
    if key is not None:
        afterwards.add_task(storage.delete, key)
    return ImportedOut(
        id=row.id,
        added=row.added,
        problems=_sentences(request, row.problems),
        notes=_sentences(request, row.notes),
    )


@router.delete("/voice/imports/{import_id}", status_code=204, summary="Discard a file that was not imported")
@audited("import.discarded")
def discard_import(session: WriteSession, storage: FileStorage, visitor: Editor, import_id: RowId) -> Response:
    _, key = service.discard_import(session, workspace_id=visitor.workspace.id, import_id=import_id)
    response = Response(status_code=204)
    if key is not None:
        response.background = BackgroundTask(storage.delete, key)
    return response
