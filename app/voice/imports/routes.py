"""Pages of files of texts: bringing one, looking at what it holds, and taking it in."""

from typing import Annotated, Any

from fastapi import APIRouter, File, Form, Query, Request, Response, UploadFile
from starlette.background import BackgroundTask

from app.errors import N_
from app.projects import queries as projects
from app.voice.channels import CHANNELS
from app.voice.errors import AlreadyTakenIn
from app.voice.forms import (
    MappingForm,
    PasteForm,
)
from app.voice.imports import queries, service, uploads
from app.voice.imports.upload_target import ImportTargetDep, Opened, OpenedImport, add_import
from app.voice.models import VoiceImport
from app.voice.reading import mapping
from app.voice.reading import readers as reading
from app.voice.service import prepare
from app.voice.view import LANGUAGE_NAMES
from app.web.answers import go
from app.web.api.audited import audited
from app.web.api.deferred_route import DeferredRoute
from app.web.flashes import Flash
from app.web.gate.route_rules import TEXT_BYTES
from app.web.gate.signed_in import Editor
from app.web.gate.visitor import Visitor
from app.web.language import counted, ngettext, translate
from app.web.session_deps import FileStorage, ReadSession, WriteSession
from app.web.templating import fragment, page
from app.web.text import RowId

router = APIRouter(route_class=DeferredRoute)
DISCARDED = N_("Nothing was imported.")


@router.get("/projects/{project_id}/voice/add")
def show_add(request: Request, session: ReadSession, visitor: Editor, project_id: RowId) -> Response:
    project = projects.project(session, workspace_id=visitor.workspace.id, project_id=project_id)
    return page(request, "pages/voice_add.html", project=project)


@router.post("/projects/{project_id}/voice/files")
@audited("import.added")
def upload(
    request: Request,
    target: ImportTargetDep,
    session: WriteSession,
    storage: FileStorage,
    file: Annotated[UploadFile, File()],
) -> Response:
    import_id, stored = uploads.keep(
        storage, file.file, file.filename or "?", file.size or 0, project_id=target.project_id, limits=target.limits
    )
    add_import(session, target, import_id, stored)
    return go(request, f"/voice/imports/{import_id}")


@router.post("/projects/{project_id}/voice/paste", form_limits={"max_part_size": TEXT_BYTES})
@audited("import.added")
def paste(
    request: Request,
    target: ImportTargetDep,
    session: WriteSession,
    storage: FileStorage,
    form: Annotated[PasteForm, Form()],
) -> Response:
    import_id, stored = uploads.keep_pasted(storage, form.words, project_id=target.project_id, limits=target.limits)
    add_import(session, target, import_id, stored)
    return go(request, f"/voice/imports/{import_id}")


@router.get("/voice/imports/{import_id}")
def show_import(request: Request, session: ReadSession, visitor: Editor, opened: OpenedImport) -> Response:
    row = queries.voice_import(session, workspace_id=visitor.workspace.id, import_id=opened.import_id)
    project = projects.project(session, workspace_id=visitor.workspace.id, project_id=row.project_id)
    if opened.file is None:
        return page(request, "pages/voice_imported.html", project=project, row=row)
    context = _preview(opened.file, None, visitor.user.locale)
    return page(request, "pages/voice_import.html", project=project, row=row, **context)


def _preview(file: reading.TextFile, wanted: mapping.Mapping | None, locale: str) -> dict[str, Any]:
    found, shown = reading.preview(file, wanted, otherwise=locale)
    return {"wanted": wanted or found, "preview": shown, "channels": CHANNELS, "languages": LANGUAGE_NAMES}


@router.get("/voice/imports/{import_id}/preview")
def show_preview(
    request: Request, visitor: Editor, opened: OpenedImport, wanted: Annotated[MappingForm, Query()]
) -> Response:
    if opened.file is None:
        raise AlreadyTakenIn()
    context = _preview(opened.file, wanted, visitor.user.locale)
    return fragment(request, "partials/voice_preview.html", **context)


@router.post("/voice/imports/{import_id}")
@audited("text.added")
def ingest(
    request: Request,
    session: WriteSession,
    storage: FileStorage,
    visitor: Editor,
    opened: OpenedImport,
    form: Annotated[MappingForm, Form()],
) -> Response:
    row, key = ingest_opened(session, opened, form, visitor)
    if row.problems or not row.added:
        response = go(request, f"/voice/imports/{row.id}")
    else:
        told = counted(request.state.locale, ngettext("%(num)s text added.", "%(num)s texts added."), row.added)
        notes = [translate(request.state.locale, str(msgid), **_params(params)) for msgid, params in row.notes]
        response = go(request, f"/projects/{row.project_id}/voice", Flash("ok", " ".join([told, *notes])[:600]))
    if key is not None:
        response.background = BackgroundTask(storage.delete, key)
    return response


def _params(params: object) -> dict[str, Any]:
    return params if isinstance(params, dict) else {}


def ingest_opened(
    session: WriteSession, opened: Opened, wanted: mapping.Mapping, visitor: Visitor
) -> tuple[VoiceImport, str | None]:
    """What pages and the API share: drafts and their measures come before the first statement of the transaction."""
    if opened.file is None:
        raise AlreadyTakenIn()
    drafts, problems, notes = reading.drafts(opened.file, wanted, otherwise=visitor.user.locale)
    _, key = service.finish_import(
        session,
        prepare(drafts),
        problems,
        notes,
        workspace_id=opened.workspace_id,
        import_id=opened.import_id,
        skip_known=wanted.skip_known,
        created_by=opened.user_id,
    )
    return queries.voice_import(session, workspace_id=opened.workspace_id, import_id=opened.import_id), key


@router.post("/voice/imports/{import_id}/discard")
@audited("import.discarded")
def discard(
    request: Request, session: WriteSession, storage: FileStorage, visitor: Editor, import_id: RowId
) -> Response:
    project_id, key = service.discard_import(session, workspace_id=visitor.workspace.id, import_id=import_id)
    response = go(request, f"/projects/{project_id}/voice", Flash("ok", translate(request.state.locale, DISCARDED)))
    if key is not None:
        response.background = BackgroundTask(storage.delete, key)
    return response
